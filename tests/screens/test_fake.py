"""The made-up engine must behave as the real one where screens lean on it."""

from __future__ import annotations

import pytest

from proxy_core.control.editing.commands import Change, Delete, Insert, Move, Redo, Refused, Restore, Set, Undo
from tests.screens.fake import EMPTY, FakeEngine, Serialised


def test_time_stands_still_until_it_is_advanced() -> None:
    engine = FakeEngine()
    assert engine.snapshot() == engine.snapshot()
    engine.advance(70)
    snapshot = engine.snapshot()
    assert snapshot.newest_record == snapshot.requests == 70 * 40
    assert snapshot.rate == pytest.approx(40, abs=2)
    assert len(snapshot.members) == 7
    assert 0 < snapshot.latency.p50 < snapshot.latency.p99


def test_shares_follow_the_weights_and_leave_out_who_cannot_serve() -> None:
    engine = FakeEngine()
    engine.advance(60)
    members = {(m.balancer, m.member): m for m in engine.snapshot().members}
    assert members["backend", "c"].share == members["api", "canary"].share == 0
    assert members["api", "blue"].share == pytest.approx(members["api", "blue"].promised, abs=0.05)


def test_records_are_read_by_cursor_oldest_first() -> None:
    engine = FakeEngine()
    engine.advance(10)
    assert [record.number for record in engine.records(395)] == [396, 397, 398, 399, 400]
    assert [record.number for record in engine.records(0, limit=2)] == [1, 2]
    assert engine.records(400) == ()
    inspection = engine.inspect(400)
    assert inspection is not None
    assert inspection.record == engine.records(399)[0]
    assert engine.inspect(401) is None


async def test_commands_change_the_site_and_can_be_taken_back() -> None:
    engine = FakeEngine()
    weight = ("balancers", "backend", "members", "a", "weight")
    edits = (
        Set(weight, 5),
        Insert(("routes",), {"id": "x", "path": "/x", "except": True}, before="root"),
        Move(("routes", "old-api"), before="api"),
        Delete(("routes", "reports")),
    )
    await engine.submit(Change(edits=edits, sentence="many things"))
    site = engine.site().site
    assert site.balancers["backend"].members["a"].weight == 5
    assert [r.id for r in site.routes] == ["no-index", "service", "old-api", "api", "assets", "status", "x", "root"]
    assert engine.can_undo() == "many things"
    await engine.submit(Undo())
    assert engine.site().site.balancers["backend"].members["a"].weight == 1
    await engine.submit(Redo())
    assert engine.site().site.balancers["backend"].members["a"].weight == 5
    await engine.submit(Restore(1))
    assert len(engine.site().site.routes) == 8
    assert [g.number for g in engine.history()] == [1, 2, 3, 4, 5]
    refused = await engine.submit(Change(edits=(Set(weight, -1),), sentence="wrong"))
    assert isinstance(refused, Refused)
    assert engine.snapshot().generation == 5


async def test_everything_passes_through_a_wire() -> None:
    for engine in (FakeEngine(), FakeEngine(EMPTY, rate=0)):
        engine.advance(3)
        wired = Serialised(engine)
        assert wired.snapshot() == engine.snapshot()
        assert wired.records(0, limit=5) == engine.records(0, limit=5)
        assert wired.site() == engine.site()
        assert wired.problems() == engine.problems()
        assert wired.inspect(3) == engine.inspect(3)
        change = Change(edits=(Set(("site", "timeout"), 5),), sentence="t")
        assert "timeout" in (await wired.preview(change)).diff
        await wired.submit(change, author="console")
        assert wired.history() == engine.history()
        assert wired.can_undo() == "t"
