"""A view over the door shows what the engine has, is never waited for, and comes back after whatever happens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec import to_builtins
from msgspec.structs import replace

from proxy_core.control.door import answers, remote_view
from proxy_core.control.door import door as door_module
from proxy_core.control.door.async_client import DoorLine
from proxy_core.control.door.client import NobodyThere
from proxy_core.control.door.held_records import HeldRecords
from proxy_core.control.door.remote_view import OtherProtocol, RemoteView
from proxy_core.control.editing.commands import Applied, Refused, Undo
from proxy_core.control.editing.ctl_words import parse
from proxy_core.control.engine import Engine
from proxy_core.control.question import Question
from proxy_core.control.view import Second, Snapshot
from proxy_core.control.watching.log_records import Record
from proxy_core.control.watching.troubles import Subject
from tests.control.door.harness import SITE, OpenDoor, open_door
from tests.control.door.remote import Relay, attached, until
from tests.control.harness import get, member, site_with

SLOW = {"delay": 0.1, "rate": 8_000.0}
"""200 ms there and back, 64 kbit/s."""
WATCHED = 5.0
"""Seconds for which a loaded service is watched over a slow line."""


@asynccontextmanager
async def slow(folder: Path, text: str, **line: float) -> AsyncIterator[tuple[OpenDoor, Relay, RemoteView]]:
    async with open_door(folder, text) as there, Relay(folder / "relay.sock", there.path, **line) as relay:  # noqa: SIM117
        async with attached(relay.path) as view:
            yield there, relay, view


def port(there: OpenDoor) -> int:
    return there.engine.snapshot().listeners[0].port


async def test_it_shows_what_the_engine_shows(tmp_path: Path) -> None:
    async with member() as upstream, open_door(tmp_path, site_with(upstream)) as there, attached(there.path) as view:
        for n in range(5):
            await get(port(there), f"/{n}")
        view.records(0)
        await until(lambda: len(view.records(0)) == 5, "the requests are here")
        await until(lambda: view.snapshot().requests == 5, "and counted")
        assert view.records(0) == there.engine.records(0)
        assert view.records(2, 2) == there.engine.records(2, 2)
        assert view.site() == there.engine.site()
        assert view.history() == there.engine.history()
        assert view.problems() == there.engine.problems()
        assert await view.inspect(3) == await there.engine.inspect(3)
        assert await view.inspect(99) is None
        question = Question(url="/x?y")
        assert await view.explain(question) == await there.engine.explain(question)
        with pytest.raises(ValueError, match="Invalid IPv6"):
            await view.explain(Question(url="http://[/"))
        assert view.link().lost == ""
        assert 0 < view.link().delay < 5


async def test_what_was_changed_is_here_when_the_change_is_done(tmp_path: Path) -> None:
    async with open_door(tmp_path) as there, attached(there.path) as view:
        command = parse(["weight", "b/m0", "3"])
        assert await view.preview(command) == await there.engine.preview(command)
        done = await view.submit(command)
        assert isinstance(done, Applied)
        assert view.site().site.balancers["b"].members["m0"].weight == 3
        assert view.snapshot().generation == done.generation
        assert view.history()[-1].author == view.you
        assert view.can_undo() == view.history()[-1]
        assert isinstance(await view.submit(Undo()), Applied)
        assert view.can_redo() is not None
        refused = await view.submit(parse(["set", "routes.all.proxy", "balancer://nobody/"]))
        assert isinstance(refused, Refused)
        assert view.history() == there.engine.history()


async def test_what_one_changes_the_other_sees_within_a_second(tmp_path: Path) -> None:
    async with open_door(tmp_path) as there, attached(there.path) as one, attached(there.path) as other:
        await one.submit(parse(["drain", "b/m0"]))
        await until(lambda: other.history()[-1].sentence == one.history()[-1].sentence, "the other has it", 1.0)
        assert other.site().site.balancers["b"].members["m0"].status == "draining"
        assert other.history()[-1].author == one.you


async def test_it_says_that_nobody_answers_keeps_the_last_picture_and_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_view, "AGAIN", 0.05)
    async with AsyncExitStack() as stack:
        async with open_door(tmp_path) as there:
            view = await stack.enter_async_context(attached(there.path))
            await view.submit(parse(["set", "site.timeout", "33"]))
            seen = view.site()
        await until(lambda: view.link().lost, "it is noticed")
        assert view.site() == seen
        assert view.problems()[0].severity == "error"
        assert "what is shown is of" in view.problems()[0].todo
        assert (await view.preview(Undo())).problems[0].severity == "error"
        refused = await view.submit(Undo())
        assert isinstance(refused, Refused)
        assert refused.problems[0].todo == "nothing was changed"
        with pytest.raises(OSError, match="no service answers"):
            await view.inspect(1)
        with pytest.raises(OSError, match="no service answers"):
            await view.map_rows("m")
        (tmp_path / "site.toml").write_text(SITE.replace("weight = 1 ", "weight = 7 "))
        async with open_door(tmp_path):
            await until(lambda: not view.link().lost, "it answers again")
            await until(lambda: view.site().site.balancers["b"].members["m0"].weight == 7, "the new site is here")
            assert view.problems() == () or view.problems()[0].severity != "error"


async def test_of_a_service_that_counts_anew_nothing_old_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the new process has the number of the old one, as in a container."""
    monkeypatch.setattr(remote_view, "AGAIN", 0.05)
    async with AsyncExitStack() as stack:
        async with open_door(tmp_path) as there:
            view = await stack.enter_async_context(attached(there.path))
            for _ in range(3):
                await get(port(there))
            await until(lambda: len(view.records(0)) == 3, "three requests")
        await until(lambda: view.link().lost, "it is noticed")
        async with open_door(tmp_path) as there:
            await until(lambda: not view.link().lost and view.snapshot().requests == 0, "counted anew")
            await get(port(there))
            await until(lambda: len(view.records(0)) == 1, "only the new one")


