"""Numbers for people: a Snapshot worked out from what the data path counted.

Everything is read, nothing is written. What moves once a second (rates, shares, percentiles, hits) is worked out once
a second, however often somebody looks; what moves with every request (in flight, totals) is read each time. Rates are
means over the last five closed seconds, shares and percentiles are over the last minute.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import islice
from math import inf

from msgspec import Struct
from msgspec.structs import replace

from proxy_core.balance.latency_histogram import Histogram, percentiles
from proxy_core.balance.member_health import cut_at, cut_off, health, ramp, retry_in
from proxy_core.balance.member_state import Checked, MemberKey, MemberState
from proxy_core.balance.pool import BoundMember
from proxy_core.balance.shares import shares
from proxy_core.config.model import Balancer, Member
from proxy_core.control.view import Check, MemberLoad, Name, Percentiles, RouteLoad, Second
from proxy_core.control.watching.moment import NOBODY, WhoDid, lately
from proxy_core.control.watching.troubles import Trouble
from proxy_core.rules.decision import BoundRoute
from proxy_core.rules.rewriting.rewrite import BoundRewrite
from proxy_core.rules.rule_state import RuleKey
from proxy_core.runtime.last_hour import CellCounts
from proxy_core.runtime.recent_requests import ClosedSecond, MemberSecond, Recorder
from proxy_core.runtime.registry import Registry
from proxy_core.runtime.route_tally import Tally
from proxy_core.runtime.rule_set import RuleSet
from proxy_core.runtime.upstreams.resolver import Resolver

RATE = 5
"""Seconds that a rate is the mean of."""
MINUTE = 60
IDLE = MemberSecond(0, 0, {})


class MemberMinute(Struct, frozen=True):
    """What the last minute says of one member."""

    rate: float
    share: float
    latency: Percentiles
    per_second: tuple[int, ...]


class Minute(Struct, frozen=True):
    """What the last minute says: made anew when a second closes or a rule set comes into force."""

    rules: RuleSet
    """The rule set that it was made for."""
    closed: ClosedSecond | None
    """The newest second in it; None before the first has closed."""
    rate: float
    """Finished requests a second, over the last five."""
    rate_4xx: float
    """Those of them with a status of 4xx."""
    rate_5xx: float
    """Those of them with a status of 5xx."""
    latency: Percentiles
    """Of all requests of the minute."""
    members: Mapping[MemberKey, MemberMinute]
    """Of each member that did something in it."""
    promised: Mapping[MemberKey, float]
    """The part of its balancer's requests that the weights promise each member, 0 to 1."""
    routes: tuple[RouteLoad, ...]
    """Each route of the site, in its order."""
    rewrites: tuple[RouteLoad, ...]
    """Each rewrite rule of the site, in its order."""
    seconds: tuple[Second, ...]
    """All seconds that are kept, oldest first."""
    did: WhoDid
    """What the steps of the minute count."""


def nothing(rules: RuleSet) -> Minute:
    """A minute of which nothing is known: for who asks only for what holds now."""
    return Minute(rules, None, 0.0, 0.0, 0.0, Percentiles(), {}, {}, (), (), (), NOBODY)


def without_rows(rules: RuleSet) -> Minute:
    """A minute of which no more is known than what the weights promise: for who keeps how things stand."""
    return replace(nothing(rules), promised=_promised(rules))


def last_seconds(recorder: Recorder, count: int) -> tuple[Second, ...]:
    """The last closed seconds, oldest first."""
    return tuple(map(second_of, [*islice(reversed(recorder.seconds), count)][::-1]))


def _promised(rules: RuleSet) -> dict[MemberKey, float]:
    return {member.key: share for pool in rules.pools.values() for member, share in shares(pool.lbsets)}


def newest(recorder: Recorder) -> ClosedSecond | None:
    return recorder.seconds[-1] if recorder.seconds else None


