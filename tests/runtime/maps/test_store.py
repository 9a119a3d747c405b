"""Maps answer as httpd's do, follow their files, and keep what they know while sites come and go."""

from __future__ import annotations

import os
from pathlib import Path
from time import time_ns
from typing import Any

import pytest

from proxy_core.config.model import RewriteMap, Site
from proxy_core.runtime.maps import tables
from proxy_core.runtime.maps.store import MapStore
from tests.runtime.maps.helpers import asked, maps_in_force, maps_of, python
from tests.runtime.maps.test_dbm import made
from tests.steps import steps


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "t.txt"
    path.write_text("a 1\nr x|y||z\none v\n")
    return path


def touched(path: Path, text: str, at: int) -> None:
    path.write_text(text)
    os.utime(path, ns=(at, at))


@pytest.mark.parametrize(
    ("settings", "key", "value"),
    [
        ({"type": "txt", "file": "t.txt"}, "a", "1"),
        ({"type": "txt", "file": "t.txt"}, "b", None),
        ({"type": "txt", "file": "t.txt"}, "r", "x|y||z"),
        ({"type": "rnd", "file": "t.txt"}, "one", "v"),
        ({"type": "txt", "entries": {"a b": "1 2", "é": "ü", "e": ""}}, "a b", "1 2"),
        ({"type": "txt", "entries": {"é": "ü"}}, "\xc3\xa9", "\xc3\xbc"),
        ({"type": "int", "function": "toupper"}, "a", "A"),
    ],
)
async def test_a_map_answers_at_once(table: Path, settings: dict[str, Any], key: str, value: str | None) -> None:
    async with maps_of(table.parent, **settings) as maps:
        assert maps.ask("m", key) == (True, value)


async def test_a_map_that_does_not_exist_misses() -> None:
    assert MapStore().ask("m", "a") == (True, None)
    assert await MapStore().answer("m", "a") is None


async def test_a_rnd_map_takes_each_part_alike_and_an_empty_part_is_a_miss(table: Path) -> None:
    turns = iter(range(4))
    named = {"m": RewriteMap(type="rnd", file="t.txt")}
    async with maps_in_force(table.parent, named, choose=lambda parts: parts[next(turns)]) as maps:
        assert [maps.ask("m", "r")[1] for _ in range(4)] == ["x", "y", None, "z"]


async def test_a_text_map_follows_its_file_also_backwards_in_time(table: Path) -> None:
    async with maps_of(table.parent, type="txt", file="t.txt") as maps:
        now = time_ns()
        for value, at in [("2", now + 10**9), ("3", now - 10**12), ("4", now - 10**12 + 1)]:
            touched(table, f"a {value}\n", at)
            assert maps.ask("m", "a") == (True, value)


async def test_a_file_that_is_gone_misses_and_says_so_until_it_is_back(table: Path) -> None:
    async with maps_of(table.parent, type="txt", file="t.txt") as maps:
        table.unlink()
        assert maps.ask("m", "a") == (True, None)
        (problem,) = maps.problems()
        assert "no such file" in problem.what
        assert problem.address == ("maps", "m", "file")
        table.write_text("a 5\n")
        assert maps.ask("m", "a") == (True, "5")
        assert maps.problems() == ()
        assert "no such file" in maps.states()[0].last_error


