"""``rproxy ctl``: what it prints, what it changes, and what it exits with."""

from __future__ import annotations

import asyncio
import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from proxy_core.control.cli import __main__ as cli
from proxy_core.control.cli import ctl_answers
from proxy_core.control.cli.ctl import VERBS
from proxy_core.control.door.socket_path import listening
from proxy_core.control.editing import ctl_words
from proxy_core.control.editing.commands import Applied, Change, Set
from tests.control.door.harness import SITE, OpenDoor, open_door
from tests.control.harness import get, member


async def ctl(there: OpenDoor, said: str) -> int:
    """One call, in a thread: the service is in this one's loop."""

    def run() -> int:
        try:
            return cli.main(["ctl", "-s", str(there.path), *shlex.split(said)])
        except SystemExit as end:
            return int(end.code or 0)

    async with asyncio.timeout(20):
        return await asyncio.to_thread(run)


@pytest.mark.parametrize(
    ("said", "status", "out", "err"),
    [
        ("status", 0, "generation 1, saved", ""),
        ("members", 0, "b/m0    enabled", ""),
        ("shadow", 0, "no route has a shadow", ""),
        ("drain b/m0 b/m1", 0, "generation 2: drain b/m0 and m1", ""),
        ("standby b/m1", 0, "generation 2: make b/m1 a standby", ""),
        ("weight b/m0 3", 0, "generation 2: set weight of b/m0 to 3", ""),
        ("set balancers.b.members.m0.weight 3 --say 'why not'", 0, "generation 2: why not", ""),
        ("set site.timeout 30 + set site.server_name shop", 0, "set site.timeout to 30 and 1 more", ""),
        ("set site.timeout soon", 1, "", "site.toml:"),
        ("set site.timeout 30 --if 2", 4, "", "there is no generation 2 yet"),
        ("--if 1 set site.timeout 30", 0, "generation 2", ""),
        ("set site.timeout 30 --confirm 60", 0, "it takes itself back in 60 s, or where 5xx above", ""),
        ("drain b/m0 --confirm soon", 2, "", "--confirm wants whole seconds, 1 to 3600"),
        ("confirm", 1, "", "nothing waits to be confirmed"),
        ("undo --force --confirm 5", 1, "", "nothing to undo"),
        ("confirm --confirm", 2, "", "expected one argument"),
        ("test", 0, "no test: add [[tests]] rows", ""),
        ("what-if weight b/m0 3", 0, "No request is kept", ""),
        ("what-if weight b/none 3", 1, "", "url is missing"),
        ("what-if", 2, "", "it goes: what-if FILE"),
        ("note", 0, "/notes/", ""),
        ("note --since soon", 2, "", "write 30m, 1h or 24h"),
        ("set nothing", 2, "", "set PATH VALUE"),
        ("set a..b 1", 2, "", "is no path"),
        ("weight b/m0 101", 2, "", "from 0 to 100"),
        ("add routes '{ path = \"/x\", except = true }' --before all", 0, "add a row to routes", ""),
        ("remove balancers.b.members.m1", 0, "remove balancers.b.members.m1", ""),
        ("get balancers.b.members.m0.weight", 0, "1", ""),
        ("get routes.all", 0, 'path = "/"', ""),
        ("get routes.all.path", 0, "/", ""),
        ("get site.timeout", 1, "", "says nothing"),
        ("get balancers.b.members --json", 0, '"m0"', ""),
        ("undo", 1, "", "nothing to undo"),
        ("undo 1", 2, "", "it goes: undo"),
        ("revert 1", 1, "", "not kept"),
        ("ban 192.0.2.7 1h", 0, "ban 192.0.2.7 for 1h", ""),
        ("ban 192.0.2.7 soon", 2, "", "30m, 1h or 7d"),
        ("history", 0, "first start", ""),
        ("explain /x", 0, "forwarded to b", ""),
        ("explain nonsense", 2, "", "no path and no URL"),
        ("tail --once", 0, "", ""),
        ("tail --at noon", 2, "", "noon is no time: say 02:30"),
        ("tail --at 00:00", 0, "", "nothing is kept of"),
        ("history --at '2001-01-01 00:00'", 0, "gen", ""),
        ("tail --once 'status>'", 2, "", "at character 8"),
        ("problems", 0, "", ""),
        ("map get none", 1, "", "no map"),
        ("map set none k v", 1, "", "no map"),
        ("map bogus", 2, "", "no command"),
        ("upgrade", 1, "", "cannot be upgraded"),
        ("stop", 0, "stopping", ""),
        ("status --json", 0, '"generation": 1', ""),
        ("bogus", 2, "", "invalid choice"),
        ("drain b/m0 --timeout soon", 2, "", "whole number"),
        ("set site.timeout 3 --wait", 2, "", "--wait is for drain"),
    ],
)
async def test_each_word_says_and_does_what_it_is_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], said: str, status: int, out: str, err: str
) -> None:
    async with open_door(tmp_path) as there:
        assert await ctl(there, said) == status, capsys.readouterr()
        found = capsys.readouterr()
        assert out in found.out
        assert err in found.err
        assert "Traceback" not in found.err


