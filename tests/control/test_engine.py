"""The engine as a console sees it: numbers, records, problems and commands on a proxy that really serves."""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import msgspec
import pytest

from proxy_core.config.reading.document import parse
from proxy_core.control.editing.commands import (
    Applied,
    Change,
    Command,
    Delete,
    Insert,
    Move,
    Redo,
    Refused,
    Set,
    Undo,
)
from proxy_core.control.engine import BadSite, Engine
from proxy_core.control.view import Snapshot
from proxy_core.control.watching.events import events
from tests.control.harness import Reader, Writer, get, member, serving, site_with, submitted
from tests.ports import free_port
from tests.waiting import until


async def test_every_answer_of_the_view_is_plain_data_that_a_wire_can_carry(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    async with member() as port:
        file.write_text(site_with(port))
        async with serving(file) as (engine, own):
            await get(own, "/x")
            await until(lambda: bool(engine.snapshot().seconds))
            inspection = await engine.inspect(1)
            assert inspection is not None
            for answer in (engine.snapshot(), engine.records(0), inspection, engine.site(), engine.history()):
                packed = msgspec.msgpack.encode(answer)
                if isinstance(answer, Snapshot):
                    assert msgspec.msgpack.decode(packed, type=Snapshot) == answer


async def test_a_request_is_counted_recorded_and_explained_with_secrets_masked(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    async with member("blue") as port:
        file.write_text(site_with(port))
        async with serving(file) as (engine, own):
            fields = "Authorization: Basic c2VjcmV0\r\nCookie: id=secret\r\nUser-Agent: test/1\r\n"
            assert await get(own, "/a%62?q=1", fields) == (200, "blue /ab?q=1")
            (record,) = engine.records(0)
            assert (record.number, record.status, record.method, record.target) == (1, 200, "GET", "/a%62?q=1")
            assert (record.route, record.balancer, record.member, record.user_agent) == ("all", "b", "m0", "test/1")
            assert 0 <= record.waited <= record.first <= record.total
            seen = await engine.inspect(1)
            assert seen is not None
            assert "Basic" not in seen.request_head + seen.forwarded_head
            assert "secret" not in seen.request_head + seen.forwarded_head
            assert "200 OK" in seen.answer_head
            assert [(v.address, v.verdict) for v in seen.explanation.steps] == [(("routes", "all"), "match")]
            await until(lambda: engine.snapshot().members[0].latency.p50 > 0)
            snapshot = engine.snapshot()
            assert (snapshot.requests, snapshot.in_flight, snapshot.routes[0].hits) == (1, 0, 1)
            assert abs(snapshot.routes[0].last_hit_at - time.time()) < 10
            (load,) = snapshot.members
            assert (load.health, load.elected, load.busy, load.promised, load.share) == ("up", 1, 0, 1.0, 1.0)


async def test_a_weight_edit_is_in_force_from_the_next_request_and_keeps_every_counter(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    async with member("a") as one, member("b") as two:
        file.write_text(site_with(one, two))
        async with serving(file) as (engine, own):
            assert [(await get(own))[1][0] for _ in range(4)] == ["a", "b", "a", "b"]
            await submitted(engine, Set(("balancers", "b", "members", "m1", "weight"), 3))
            answers = [(await get(own))[1][0] for _ in range(8)]
            assert answers.count("b") == 6
            assert [load.elected for load in engine.snapshot().members] == [4, 8]


async def test_a_removed_member_keeps_its_numbers_for_undo(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    async with member("a") as one, member("b") as two:
        file.write_text(site_with(one, two))
        async with serving(file) as (engine, own):
            for _ in range(4):
                await get(own)
            await submitted(engine, Delete(("balancers", "b", "members", "m1")))
            assert [load.member for load in engine.snapshot().members] == ["m0"]
            await engine.submit(Undo())
            assert [load.elected for load in engine.snapshot().members] == [2, 2]


async def test_a_taken_port_is_a_problem_while_the_rest_serves_and_is_bound_once_it_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy_core.control.engine.BIND_AGAIN", 0.25)
    file = tmp_path / "site.toml"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        file.write_text(site_with(free_port(), more=f'\n[listeners.taken]\naddress = "127.0.0.1:{port}"\n'))
        engine = Engine(file)
        await engine.start()
        assert [state.name for state in engine.snapshot().listeners] == ["http"]
        (problem,) = [p for p in engine.problems() if p.severity == "error"]
        assert str(port) in problem.what
        assert problem.line
        assert isinstance(await submitted(engine, Set(("site", "timeout"), 9)), Applied)
        moved = await submitted(engine, Set(("listeners", "other"), {"address": f"127.0.0.1:{port}"}))
        assert isinstance(moved, Refused)
    try:
        await until(lambda: len(engine.snapshot().listeners) == 2)
        assert not [p for p in engine.problems() if p.severity == "error"]
    finally:
        await engine.stop(0)


async def test_a_listener_edit_binds_the_new_address_before_the_old_one_goes(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    async with member("a") as port:
        file.write_text(site_with(port))
        async with serving(file) as (engine, own):
            new = free_port()
            await submitted(engine, Set(("listeners", "http", "address"), f"127.0.0.1:{new}"))
            assert (await get(new))[0] == 200
            await until(lambda: [state.port for state in engine.snapshot().listeners] == [new])
            with pytest.raises(ConnectionError):
                await get(own)


async def test_a_file_that_is_emptied_for_a_moment_closes_no_listener(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    async with member("a") as port:
        file.write_text(site_with(port))
        async with serving(file) as (engine, own):
            text = file.read_text()
            file.write_text("")
            await until(lambda: engine.snapshot().saved == "drift")
            assert any("no listener" in p.what and p.severity == "error" for p in engine.problems())
            assert (await get(own))[0] == 200
            file.write_text(text)
            await until(lambda: engine.snapshot().saved == "saved")
            assert (engine.snapshot().generation, (await get(own))[0]) == (1, 200)


async def test_an_empty_site_starts_when_that_is_allowed(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text("version = 1\n")
    with pytest.raises(BadSite, match="no listener"):
        Engine(file)
    engine = Engine(file, allow_empty=True)
    await engine.start()
    assert await engine.stop(0) == 0


async def test_a_file_with_errors_does_not_start_and_says_every_one(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text('version = 1\n[[routes]]\npath = "x"\nproxi = "http://a"\n')
    with pytest.raises(BadSite) as bad:
        Engine(file)
    assert len(bad.value.problems) >= 2
    assert all(problem.line for problem in bad.value.problems)
    with pytest.raises(BadSite):
        Engine(tmp_path / "absent.toml")


async def test_a_member_that_refuses_is_a_warning_and_the_other_serves(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    async with member("a") as port:
        file.write_text(site_with(free_port(), port))
        async with serving(file) as (engine, own):
            assert {await get(own) for _ in range(6)} == {(200, "a /")}
            away, here = engine.snapshot().members
            assert (away.health, here.health, away.errors, away.busy) == ("error", "up", 1, 0)
            assert 0 < away.retry_in <= 60
            assert any("b/m0" in problem.what for problem in engine.problems())


async def test_a_file_edited_from_outside_is_noticed_and_served(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    async with member("a") as port:
        file.write_text(site_with(port))
        async with serving(file) as (engine, own):
            file.write_text(site_with(port).replace('path = "/"', 'path = "/only"'))
            await until(lambda: engine.site().generation == 2)
            assert (await get(own, "/x"))[0] == 404
            assert (await get(own, "/only"))[0] == 200
            assert engine.history()[-1].author == "file"


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (Insert(("errors",), {"status": ["404"], "file": "gone.html"}), "gone.html cannot be read"),
        (Set(("access_log",), {"file": "no/folder/access.log"}), "No such file or directory"),
    ],
)
async def test_an_edit_that_names_a_file_which_cannot_be_opened_says_so_at_once(
    tmp_path: Path, edit: Set | Insert, words: str
) -> None:
    file = tmp_path / "site.toml"
    file.write_text(site_with(free_port()))
    async with serving(file) as (engine, _):
        result = await submitted(engine, edit)
        assert isinstance(result, Applied)
        assert any(words in problem.what for problem in result.warnings)
        assert any(words in problem.what for problem in engine.problems())


async def test_a_swap_under_load_fails_no_request_and_keeps_every_counter(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    async with member("a") as one, member("b") as two:
        file.write_text(site_with(one, two))
        async with serving(file) as (engine, own):
            statuses: list[int] = []
            swapping = True

            async def client() -> None:
                reader, writer = await asyncio.open_connection("127.0.0.1", own)
                while swapping:
                    writer.write(b"GET /x HTTP/1.1\r\nHost: t\r\n\r\n")
                    head = await reader.readuntil(b"\r\n\r\n")
                    await reader.readexactly(int(head.lower().split(b"content-length:")[1].split()[0]))
                    statuses.append(int(head.split()[1]))
                writer.close()

            clients = [asyncio.create_task(client()) for _ in range(8)]
            for n in range(200):
                weight = Set(("balancers", "b", "members", f"m{n % 2}", "weight"), 1 + n % 7)
                route = Set(("routes", "all", "timeout"), 10 + n)
                assert isinstance(await submitted(engine, weight, route), Applied)
                await asyncio.sleep(0)
            swapping = False
            async with asyncio.timeout(10):
                await asyncio.gather(*clients)
            assert set(statuses) == {200}
            assert sum(load.elected for load in engine.snapshot().members) == len(statuses)
            assert engine.snapshot().routes[0].hits == len(statuses)


COMMANDS: list[Callable[[random.Random], Command]] = [
    lambda r: Change(edits=(Set(("balancers", "b", "members", "m0", "weight"), r.randint(0, 9)),), sentence="weight"),
    lambda r: Change(
        edits=(Set(("balancers", "b", "members", "m1", "status"), r.choice(["enabled", "draining", "disabled"])),),
        sentence="status",
    ),
    lambda r: Change(
        edits=(Insert(("routes",), {"path": f"/{r.randint(0, 5)}", "except": True}, "all"),), sentence="except"
    ),
    lambda r: Change(edits=(Move(("routes", "all"), r.choice(["", "0", "1"])),), sentence="move"),
    lambda r: Change(edits=(Delete(("routes", str(r.randint(0, 5)))),), sentence="delete"),
    lambda r: Undo(),
    lambda r: Redo(),
]


@pytest.mark.parametrize("seed", range(6))
async def test_in_any_mix_of_commands_requests_and_failing_members_the_numbers_hold(tmp_path: Path, seed: int) -> None:
    """Simulation: members come and go, commands and requests in any order. In flight is 0 at rest, each attempt was an
    election, every request has one record, the text in force parses to the site in force and is what gets saved."""
    chance = random.Random(seed)
    file = tmp_path / "site.toml"
    ports = [free_port(), free_port()]
    file.write_text(site_with(*ports).replace("[balancers.b]", "# shared\n[balancers.b]"))
    async with serving(file) as (engine, own):
        up: dict[int, asyncio.Server] = {}
        asked = 0

        async def answer(reader: Reader, writer: Writer) -> None:
            with closing(writer), suppress(asyncio.IncompleteReadError):
                await reader.readuntil(b"\r\n\r\n")
                if chance.random() < 0.8:
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        for _ in range(60):
            match chance.randrange(4):
                case 0:
                    await engine.submit(chance.choice(COMMANDS)(chance))
                case 1:
                    port = chance.choice(ports)
                    if port in up:
                        up.pop(port).close()
                    else:
                        up[port] = await asyncio.start_server(answer, "127.0.0.1", port)
                case _:
                    burst = chance.randint(1, 5)
                    asked += burst
                    paths = [f"/{chance.randint(0, 6)}" for _ in range(burst)]
                    statuses = {status for status, _ in await asyncio.gather(*(get(own, path) for path in paths))}
                    assert statuses <= {200, 404, 502, 503}
            await until(lambda: engine.snapshot().in_flight == 0)
            assert all(load.busy == 0 for load in engine.snapshot().members)
        records = engine.records(0, 10_000)
        assert len(records) == asked
        assert [record.number for record in records] == list(range(1, asked + 1))
        elected = sum(state.elected for state in engine._registry.members.values())
        assert elected == sum(record.attempts for record in records)
        state = engine.site()
        assert parse(state.text, str(file)).site == state.site
        for server in up.values():
            server.close()
    assert file.read_text() == state.text


async def test_who_reads_records_on_from_the_last_one_misses_none(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    async with member() as port:
        file.write_text(site_with(port))
        async with serving(file) as (engine, own):
            for n in range(5):
                await get(own, f"/{n}")
            assert [record.number for record in engine.records(0, 2)] == [1, 2]
            assert [record.number for record in engine.records(2, 2)] == [3, 4]
            assert [record.number for record in engine.records(4, 2)] == [5]


async def test_a_mistake_in_a_tick_is_shown_and_the_clock_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "site.toml"
    async with member() as port:
        file.write_text(site_with(port))
        async with serving(file) as (engine, _):
            calls = 0

            def changed() -> bool:
                nonlocal calls
                calls += 1
                raise RuntimeError("a mistake")

            monkeypatch.setattr(engine._editor.saver, "changed", changed)
            await until(lambda: calls > 1)
            assert sum("RuntimeError: a mistake" in problem.what for problem in engine.problems()) == 1


async def test_a_new_try_to_bind_does_not_undo_an_edit_that_overtakes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "site.toml"
    async with member() as port:
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            taken = other.getsockname()[1]
            file.write_text(site_with(port) + f'[listeners.taken]\naddress = "127.0.0.1:{taken}"\n')
            async with serving(file) as (engine, _):
                prepare, begun, slow = engine._server.prepare, asyncio.Event(), asyncio.Event()

                async def held(wanted: object) -> object:
                    prepared = await prepare(wanted)  # type: ignore[arg-type]
                    begun.set()
                    await slow.wait()
                    return prepared

                monkeypatch.setattr(engine._server, "prepare", held)
                trying = asyncio.create_task(engine._swap.bind_what_can(engine._editor.document))
                await begun.wait()
                monkeypatch.setattr(engine._server, "prepare", prepare)
                edit = Change(edits=(Set(("listeners", "more"), {"address": "127.0.0.1:0"}),), sentence="listen")
                submitted = asyncio.create_task(engine.submit(edit))
                await until(lambda: engine._swap._turn._waiters)  # type: ignore[attr-defined]
                slow.set()
                await trying
                assert isinstance(await submitted, Applied)
                names = {state.name for state in engine.snapshot().listeners if not state.draining}
                assert "more" in names


async def test_local_members_that_are_away_are_named_before_any_request_and_are_still_tried_by_the_first(
    tmp_path: Path,
) -> None:
    file = tmp_path / "site.toml"
    port = free_port()
    file.write_text(site_with(port))
    async with serving(file) as (engine, own):
        await until(lambda: any("refused" in problem.what for problem in engine.problems()))
        assert engine.snapshot().members[0].health == "error"
        async with member("back", port):
            assert await get(own, "/x") == (200, "back /x")
            assert engine.snapshot().members[0].health == "up"


async def test_a_proxy_that_names_clients_by_no_address_is_told_of_once(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    trust = '[site]\ntrusted_proxies = ["127.0.0.1"]\nclient_header = "X-Forwarded-For"\nrequire = ["ip 127.0.0.0/8"]\n'
    async with member() as there:
        file.write_text(site_with(there, more=trust))
        async with serving(file) as (engine, port):
            assert (await get(port))[0] == 200
            before, told = engine.sight(), list[str]()
            for name in ("unknown", "unknown", "bad", "10.0.0.1:port"):
                assert (await get(port, fields=f"X-Forwarded-For: {name}\r\n"))[0] == 403
                now = engine.sight()
                told += [event.text for event in events(before, now) if "no address" in event.text]
                before = now
            (text,) = told
            assert text.startswith("X-Forwarded-For of a proxy in front names clients by what is no address")