async def test_a_large_file_is_read_in_a_thread_once_for_all_who_wait(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with maps_of(table.parent, type="txt", file="t.txt") as maps:
        monkeypatch.setattr(tables, "READ_AT_ONCE", 3)
        touched(table, "a 6\n", 1)
        assert maps.ask("m", "a") == (False, None)
        assert await maps.answer("m", "a") == "6"
        assert maps.ask("m", "a") == (True, "6")
        table.unlink()
        assert maps.ask("m", "a") == (True, None)


async def test_something_that_is_no_file_is_refused_and_nothing_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    prepared = await MapStore().prepare(Site(maps={"m": RewriteMap(type="txt", file="pipe")}), tmp_path)
    assert "not a regular file" in prepared.problems[0].what


@pytest.mark.parametrize("form", ["SDBM", "GDBM", "DB"])
async def test_a_dbm_map_keeps_what_it_learnt_until_its_file_changes(tmp_path: Path, form: str) -> None:
    async def lookups(maps: MapStore) -> list[str | None]:
        return [await asked(maps, key) for key in ("a", "b")]

    made(tmp_path, form, {b"a": b"1"})
    async with maps_of(tmp_path, type="dbm", file="map") as maps:
        assert await lookups(maps) == ["1", None]
        assert await lookups(maps) == ["1", None]
        for path in tmp_path.glob("map*"):
            path.unlink()
        assert await lookups(maps) == [None, None]
        assert maps.problems()
        made(tmp_path, "GDBM", {b"b": b"2"})
        assert await lookups(maps) == [None, "2"]
        assert maps.problems() == ()


async def test_hits_misses_and_what_is_known_are_counted_and_looking_for_people_is_not(table: Path) -> None:
    async with maps_of(table.parent, type="txt", file="t.txt") as maps:
        for key in ("a", "a", "b"):
            maps.ask("m", key)
        assert await maps.look("m", "a") == "1"
        (state,) = maps.states()
    assert (state.name, state.type, state.reads) == ("m", "txt", "t.txt")
    assert (state.hits, state.misses, state.errors, state.entries) == (2, 1, 0, 3)
    assert state.changed_at == table.stat().st_mtime


async def test_the_entries_of_a_file_and_of_the_site_are_listed_in_their_order(table: Path) -> None:
    table.write_text("# c\nb 1\na 2\nb 3\n")
    named = {"f": RewriteMap(type="txt", file="t.txt"), "i": RewriteMap(type="rnd", entries={"z": "1", "y": "2"})}
    async with maps_in_force(table.parent, {**named, "n": RewriteMap(type="int", function="escape")}) as maps:
        assert await maps.rows("f") == (("b", "1", 2), ("a", "2", 3), ("b", "3", 4))
        assert await maps.rows("i") == (("z", "1", 0), ("y", "2", 0))
        assert await maps.rows("n") == ()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"type": "txt", "file": "none.txt"}, "no such file"),
        ({"type": "dbm", "file": "none"}, "no such file"),
        ({"type": "dbm", "file": "t.txt"}, "no DBM file"),
        ({"type": "prg", "command": ("no-such-program-anywhere",)}, "no such file"),
        ({"type": "prg", "command": ("./t.txt",)}, "permission denied"),
        ({"type": "prg"}, "needs command"),
        ({"type": "int"}, "needs function"),
        ({"type": "dbd", "dsn": "sqlite:none.db", "query": "SELECT %s"}, "no such file"),
        ({"type": "dbd", "dsn": "oracle:x", "query": "SELECT %s"}, "no database"),
        ({"type": "dbd", "dsn": "sqlite:x", "query": "SELECT %d"}, "%d means nothing"),
    ],
)
async def test_what_cannot_be_opened_is_a_problem_with_its_address(
    table: Path, settings: dict[str, Any], words: str
) -> None:
    site = Site(maps={"good": RewriteMap(type="txt", file="t.txt"), "bad": RewriteMap(**settings)})
    maps = MapStore()
    prepared = await maps.prepare(site, table.parent)
    (problem,) = prepared.problems
    assert words in problem.what
    assert problem.address[:2] == ("maps", "bad")
    assert problem.todo
    maps.commit(prepared)
    assert maps.ask("good", "a") == (True, "1")
    assert await asked(maps, "a", "bad") is None
    await maps.close()


async def test_a_map_that_serves_is_not_checked_again_when_something_else_is_edited(table: Path) -> None:
    async with maps_of(table.parent, type="txt", file="t.txt") as maps:
        table.unlink()
        site = Site(maps={"m": RewriteMap(type="txt", file="t.txt")})
        assert (await maps.prepare(site, table.parent)).problems == ()


async def test_renaming_a_map_starts_no_program_and_keeps_its_numbers(tmp_path: Path) -> None:
    settings = RewriteMap(type="prg", command=python("while True: ask(); say(str(os.getpid()))"))
    async with maps_in_force(tmp_path, {"old": settings}) as maps:
        pid = await maps.answer("old", "a")
        renamed = RewriteMap(type="prg", command=settings.command, timeout=5.0)
        maps.commit(await maps.prepare(Site(maps={"new": renamed}), tmp_path))
        assert await maps.answer("new", "a") == pid
        assert maps.states()[0].hits == 2


async def test_preparing_disturbs_nothing_and_discarding_closes_what_it_opened(tmp_path: Path) -> None:
    first = RewriteMap(type="prg", command=python("while True: ask(); say('first')"))
    other = RewriteMap(type="prg", command=python("open('pid', 'w').write(str(os.getpid()))\nwhile True: ask()"))
    async with maps_in_force(tmp_path, {"m": first}) as maps:
        prepared = await maps.prepare(Site(maps={"m": other}), tmp_path)
        assert await maps.answer("m", "a") == "first"
        maps.discard(prepared)
        assert await maps.answer("m", "a") == "first"


async def test_inline_entries_are_those_of_the_site_in_force(tmp_path: Path) -> None:
    async with maps_of(tmp_path, type="txt", entries={"a": "1"}) as maps:
        maps.ask("m", "a")
        prepared = await maps.prepare(Site(maps={"m": RewriteMap(type="txt", entries={"a": "2"})}), tmp_path)
        assert maps.ask("m", "a") == (True, "1")
        maps.commit(prepared)
        assert maps.ask("m", "a") == (True, "2")
        assert maps.states()[0].hits == 3


async def test_looking_up_in_files_takes_few_steps_and_no_more_of_them_in_a_large_one(tmp_path: Path) -> None:
    entries = {b"key%d" % n: b"value%d" % n for n in range(1000)}
    made(tmp_path, "SDBM", entries)
    named = {"txt": RewriteMap(type="txt", file="map.txt"), "dbm": RewriteMap(type="dbm", file="map")}
    async with maps_in_force(tmp_path, named) as maps:
        for name in named:
            for number in (0, 1, 999):
                assert maps.ask(name, f"key{number}") == (True, f"value{number}")
                assert steps(lambda name=name, number=number: maps.ask(name, f"key{number}")) < 100, name