async def test_of_eight_edits_on_one_generation_one_is_done_and_the_file_differs_in_one_line(tmp_path: Path) -> None:
    async with open_door(tmp_path) as there:
        asked = [ctl(there, f"set balancers.b.members.m0.weight {n} --if 1") for n in range(2, 10)]
        assert sorted(await asyncio.gather(*asked)) == [0] + [4] * 7
        await there.engine._editor.saver.flush()
        before, after = SITE.splitlines(), (tmp_path / "site.toml").read_text().splitlines()
        changed = [(one, other) for one, other in zip(before, after, strict=True) if one != other]
        assert len(changed) == 1
        assert changed[0][1].endswith("# the small one")


async def test_the_weight_of_a_member_may_be_changed_by_only_one_of_two_who_saw_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with open_door(tmp_path) as there:
        assert await ctl(there, "weight b/m0 2 --if 1") == 0
        assert await ctl(there, "weight b/m0 3 --if 1") == 4
        assert "+weight = 2" in capsys.readouterr().err
        assert await ctl(there, "weight b/m0 3 --if 2") == 0
        assert there.engine.site().generation == 3


async def test_a_whole_file_is_compared_taken_and_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new, bad = tmp_path / "new.toml", tmp_path / "bad.toml"
    new.write_text(SITE.replace("weight = 1", "weight = 4"))
    bad.write_text("x = [")
    async with open_door(tmp_path) as there:
        assert await ctl(there, f"diff {new}") == 0
        assert "+weight = 4" in capsys.readouterr().out
        assert there.engine.site().generation == 1
        assert await ctl(there, f"apply {bad}") == 1
        assert await ctl(there, f"diff {bad}") == 1
        assert await ctl(there, f"apply {new} --if 1") == 0
        assert await ctl(there, f"apply {new} --if 1") == 4
        assert await ctl(there, f"apply {tmp_path / 'none'}") == 2
        assert there.engine.site().site.balancers["b"].members["m0"].weight == 4


async def test_one_generation_is_reverted_and_undone(tmp_path: Path) -> None:
    async with open_door(tmp_path) as there:
        for said in ("weight b/m0 3", "set site.timeout 30", "revert 2", "undo", "redo"):
            assert await ctl(there, said) == 0, said
        site = there.engine.site().site
        assert (site.balancers["b"].members["m0"].weight, site.site.timeout) == (1, 30)


async def test_a_drain_is_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with open_door(tmp_path) as there:
        assert await ctl(there, "drain b/m0 --wait --timeout 5") == 0
        assert "safe to stop" in capsys.readouterr().out
        assert await ctl(there, "drain --wait b/m1") == 0