async def test_a_service_in_the_place_of_another_is_known_though_number_and_revision_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found late, it may also have run for longer than the other had by then."""
    monkeypatch.setattr(remote_view, "AGAIN", 0.05)
    async with AsyncExitStack() as stack:
        async with open_door(tmp_path) as there:
            view = await stack.enter_async_context(attached(there.path))
        await until(lambda: view.link().lost, "it is noticed")
        (tmp_path / "site.toml").write_text(SITE.replace("weight = 1 ", "weight = 7 "))
        monkeypatch.setattr(answers, "STARTED", answers.STARTED + 60)
        monkeypatch.setattr(Engine, "snapshot", lambda self, found=Engine.snapshot: replace(found(self), uptime=1e6))
        async with open_door(tmp_path):
            await until(lambda: not view.link().lost, "it answers")
            assert view.site().site.balancers["b"].members["m0"].weight == 7


async def test_seconds_go_on_when_the_clock_is_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def put_back(engine: Engine, found: Callable[[Engine], Snapshot] = Engine.snapshot) -> Snapshot:
        seen = found(engine)
        back = tuple(Second(each.at - 3600, *to_builtins(each)[1:]) for each in seen.seconds)
        return replace(seen, at=seen.at - 3600, seconds=back)

    async with open_door(tmp_path) as there, attached(there.path) as view:
        await until(lambda: view.snapshot().seconds, "a second")
        monkeypatch.setattr(Engine, "snapshot", put_back)
        before = view.snapshot().at
        await until(lambda: view.snapshot().at < before, "the new time")
        await until(lambda: view.snapshot().seconds[-1].at < view.snapshot().at, "the seconds of the new time")
        assert all(second.at <= view.snapshot().at for second in view.snapshot().seconds)


async def test_who_may_only_read_sees_everything_and_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = door_module.peer
    monkeypatch.setattr(door_module, "peer", lambda connection: replace(known(connection), may_write=False))
    async with open_door(tmp_path) as there, attached(there.path) as view:
        assert not view.may_write
        assert view.site() == there.engine.site()
        refused = await view.submit(Undo())
        assert isinstance(refused, Refused)
        assert "may only read" in refused.problems[0].what
        assert "may only read" in await view.stop_service()
        assert not there.stopped.is_set()


async def test_a_service_of_another_protocol_is_told_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_view, "PROTOCOL", 7)
    async with open_door(tmp_path) as there:
        view = RemoteView(DoorLine(there.path))
        with pytest.raises(OtherProtocol, match=r"speaks protocol 1, this console speaks 7: the service is older"):
            await view.open()
        await view.close()


async def test_where_nobody_is_opening_says_so(tmp_path: Path) -> None:
    view = RemoteView(DoorLine(tmp_path / "none.sock"))
    with pytest.raises(NobodyThere, match=r"no service answers at .*none.sock: No such file"):
        await view.open()
    await view.close()


async def test_a_silent_service_is_told_of_before_it_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_view, "GIVEN_UP", 0.3)
    async with slow(tmp_path, SITE) as (there, relay, view):
        monkeypatch.setattr(relay, "_delay", 3.0)
        await until(lambda: "no answer for" in view.link().lost, "the silence is told")
        assert view.snapshot().generation == there.engine.snapshot().generation
        monkeypatch.setattr(relay, "_delay", 0.0)
        await until(lambda: not view.link().lost, "it answers")


async def test_a_line_that_is_cut_is_taken_up_again(tmp_path: Path) -> None:
    async with slow(tmp_path, SITE) as (there, relay, view):
        relay.cut()
        await there.engine.submit(parse(["set", "site.timeout", "44"]), "file")
        await until(lambda: view.site().site.site.timeout == 44, "it reads on")


async def test_a_slow_line_has_room_for_it_and_nothing_that_is_read_waits(tmp_path: Path) -> None:
    async with member() as upstream, slow(tmp_path, site_with(*[upstream] * 4), **SLOW) as (there, relay, view):
        enough = asyncio.Event()
        load = asyncio.create_task(loaded(port(there), enough))
        began, seen, worst, ages = time.monotonic(), 0, 0.0, list[float]()
        while time.monotonic() - began < WATCHED:
            asked = time.monotonic()
            seen = max([seen, *(each.number for each in view.records(seen))])
            view.earlier(seen), view.site(), view.problems(), view.history()
            worst = max(worst, time.monotonic() - asked)
            ages.append(time.time() - view.snapshot().at)
            await asyncio.sleep(0.05)
        late = sorted(ages[len(ages) // 3 :])
        median, behind = late[len(late) // 2], there.engine.snapshot().requests - seen
        asked = time.monotonic()
        assert isinstance(await view.submit(parse(["drain", "b/m0"])), Applied)
        took = time.monotonic() - asked
        enough.set()
        await load
        print(f"picture {median:.1f} s old, {late[-1]:.1f} at worst; log {behind} behind; a change took {took:.1f} s;")
        print(
            f"{relay.carried / WATCHED:.0f} bytes/s; delay {view.link().delay:.2f} s; a read took {worst * 1000:.1f} ms"
        )
        assert worst < 0.05
        assert 0.15 < view.link().delay < 3
        assert median < 3
        assert behind < there.engine.snapshot().requests / 3, "the log keeps up"
        assert took < 8


async def loaded(port: int, enough: asyncio.Event) -> None:
    """About 150 requests a second."""
    while not enough.is_set():
        await get(port, f"/item/{time.monotonic_ns()}", "User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n")
        await asyncio.sleep(0.006)


# ---- records that are held


def rows(first: int, last: int) -> list[Record]:
    made: Callable[..., Any] = Record
    row = made(
        number=0, at=0.0, client="", method="GET", target="/", host="", version="1.1", status=200, received=0, sent=0,
        route="", balancer="", member="", attempts=1, generation=1, waited=0.0, first=0.0, total=0.0, cause="",
        referer="", user_agent="",
    )  # fmt: skip
    return [replace(row, number=number) for number in range(first, last + 1)]


def numbers(found: tuple[Record, ...] | None) -> list[int] | None:
    return None if found is None else [each.number for each in found]


def test_records_are_read_on_and_back_and_what_is_not_here_is_told_from_what_is_not_there() -> None:
    held = HeldRecords(100)
    assert numbers(held.after(0, 10)) == []
    held.take_newer(rows(101, 110), 110)
    assert numbers(held.after(105, 3)) == [106, 107, 108]
    assert held.earlier(101, 10) is None
    held.take_older(rows(91, 100))
    assert numbers(held.earlier(101, 8)) == [93, 94, 95, 96, 97, 98, 99, 100]
    assert numbers(held.earlier(95, 10)) == [91, 92, 93, 94]
    assert held.earlier(91, 10) is None
    held.take_older([])
    assert numbers(held.earlier(91, 10)) == []
    assert [each.number for each in held.after(0, 99)] == [*range(91, 111)]


def test_records_are_held_up_to_a_number_of_them() -> None:
    held = HeldRecords()
    for first in range(1, 30_000, 500):
        held.take_newer(rows(first, first + 499), first + 499)
        assert len(held.after(0, 99_999)) <= 10_500
    assert held.after(0, 99_999)[-1].number == held.high == 30_000
    assert held.earlier(held.low + 1, 10) is None


async def test_a_moment_that_is_past_is_fetched_once_and_then_here(tmp_path: Path) -> None:
    async with open_door(tmp_path) as there, attached(there.path) as view:
        assert view.snapshot_at(1.0) is None
        for _ in range(10):
            await there.engine._numbers.second(0.0)
        await until(lambda: view.snapshot_at(1.0) is not None, "the moment is here")
        then = view.snapshot_at(1.0)
        assert then == there.engine.snapshot_at(1.0)
        assert then is not None
        assert then.past
        assert view.snapshot_at(1.0) is then
        site = Subject("site", "", "")
        assert await view.details(site) == await there.engine.details(site)
        assert await view.details(site, 1.0) == await there.engine.details(site, 1.0)


async def test_what_changed_a_row_last_is_here_when_the_change_is_done(tmp_path: Path) -> None:
    async with open_door(tmp_path) as there, attached(there.path) as view:
        assert view.last_changes() == ()
        await view.submit(parse(["weight", "b/m0", "3"]))
        (changed,) = view.last_changes()
        assert (changed.address, changed.generations) == (("balancers", "b", "members", "m0"), (2,))
        assert view.last_changes() == there.engine.last_changes()


async def test_tests_what_if_and_a_note_are_asked_of_the_service(tmp_path: Path) -> None:
    tested = f'{SITE}\n[[tests]]\nid = "all"\nrequest = "/x"\npool = "b"\n'
    async with open_door(tmp_path, tested) as there, attached(there.path) as view:
        assert [(each.id, each.otherwise) for each in await view.tests()] == [("all", ())]
        assert (await view.what_if(parse(("weight", "b/m0", "3")))).judged == 0
        with pytest.raises(ValueError, match="url is missing"):
            await view.what_if(parse(("weight", "b/none", "3")))
        note = await view.note(60.0)
        assert (Path(note.folder) / "README.md").read_text() == note.text
        done = await view.submit(parse(("weight", "--confirm", "60", "b/m0", "3")))
        assert isinstance(done, Applied)
        assert view.snapshot().pending == done.pending == there.engine.snapshot().pending
