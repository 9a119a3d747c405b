"""Maps in a proxy that really serves: opened before a site is in force, shown, edited, and closed with the engine."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path

import msgspec
import pytest

from proxy_core.control.editing.commands import Applied, Insert, Refused, Set, SetEntry, Undo
from proxy_core.control.engine import Engine
from proxy_core.control.question import Question
from proxy_core.runtime.maps.source import MapState
from tests.control.harness import get, member, serving, site_with, submitted
from tests.runtime.maps.helpers import python
from tests.waiting import until

MAPS = '[maps.hosts]\ntype = "txt"\nfile = "hosts.txt"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "hosts.txt").write_text("a 1\nb 2\na 3\n")
    path = tmp_path / "site.toml"
    path.write_text(site_with(9, more=MAPS))
    return path


def state(engine: Engine) -> MapState:
    return engine.maps()[0]


async def test_maps_are_seen_looked_up_and_edited_through_the_view(file: Path) -> None:
    async with serving(file) as (engine, _):
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(engine.maps()), type=tuple[MapState, ...])[0].entries == 2
        assert [row.value for row in await engine.map_rows("hosts")] == ["1", "2", "3"]
        assert await engine.look_up("hosts", "a") == "1"
        assert isinstance(await engine.submit(SetEntry(map="hosts", key="a", value="é")), Applied)
        assert await engine.look_up("hosts", "a") == "é"
        assert isinstance(await engine.submit(Undo()), Applied)
        assert await engine.look_up("hosts", "a") == "1"
        assert engine.snapshot().generation == 3


async def test_a_site_whose_map_cannot_be_read_is_refused_and_the_running_one_stays(file: Path) -> None:
    async with serving(file) as (engine, _):
        result = await submitted(engine, Set(("maps", "hosts", "file"), "none.txt"))
        assert isinstance(result, Refused)
        assert "no such file" in result.problems[0].what
        assert result.problems[0].line > 1
        assert await engine.look_up("hosts", "a") == "1"


async def test_a_map_that_cannot_be_read_at_the_start_is_a_problem_and_the_rest_serves(file: Path) -> None:
    (file.parent / "hosts.txt").unlink()
    async with serving(file) as (engine, port):
        assert port
        assert any("map hosts:" in problem.what for problem in engine.problems())
        row = {"id": "new", "path": "/new", "proxy": "http://127.0.0.1:9/"}
        assert isinstance(await submitted(engine, Insert(("routes",), row)), Applied)
        (file.parent / "hosts.txt").write_text("a 1\n")
        assert await engine.look_up("hosts", "a") == "1"
        assert not any("map hosts:" in problem.what for problem in engine.problems())


async def test_what_is_opened_for_a_site_that_is_refused_for_its_listener_is_closed_again(file: Path) -> None:
    command = list(python("open('pid', 'w').write(str(os.getpid()))\nwhile True: say(ask())"))
    async with serving(file) as (engine, _port):
        result = await submitted(
            engine,
            Set(("maps", "program"), {"type": "prg", "command": command}),
            Set(("listeners", "other"), {"address": "192.0.2.1:0"}),
        )
        assert isinstance(result, Refused)
        assert [state.name for state in engine.maps()] == ["hosts"]
    assert gone(file.parent / "pid")


async def test_a_map_program_ends_with_the_engine(file: Path) -> None:
    command = list(python("open('pid', 'w').write(str(os.getpid()))\nwhile True: say(ask())"))
    async with serving(file) as (engine, _):
        result = await submitted(engine, Set(("maps", "program"), {"type": "prg", "command": command}))
        assert isinstance(result, Applied), result
        assert await engine.look_up("program", "x") == "x"
        pid = int((file.parent / "pid").read_text())
        await until(lambda: os.getpgid(pid) == pid)
    assert gone(file.parent / "pid")


def gone(pid: Path) -> bool:
    """Whether the process that wrote its id is no more; one that was ended before it could write is none either."""
    if not pid.exists() or not pid.read_text():
        return True
    try:
        os.kill(int(pid.read_text()), 0)
    except ProcessLookupError:
        return True
    return False


RULES = """\
[maps.hosts]
type = "txt"
file = "hosts.txt"