async def test_requests_are_listed_by_a_filter(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with member() as port, open_door(tmp_path, SITE.replace("127.0.0.1:9", f"127.0.0.1:{port}")) as there:
        await there.engine.submit(
            Change(edits=(Set(("balancers", "b", "members", "m1", "status"), "disabled"),), sentence="x")
        )
        listener = there.engine.snapshot().listeners[0].port
        for n in range(5):
            assert (await get(listener, f"/item/{n}"))[0] == 200
        assert await ctl(there, "tail --once path~[13]$ status=200") == 0
        assert [line.split()[-2] for line in capsys.readouterr().out.splitlines()] == ["/item/1", "/item/3"]
        assert await ctl(there, "tail --once -n 2 --json") == 0
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [line["target"] for line in lines] == ["/item/3", "/item/4"]
        assert await ctl(there, "tail path~[13]$ --har") == 0
        entries = json.loads(capsys.readouterr().out)["log"]["entries"]
        assert [each["request"]["url"] for each in entries] == ["http://localhost/item/1", "http://localhost/item/3"]
        assert await ctl(there, "tail --har -n 1") == 0
        assert len(json.loads(capsys.readouterr().out)["log"]["entries"]) == 1


async def test_entries_of_a_map_are_set_and_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = '\n[maps.m]\ntype = "txt"\nentries = { a = "1" }\n'
    async with open_door(tmp_path, SITE + more) as there:
        assert await ctl(there, "map set m -- -k --json") == 0
        assert await ctl(there, "map get m") == 0
        assert "-k --json" in capsys.readouterr().out
        assert await ctl(there, "map unset m -- -k") == 0
        assert await ctl(there, "map get m a") == 0
        assert await ctl(there, "map get m b") == 1


async def test_the_lines_of_an_evening_replayed_by_ctl_give_the_same_bytes(tmp_path: Path) -> None:
    words = ["weight b/m0 3", "drain b/m1", "set site.server_name 'a b' + remove balancers.b.members.m0.weight --say x"]
    words += ["add routes '{ path = \"/x\", except = true }' --before all", "undo", "redo", "revert 3"]
    texts = []
    for way in ("console", "ctl"):
        folder = tmp_path / way
        folder.mkdir()
        async with open_door(folder) as there:
            for said in words:
                command = ctl_words.parse(shlex.split(said))
                if way == "console":
                    assert isinstance(await there.engine.submit(command), Applied)
                else:
                    assert await ctl(there, shlex.join(ctl_words.words(command))) == 0
        texts.append((folder / "site.toml").read_bytes())
    assert texts[0] == texts[1] != SITE.encode()


async def test_who_watches_sees_an_edit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    over = asyncio.Event()
    loop = asyncio.get_running_loop()

    def say(text: str) -> None:
        seen.append(text)
        if "in force" in text:
            loop.call_soon_threadsafe(over.set)
            raise KeyboardInterrupt

    monkeypatch.setattr(ctl_answers, "say", say)
    async with open_door(tmp_path) as there:
        watching = asyncio.create_task(ctl(there, "watch --after 1"))
        await there.engine.submit(Change(edits=(Set(("site", "timeout"), 30),), sentence="quicker"), "ada")
        assert await watching == 0
        assert over.is_set()
    assert "quicker (ada)" in seen[-1]


def test_nobody_there_and_several_there_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("proxy_core.control.cli.ctl.sockets", list)
    assert cli.main(["ctl", "status"]) == 5
    assert cli.main(["ctl", "-s", str(tmp_path / "none.sock"), "status"]) == 5
    monkeypatch.setattr("proxy_core.control.cli.ctl.sockets", lambda: [tmp_path / "a.sock", tmp_path / "b.sock"])
    assert cli.main(["ctl", "status"]) == 2
    assert "a.sock" in capsys.readouterr().err
    assert cli.main(["ctl", "-s", "c", "status"]) == 5
    with listening(tmp_path / "a.sock"):
        assert cli.main(["ctl", "-s", "b", "status"]) == 5


def test_what_answers_but_is_no_service_is_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); print(flush=True)\n"
    code += "c, _ = s.accept(); c.sendall(b'nonsense' * 100); c.close()"
    place = str(tmp_path / "x.sock")
    with subprocess.Popen([sys.executable, "-c", code, place], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert cli.main(["ctl", "-s", place, "status"]) == 5
    assert "no service answers" in capsys.readouterr().err


@pytest.mark.parametrize("word", [word for word, verb in VERBS.items() if verb.arguments is None])
def test_every_word_that_is_a_command_is_one_and_has_help(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert word in {*ctl_words.EDITS, *ctl_words.BARE, *ctl_words.NUMBERED, *ctl_words.STATUSES} | {
        *ctl_words.ROLES_OF_WORDS, "weight", "map", "what-if",
    }  # fmt: skip
    with pytest.raises(SystemExit):
        cli.main(["ctl", word, "--help"])
    assert VERBS[word].about in capsys.readouterr().out
