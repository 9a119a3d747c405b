"""A moment of the last hour says what was counted and kept then, and makes nothing up."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from proxy_core.balance.latency_histogram import bucket_of
from proxy_core.balance.member_state import MemberKey
from proxy_core.control.view import Percentiles, Second, Snapshot
from proxy_core.control.watching.kept_snapshots import MOST_MEMBERS, KeptSnapshots
from proxy_core.control.watching.moment import nearest
from proxy_core.control.watching.troubles import AppliedAt
from proxy_core.runtime.last_hour import STEPS, CellCounts, CellKey, TenSeconds
from tests.screens.fake import FakeEngine

A, B = MemberKey("shop", "a"), MemberKey("shop", "b")
T = 1_000_000.0


def cell(member: MemberKey, route: str, requests: int, errors: int = 0, **more: str) -> tuple[CellKey, CellCounts]:
    rule = ("rewrites", more["rule"]) if "rule" in more else None
    took = {bucket_of(0.02): requests - errors} | ({bucket_of(0.2): errors} if errors else {})
    return CellKey(member, ("routes", route), rule, "GET /"), CellCounts(requests, errors, 0, 0, took)


def step(n: int, *cells: tuple[CellKey, CellCounts]) -> TenSeconds:
    """The step that ended n steps after T."""
    return TenSeconds(T + 10 * n, cells)


HOUR = [
    step(0, cell(A, "shop", 50), cell(B, "shop", 50), cell(A, "old", 10, rule="old-pages")),
    step(1, cell(A, "shop", 50), cell(B, "shop", 50, 25)),
    step(2, cell(A, "shop", 10)),
]


def seen(steps: list[TenSeconds], at: float, kept: KeptSnapshots | None = None) -> Snapshot:
    return (kept or KeptSnapshots()).moment(steps, at, [AppliedAt(1, T - 60), AppliedAt(2, T + 12)])


@pytest.mark.parametrize(
    ("at", "place"), [(T - 999, 0), (T, 0), (T + 4, 0), (T + 5.1, 1), (T + 10.02, 1), (T + 14, 1), (T + 999, 2)]
)
def test_a_moment_is_the_nearest_that_is_kept(at: float, place: int) -> None:
    assert nearest(HOUR, at) == place


def test_rates_are_of_its_step_and_latencies_of_the_minute_before() -> None:
    then = seen(HOUR, T + 10)
    assert (then.at, then.past, then.rate, then.rate_5xx) == (T + 10, True, 10.0, 2.5)
    assert then.latency.p50 == pytest.approx(0.02, rel=0.1)
    assert then.latency.p99 == pytest.approx(0.2, rel=0.1)
    assert seen(HOUR, T).rate_5xx == 0


def test_members_routes_and_rules_say_what_they_did() -> None:
    then = seen(HOUR, T + 10)
    a, b = then.members
    assert [(a.member, a.rate, a.part_5xx), (b.member, b.rate, b.part_5xx)] == [("a", 5.0, 0.0), ("b", 5.0, 0.25)]
    assert (a.share, b.share) == (110 / 210, 100 / 210)
    assert {each.id: (each.rate, each.part_5xx, each.last_hit_at) for each in then.routes} == {
        "shop": (10.0, 0.125, T + 10),
        "old": (0.0, 0.0, T),
    }
    assert [(each.id, each.last_hit_at) for each in then.rewrites] == [("old-pages", T)]


def test_what_was_not_kept_is_said_to_be_unknown() -> None:
    then = seen(HOUR, T + 20)
    assert (then.in_flight, then.connections, then.uptime, then.lateness, then.newest_record) == (-1, -1, -1, -1, -1)
    assert [(each.known, each.busy, each.elected, each.weight) for each in then.members] == [(False, -1, -1, -1)] * 2
    assert {each.hits for each in then.routes} == {-1}
    assert then.seconds == ()
    assert [seen(HOUR, T + 10 * n).generation for n in range(3)] == [1, 1, 2]


def bare(at: float) -> Snapshot:
    fake = FakeEngine()
    now = fake.snapshot()
    members = (replace(now.members[0], balancer="shop", member="a", health="error", busy=3, weight=2.0),)
    return replace(now, at=at, members=members, routes=(), seconds=(), generation=1, in_flight=7)


def second(at: float) -> Second:
    return Second(at, 5, 0, 0, 0.1, 0.1, 0.1, 0)


def test_what_was_kept_comes_back_as_it_was() -> None:
    kept = KeptSnapshots()
    for n in (0, 1):
        kept.keep(T + 10 * n, bare(T + 10 * n), [second(T + 10 * n - 10 + s) for s in range(10)])
    then = seen(HOUR, T + 10, kept)
    a, b = then.members
    assert (a.health, a.busy, a.weight, a.known, a.rate) == ("error", 3, 2.0, True, 5.0)
    assert (b.member, b.known) == ("b", False)
    assert then.in_flight == 7
    assert [each.at for each in then.seconds] == [T - 10 + s for s in range(20)]


def test_seconds_end_at_a_gap_so_that_a_chart_puts_none_in_a_wrong_place() -> None:
    kept = KeptSnapshots()
    for n in (0, 2):
        kept.keep(T + 10 * n, bare(T + 10 * n), [second(T + 10 * n - 1)])
    assert [each.at for each in seen(HOUR, T + 20, kept).seconds] == [T + 19]
    assert seen(HOUR, T + 10, kept).members[0].known is False


def test_no_more_is_kept_than_an_hour_and_so_many_members() -> None:
    kept, crowd = KeptSnapshots(), bare(T)
    crowd = replace(crowd, members=crowd.members * (MOST_MEMBERS + 10))
    kept.keep(T, crowd, ())
    assert len({MemberKey(each.balancer, each.member) for each in seen(HOUR, T, kept).members}) == 2
    for n in range(STEPS + 5):
        kept.keep(T + 10 * n, bare(T), ())
    assert len(kept._kept) == STEPS
    assert T not in kept._kept


def test_a_minute_in_which_nothing_came_has_no_percentiles() -> None:
    then = seen([step(0)], T)
    assert (then.rate, then.latency, then.members) == (0.0, Percentiles(), ())