[maps.program]
type = "prg"
command = {command}
timeout = 0.5

[maps.database]
type = "fastdbd"
dsn = "sqlite:m.db"
query = "SELECT 'of ' || %s"

[[rewrites]]
pattern = '^/hosts/(.*)$'
substitution = 'http://127.0.0.1:{port}/${{hosts:$1|none}}'
flags = ["P"]

[[rewrites]]
pattern = '^/program/(.*)$'
substitution = 'http://127.0.0.1:{port}/${{program:$1|none}}'
flags = ["P"]

[[rewrites]]
pattern = '^/database/(.*)$'
substitution = 'http://127.0.0.1:{port}/${{database:$1|none}}'
flags = ["P"]
"""


async def test_requests_go_where_maps_of_every_kind_say_and_a_hung_program_costs_one_its_default(file: Path) -> None:
    sqlite3.connect(file.parent / "m.db").execute("VACUUM").connection.close()
    code = "while True:\n    key = ask()\n    if key == 'hang': time.sleep(60)\n    say('of-' + key)"
    async with member("m") as port:
        more = RULES.format(port=port, command=json.dumps(python(code)))
        file.write_text(site_with(port, more=more))
        async with serving(file) as (engine, own):
            assert await get(own, "/hosts/a") == (200, "m /1")
            assert await get(own, "/hosts/z") == (200, "m /none")
            assert await get(own, "/program/a") == (200, "m /of-a")
            assert await get(own, "/database/a") == (200, "m /of%20a")
            assert await get(own, "/program/hang") == (200, "m /none")
            assert await get(own, "/hosts/a") == (200, "m /1")
            (file.parent / "hosts.txt").write_text("a new\n")
            assert await get(own, "/hosts/a") == (200, "m /new")
            assert [(m.name, m.hits, m.misses) for m in engine.maps()] == [
                ("hosts", 3, 1),
                ("program", 1, 1),
                ("database", 1, 0),
            ]


async def test_explaining_a_request_asks_maps_and_counts_no_lookup(tmp_path: Path) -> None:
    (tmp_path / "hosts.txt").write_text("a 127.0.0.1:1\n")
    file = tmp_path / "site.toml"
    file.write_text(
        'version = 1\n[listeners.http]\naddress = "127.0.0.1:0"\n[maps.hosts]\ntype = "txt"\nfile = "hosts.txt"\n'
        "[[rewrites]]\npattern = '^/(.)$'\nsubstitution = 'http://${hosts:$1|localhost:2}/'\nflags = [\"P\"]\n"
    )
    engine = Engine(file)
    await engine.start()
    try:
        assert (await engine.explain(Question(url="/a"))).pool == "http://127.0.0.1:1"
        assert (await engine.explain(Question(url="/b"))).pool == "http://localhost:2"
        assert [(state.hits, state.misses) for state in engine.maps()] == [(0, 0)]
    finally:
        await engine.stop(0)


async def test_a_question_that_is_still_typed_asks_no_program(tmp_path: Path) -> None:
    file, asked = tmp_path / "site.toml", tmp_path / "asked"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\nwhile read -r key; do echo $key >> {asked}; echo http://localhost:1; done\n")
    program.chmod(0o755)
    file.write_text(
        'version = 1\n[listeners.http]\naddress = "127.0.0.1:0"\n[maps.where]\ntype = "prg"\ncommand = ["./program"]\n'
        "[[rewrites]]\npattern = '^/a'\nsubstitution = '-'\nflags = [\"T=x\"]\n"
        "[[rewrites]]\npattern = '^/(.*)$'\nsubstitution = '${where:$1}/'\nflags = [\"P\"]\n"
    )
    engine = Engine(file)
    await engine.start()
    try:
        told = await engine.explain(Question(url="/ab", unfinished=True))
        assert told.sentence == "it goes on when map where is asked, which is a program or a database: press enter"
        assert "T=x has no effect: it is about files of httpd" in told.steps[0].details
        assert not asked.exists()
        assert (await engine.explain(Question(url="/ab"))).pool == "http://localhost:1"
        assert asked.read_text() == "ab\n"
    finally:
        await engine.stop(0)