def minute(rules: RuleSet, recorder: Recorder, before: Minute | None, did: WhoDid = NOBODY) -> Minute:
    """The last minute, of which the steps say what each ``did``; seconds that ``before`` holds already are not worked
    out again."""
    recorder.settle()
    closed = newest(recorder)
    window = list(islice(reversed(recorder.seconds), MINUTE))
    recent = window[:RATE]
    worked_out = {second.at: second for second in before.seconds} if before else {}
    return Minute(
        rules=rules,
        closed=closed,
        rate=_mean(second.requests for second in recent),
        rate_4xx=_mean(second.classes[4] for second in recent),
        rate_5xx=_mean(second.classes[5] for second in recent),
        latency=Percentiles(*percentiles(second.histogram for second in window)),
        members=_members(window),
        promised=_promised(rules),
        routes=_counted(_rules("routes", rules.program.routes, recorder, window), "routes", did.routes),
        rewrites=_counted(_rules("rewrites", rules.program.rewrites, recorder, window), "rewrites", did.rules),
        did=did,
        seconds=tuple(worked_out.get(second.at) or second_of(second) for second in recorder.seconds),
    )


def second_of(second: ClosedSecond) -> Second:
    """A second for people."""
    p50, p95, p99 = percentiles([second.histogram])
    return Second(second.at, second.requests, second.classes[4], second.classes[5], p50, p95, p99, second.generation)


def _rules(
    rows: str, bound: Iterable[BoundRoute | BoundRewrite], recorder: Recorder, window: list[ClosedSecond]
) -> tuple[RouteLoad, ...]:
    """What each row of the list ``rows`` did; hardly any of many has done something lately."""
    live = (exchange.route for exchange in recorder.live)
    in_flight = Counter((route.rows, route.id) for route in live if route is not None)
    lately: dict[RuleKey, list[Histogram]] = {}
    recent = Counter[RuleKey]()
    for age, second in enumerate(window):
        for key, histogram in second.routes.items():
            lately.setdefault(key, []).append(histogram)
            if age < RATE:
                recent[key] += sum(histogram.values())
    over = min(RATE, len(window)) or 1
    loads = []
    for row in bound:
        key = (rows, row.id)
        load = RouteLoad(id=row.id, hits=row.state.hits, last_hit_at=row.state.last_hit)
        if (tally := recorder.routes.get(key)) is not None or key in in_flight:
            tally = tally or Tally()
            load = replace(
                load,
                requests=tally.requests,
                in_flight=in_flight[key],
                classes=tuple(tally.classes[1:6]),
                sent=tally.sent,
                received=tally.received,
                rate=recent[key] / over,
                latency=Percentiles(*percentiles(lately.get(key, ()))),
            )
        loads.append(load)
    return tuple(loads)


def _counted(loads: tuple[RouteLoad, ...], rows: str, did: Mapping[RuleKey, CellCounts]) -> tuple[RouteLoad, ...]:
    """The rows, with how their requests of the last minute ended; a rule that forwards nothing has but those."""
    return tuple(lately(load, did[rows, load.id]) if (rows, load.id) in did else load for load in loads)


def _members(window: list[ClosedSecond]) -> dict[MemberKey, MemberMinute]:
    totals = Counter[str]()
    for second in window:
        for key, did in second.members.items():
            totals[key.balancer] += did.elected
    minutes = {}
    for key in {key for second in window for key in second.members}:
        mine = [second.members.get(key, IDLE) for second in window]
        total = totals[key.balancer] if key.balancer else sum(did.elected for did in mine)
        minutes[key] = MemberMinute(
            rate=_mean(did.elected for did in mine[:RATE]),
            share=sum(did.elected for did in mine) / total if total else 0.0,
            latency=Percentiles(*percentiles(did.histogram for did in mine)),
            per_second=tuple(did.answered for did in reversed(mine)),
        )
    return minutes


def _mean(values: Iterable[int]) -> float:
    counted = list(values)
    return sum(counted) / len(counted) if counted else 0.0


QUIET = MemberMinute(0.0, 0.0, Percentiles(), ())


