"""A moment of the last hour, as a Snapshot: what a console shows of the past.

What members, routes and rules did then is counted in the steps of the last hour (``last_hour``). How things stood (who
was up, what was in flight, what was wrong) is in the bare snapshot that is kept with each step.
Pure: steps and what was kept in, a Snapshot out. Nothing is made up: a number that nobody kept is -1, a member of which
only its requests are known is not ``known``, and a moment between two steps is the nearer of them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple, TypeVar

from msgspec.structs import replace

from proxy_core.balance.latency_histogram import percentiles
from proxy_core.balance.member_state import MemberKey
from proxy_core.control.view import MemberLoad, Percentiles, RouteLoad, Second, Snapshot
from proxy_core.control.watching.troubles import AppliedAt
from proxy_core.rules.rule_state import RuleKey
from proxy_core.runtime.last_hour import STEP, CellCounts, CellKey, TenSeconds, merged

WINDOW = 6
"""Steps of a moment: the minute before it."""
SHOWN_STEPS = 12
"""Steps whose seconds a moment has: what a chart shows."""
_at = attrgetter("at")
K = TypeVar("K")


class WhoDid(NamedTuple):
    """What some steps count: of all, and of each member, route and rule that did something."""

    whole: CellCounts
    members: Mapping[MemberKey, CellCounts]
    routes: Mapping[RuleKey, CellCounts]
    rules: Mapping[RuleKey, CellCounts]


def who_did(steps: Iterable[TenSeconds]) -> WhoDid:
    """The sums of the steps' cells."""
    cells = [(key, replace(cell, histogram=cell.durations())) for step in steps for key, cell in step.cells]
    return WhoDid(
        merged(cell for _, cell in cells),
        _grouped(cells, lambda key: key.member),
        _grouped(cells, lambda key: key.route),
        _grouped(cells, lambda key: key.rule),
    )


def _grouped(cells: Iterable[tuple[CellKey, CellCounts]], of: Callable[[CellKey], K | None]) -> dict[K, CellCounts]:
    groups: dict[K, list[CellCounts]] = {}
    for key, cell in cells:
        if (name := of(key)) is not None:
            groups.setdefault(name, []).append(cell)
    return {name: merged(each) for name, each in groups.items()}


def nearest(steps: Sequence[TenSeconds], at: float) -> int:
    """The place of the step that ended nearest to ``at``; there must be one."""
    after = bisect_left(steps, at, key=_at)
    if after == len(steps) or (after and at - steps[after - 1].at <= steps[after].at - at):
        return after - 1
    return after


def moment(
    steps: Sequence[TenSeconds],
    place: int,
    bare: Snapshot | None,
    seconds: Sequence[Second],
    generations: Sequence[AppliedAt],
) -> Snapshot:
    """The moment at which ``steps[place]`` ended. ``bare`` is how things stood then, without rates, routes and rules,
    where that was kept; ``seconds`` are those before it, without a gap."""
    minute, now = who_did(steps[max(0, place + 1 - WINDOW) : place + 1]), who_did(steps[place : place + 1])
    at = steps[place].at
    bare = bare or _unknown(at, generations)
    last = _last_hits(steps[: place + 1])
    return replace(
        bare,
        at=at,
        past=True,
        rate=now.whole.requests / STEP,
        rate_4xx=now.whole.status_4xx / STEP,
        rate_5xx=now.whole.errors / STEP,
        latency=_latency(minute.whole),
        members=tuple(_members(bare.members, minute, now)),
        routes=_rows(minute.routes, now.routes, last["routes"]),
        rewrites=_rows(minute.rules, now.rules, last["rewrites"]),
        seconds=tuple(seconds),
    )


def _unknown(at: float, generations: Sequence[AppliedAt]) -> Snapshot:
    """A moment of which nothing was kept but its steps."""
    before = [each.number for each in generations if each.at <= at]
    return Snapshot(
        at=at, uptime=-1.0, generation=before[-1] if before else 0, saved="saved", requests=-1, in_flight=-1,
        connections=-1, rate=0.0, rate_4xx=0.0, rate_5xx=0.0, latency=Percentiles(), lateness=-1.0, newest_record=-1,
        members=(), routes=(), listeners=(), seconds=(), demo=False,
    )  # fmt: skip


def _members(bare: Iterable[MemberLoad], minute: WhoDid, now: WhoDid) -> Iterable[MemberLoad]:
    """Those whose state was kept, then those of which only their requests are known."""
    loads = {MemberKey(load.balancer, load.member): load for load in bare}
    totals: dict[str, float] = {}
    for key, cell in minute.members.items():
        totals[key.balancer] = totals.get(key.balancer, 0.0) + cell.requests
    for key in [*loads, *sorted(minute.members.keys() - loads.keys())]:
        mine, latest = minute.members.get(key), now.members.get(key)
        load = loads.get(key) or _stranger(key)
        if mine is not None:
            load = replace(
                load,
                share=mine.requests / totals[key.balancer] if key.balancer else 1.0,
                latency=_latency(mine),
                part_4xx=mine.status_4xx / mine.requests,
                part_5xx=mine.errors / mine.requests,
            )
        yield replace(load, rate=latest.requests / STEP if latest is not None else 0.0)


def _stranger(key: MemberKey) -> MemberLoad:
    """A member of which nothing is known but that it had requests."""
    return MemberLoad(
        balancer=key.balancer, member=key.member, url="-", weight=-1.0, status="enabled", health="unknown",
        retry_in=0.0, last_error="", retired=False, busy=-1, oldest=0.0, elected=-1, rate=0.0, promised=-1.0,
        share=0.0, sent=-1, received=-1, errors=-1, latency=Percentiles(), per_second=(), retries=-1, ejections=-1,
        known=False,
    )  # fmt: skip


def _rows(
    minute: Mapping[RuleKey, CellCounts], now: Mapping[RuleKey, CellCounts], last: Mapping[RuleKey, float]
) -> tuple[RouteLoad, ...]:
    """What each row did that did anything in the hour before."""
    none = CellCounts()
    rows = []
    for key, at in last.items():
        rate = now.get(key, none).requests / STEP
        load = RouteLoad(id=key[1], hits=-1, last_hit_at=at, requests=-1, in_flight=-1, sent=-1, received=-1, rate=rate)
        rows.append(lately(load, minute.get(key, none)))
    return tuple(rows)


NOBODY = WhoDid(CellCounts(), {}, {}, {})


def lately(load: RouteLoad, cell: CellCounts) -> RouteLoad:
    """The row, with how the requests of the last minute ended that ``cell`` counts."""
    if not cell.requests:
        return load
    return replace(
        load,
        part_4xx=cell.status_4xx / cell.requests,
        part_5xx=cell.errors / cell.requests,
        latency=load.latency if load.latency.p50 >= 0 else _latency(cell),
    )


def _last_hits(steps: Sequence[TenSeconds]) -> dict[str, dict[RuleKey, float]]:
    """When each row was hit last, to a step, by its list. A cell that a later step has too tells nothing new."""
    found: dict[str, dict[RuleKey, float]] = {"routes": {}, "rewrites": {}}
    seen = set[CellKey]()
    for step in reversed(steps):
        new = [key for key, _ in step.cells if key not in seen]
        seen.update(new)
        for key in new:
            for row in (key.route, key.rule):
                if row is not None and row[0] in found:
                    found[row[0]].setdefault(row, step.at)
    return found


def _latency(cell: CellCounts) -> Percentiles:
    return Percentiles(*percentiles([cell.durations()]))
