"""Map programs: httpd's line protocol, and programs that misbehave in one way each."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
import uvloop

from proxy_core.config.model import RewriteMap, Site
from proxy_core.errors import Problem
from proxy_core.runtime.maps import programs
from tests.runtime.maps.helpers import answered, asked, maps_in_force, maps_of, python
from tests.waiting import until

ECHO = "while True: key = ask(); say('' if key == 'empty' else 'nUlL' if key == 'none' else '<' + key + '>')"


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    ("key", "value"), [("a", "<a>"), ("", "<>"), ("none", None), ("empty", ""), ("a b", "<a b>"), ("two\nlines", None)]
)
async def test_a_line_goes_in_and_a_line_comes_back(tmp_path: Path, key: str, value: str | None) -> None:
    async with maps_of(tmp_path, type="prg", command=python(ECHO)) as maps:
        assert await asked(maps, key) == value
        assert await asked(maps, "next") == "<next>"


async def test_bytes_go_through_as_they_are(tmp_path: Path) -> None:
    async with maps_of(tmp_path, type="prg", command=("/bin/cat",)) as maps:
        key = "".join(chr(byte) for byte in range(1, 256) if byte != 10)
        assert await asked(maps, key) == key


async def test_many_questions_at_once_each_get_their_own_answer(tmp_path: Path) -> None:
    async with maps_of(tmp_path, type="prg", command=("/bin/cat",)) as maps:
        keys = [f"key{n}" for n in range(300)]
        assert await asyncio.gather(*(maps.answer("m", key) for key in keys)) == keys


async def test_a_program_that_hangs_costs_one_request_its_answer_and_is_started_again(tmp_path: Path) -> None:
    code = "while True:\n    key = ask()\n    if key == 'hang': time.sleep(60)\n    say(key)"
    async with maps_of(tmp_path, type="prg", command=python(code), timeout=0.5) as maps:
        hung, *others = await asyncio.gather(*(maps.answer("m", key) for key in ("hang", "a")))
        assert hung is None
        assert others == [None]  # its turn did not come in its own half second
        assert await answered(maps, "b") == "b"
        assert maps.states()[0].errors >= 2


async def test_a_late_answer_is_never_taken_for_that_of_the_next_question(tmp_path: Path) -> None:
    code = "while True:\n    key = ask()\n    time.sleep(0.7 if key == 'slow' else 0)\n    say(key)"
    async with maps_of(tmp_path, type="prg", command=python(code), timeout=0.5) as maps:
        assert await maps.answer("m", "slow") is None
        await until(lambda: "did not answer within 0.5 s" in maps.states()[0].fault)
        assert [await answered(maps, key) for key in "abc"] == ["a", "b", "c"]


@pytest.mark.parametrize("end", ["sys.exit(3)", "os.kill(os.getpid(), signal.SIGKILL)", "os.close(1); time.sleep(60)"])
async def test_a_program_that_dies_costs_one_request_its_answer_and_is_started_again(tmp_path: Path, end: str) -> None:
    code = f"while True:\n    key = ask()\n    if key == 'die': {end}\n    say(key)"
    async with maps_of(tmp_path, type="prg", command=python(code)) as maps:
        assert await maps.answer("m", "die") is None
        assert maps.states()[0].fault
        assert await maps.answer("m", "a") == "a"
        assert maps.states()[0].fault == ""
        assert maps.states()[0].errors == 1


async def test_a_program_that_dies_while_nobody_asks_costs_nothing_but_a_word(tmp_path: Path) -> None:
    async with maps_of(tmp_path, type="prg", command=python("while True: ask(); say(str(os.getpid()))")) as maps:
        pid = int(await maps.answer("m", "a") or 0)
        os.kill(pid, signal.SIGTERM)
        await until(lambda: bool(maps.states()[0].fault))
        again = int(await maps.answer("m", "a") or 0)
        assert again not in (0, pid)


async def test_a_program_that_dies_at_once_again_and_again_is_left_alone_for_a_while(tmp_path: Path) -> None:
    code = "open('starts', 'a').write('x')\nsys.exit(1)"
    async with maps_of(tmp_path, type="prg", command=python(code)) as maps:
        async with asyncio.timeout(10):
            for _ in range(200):
                assert await maps.answer("m", "a") is None
        assert len((tmp_path / "starts").read_text()) <= len(programs.PAUSES)


async def test_a_program_that_writes_without_end_is_killed_and_serves_nobody_another_answer(tmp_path: Path) -> None:
    code = "while True:\n    key = ask()\n    while key == 'flood': say('x' * 1000)\n    say(key)"
    async with maps_of(tmp_path, type="prg", command=python(code)) as maps:
        await maps.answer("m", "flood")
        await until(lambda: maps.states()[0].errors > 0)
        assert [await answered(maps, key) for key in "ab"] == ["a", "b"]


async def test_a_line_too_many_is_thrown_away_not_given_to_the_next_question(tmp_path: Path) -> None:
    code = "while True: key = ask(); sys.stdout.write(key + '\\nmore\\n'); sys.stdout.flush()"
    async with maps_of(tmp_path, type="prg", command=python(code)) as maps:
        assert [await maps.answer("m", key) for key in "abc"] == ["a", "b", "c"]
        assert "more than one line" in maps.states()[0].last_error


async def test_the_rest_of_a_line_too_many_is_sat_out_before_the_next_question(tmp_path: Path) -> None:
    code = "while True:\n    key = ask()\n    say(key + '\\nmo', end='')\n    time.sleep(0.01)\n    say('re')"
    async with maps_of(tmp_path, type="prg", command=python(code)) as maps:
        assert [await maps.answer("m", key) for key in "abc"] == ["a", "b", "c"]


async def test_a_program_that_writes_no_newline_gets_no_endless_patience(tmp_path: Path) -> None:
    code = "while True:\n    key = ask()\n    say(key, end='' if key == 'bare' else '\\n')"
    async with maps_of(tmp_path, type="prg", command=python(code), timeout=0.3) as maps:
        assert await maps.answer("m", "bare") is None
        assert await answered(maps, "a") == "a"


async def test_an_answer_longer_than_any_url_is_refused(tmp_path: Path) -> None:
    code = "while True: key = ask(); say(key * 100000 if key == 'x' else key)"
    async with maps_of(tmp_path, type="prg", command=python(code)) as maps:
        assert await maps.answer("m", "x") is None
        assert "more than 65536 bytes" in maps.states()[0].last_error
        assert await maps.answer("m", "a") == "a"


async def test_what_a_program_says_on_standard_error_is_passed_on_but_not_a_flood_of_it(tmp_path: Path) -> None:
    heard: list[Problem] = []
    code = "for n in range(500): sys.stderr.write(f'line {n}\\n')\nsys.stderr.flush()\nwhile True: say(ask())"
    named = {"m": RewriteMap(type="prg", command=python(code))}
    async with maps_in_force(tmp_path, named, said=heard.append) as maps:
        assert await maps.answer("m", "a") == "a"
        await until(lambda: bool(heard))
        assert "line 0" in heard[0].what
        assert len(heard) <= 3 * programs.LINES_A_SECOND


@pytest.mark.parametrize("name", ["./map.sh", "map.sh"])
async def test_a_program_runs_in_the_folder_of_the_site_and_is_found_there(tmp_path: Path, name: str) -> None:
    (tmp_path / "map.sh").write_text("#!/bin/sh\nwhile read key; do pwd; done\n")
    (tmp_path / "map.sh").chmod(0o755)
    async with maps_of(tmp_path, type="prg", command=(name,)) as maps:
        assert await maps.answer("m", "a") == str(tmp_path)


@pytest.mark.parametrize("deaf", ["", "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"])
async def test_in_the_end_the_program_and_what_it_started_are_gone(
    tmp_path: Path, deaf: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "GRACE", 0.3)
    code = (
        deaf
        + "child = os.spawnlp(os.P_NOWAIT, 'sleep', 'sleep', '60')\nwhile True: ask(); say(f'{os.getpid()} {child}')"
    )
    async with maps_of(tmp_path, type="prg", command=python(code)) as maps:
        pids = [int(pid) for pid in (await maps.answer("m", "a") or "").split()]
        assert len(pids) == 2
    await until(lambda: not any(map(alive, pids)))


async def test_a_program_ends_when_its_map_is_taken_out(tmp_path: Path) -> None:
    async with maps_of(tmp_path, type="prg", command=python("while True: ask(); say(str(os.getpid()))")) as maps:
        pid = int(await maps.answer("m", "a") or 0)
        maps.commit(await maps.prepare(Site(), tmp_path))
        await until(lambda: not alive(pid))


async def test_questions_that_wait_when_the_map_is_taken_out_get_their_default(tmp_path: Path) -> None:
    code = "while True: ask(); time.sleep(60)"
    async with maps_of(tmp_path, type="prg", command=python(code), timeout=30.0) as maps:
        waiting = [asyncio.create_task(maps.answer("m", key)) for key in "ab"]
        await asyncio.sleep(0)
        await maps.close()
        async with asyncio.timeout(15):
            assert await asyncio.gather(*waiting) == [None, None]


def test_under_uvloop_as_it_serves_a_program_answers_dies_hangs_and_is_gone_in_the_end(tmp_path: Path) -> None:
    code = (
        "while True:\n    key = ask()\n    if key == 'hang': time.sleep(60)\n    if key == 'die': sys.exit(1)\n"
        "    say(str(os.getpid()))"
    )

    async def seen() -> int:
        async with maps_of(tmp_path, type="prg", command=python(code), timeout=0.5) as maps:
            for vice in ("die", "hang"):
                assert await answered(maps, "a")
                assert await maps.answer("m", vice) is None
            return int(await answered(maps, "a") or 0)

    pid = uvloop.run(seen())
    assert not alive(pid)