def members(
    now: Minute,
    registry: Registry,
    recorder: Recorder,
    resolver: Resolver,
    monotonic: float,
    troubles: Iterable[Trouble] = (),
) -> tuple[MemberLoad, ...]:
    """Every member in force, in file order, then the removed ones that still carry requests."""
    oldest: dict[MemberKey, float] = {}
    recorder.settle()
    for exchange in recorder.live:
        if exchange.member is not None:
            key = exchange.member.key
            oldest[key] = max(oldest.get(key, 0.0), monotonic - exchange.started)
    bound = [member for pool in now.rules.pools.values() for member in pool.members]
    loads = [_load(member, member.state, now, oldest, resolver, monotonic) for member in bound]
    for key in registry.retired_members:
        if registry.members[key].busy:
            loads.append(_load(None, registry.members[key], now, oldest, resolver, monotonic))
    ill = {(each.subject.home, each.subject.name): each for each in troubles if each.subject.kind == "member"}
    return tuple(_marked(load, ill) for load in loads) if ill else tuple(loads)


def _marked(load: MemberLoad, ill: Mapping[tuple[str, str], Trouble]) -> MemberLoad:
    """The member, with how it shows that it is ill."""
    trouble = ill.get((load.balancer, load.member))
    return replace(load, ill=", ".join(sign.measure for sign in trouble.signs)) if trouble is not None else load


def _load(
    bound: BoundMember | None,
    state: MemberState,
    now: Minute,
    oldest: Mapping[MemberKey, float],
    resolver: Resolver,
    monotonic: float,
) -> MemberLoad:
    key = state.key
    balancer = now.rules.pools[key.balancer].balancer if bound and key.balancer else None
    member = bound.member if bound else Member(url="-", weight=0.0, status="draining")
    did, ended = now.members.get(key, QUIET), now.did.members.get(key, NOBODY.whole)
    return MemberLoad(
        balancer=key.balancer,
        member=key.member,
        url=member.url,
        weight=member.weight,
        status=member.status,
        health=health(state, member.retry, monotonic),
        retry_in=retry_in(state, member.retry, monotonic),
        last_error=state.last_error,
        retired=bound is None,
        busy=state.busy,
        oldest=oldest.get(key, 0.0),
        elected=state.elected,
        rate=did.rate,
        promised=now.promised.get(key, 0.0),
        share=did.share,
        sent=state.sent,
        received=state.received,
        errors=state.errors,
        latency=did.latency,
        per_second=did.per_second,
        classes=tuple(state.classes[1:6]),
        retries=state.retries,
        ejections=state.ejections,
        check=_check(state.check, monotonic) if state.check is not None else None,
        name=_name(resolver, bound.upstream.host, monotonic) if bound is not None else None,
        role=member.role,
        lbset=member.lbset,
        ramp=ramp(state, balancer.slow_start if balancer else 0.0, monotonic),
        drained=state.drain_at > 0
        and not state.busy
        and (not _has_sessions(member, balancer) or cut_off(state, monotonic)),
        cut_in=_cut_in(state, monotonic),
        part_4xx=ended.status_4xx / ended.requests if ended.requests else -1.0,
        part_5xx=ended.errors / ended.requests if ended.requests else -1.0,
    )


def _has_sessions(member: Member, balancer: Balancer | None) -> bool:
    """Whether requests of sessions may still come to a member that takes no others."""
    return balancer is not None and balancer.sticky is not None and member.status == "draining"


def _cut_in(state: MemberState, now: float) -> float:
    at = cut_at(state)
    return max(0.0, at - now) if state.busy and at < inf else -1.0


def _check(seen: Checked, monotonic: float) -> Check:
    return Check(
        at=seen.at,
        passed=seen.passed,
        result=seen.result,
        streak=seen.streak,
        next_in=max(0.0, seen.next_at - monotonic),
    )


def _name(resolver: Resolver, host: str, monotonic: float) -> Name | None:
    found = resolver.names.get(host)
    if found is None:
        return None
    return Name(
        addresses=found.addresses, age=monotonic - found.since if found.addresses else 0.0, trouble=found.trouble
    )
