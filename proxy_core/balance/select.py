"""Choosing a member: who may be chosen is decided here and nowhere else; who is chosen among those is a method's work.

The order is that of httpd (``find_session_route``, ``proxy_balancer_pre_request`` and ``force_recovery`` in
modules/proxy/mod_proxy_balancer.c, ``ap_proxy_balancer_get_best_worker`` and ``ap_proxy_retry_worker`` in
proxy_util.c): a session's own member first; else the lowest lbset in which anybody can take the request; in a set the
regular members, a spare for each of them that is out, and standbys when there is nobody else. A member in error is left
alone for ``retry`` seconds; when nothing but such members is left, all are cleared at once and tried (forcerecovery).
A set whose members are all at their limits is waited for, and does not spill over into standbys or the next set.

Synchronous, no I/O, no clock: ``now`` is ``time.monotonic``. Nothing here counts requests; the caller does.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from proxy_core.balance.state import BoundMember, Group, MemberKey, MemberState, Pool

RAMP_FROM = 0.1
"""Part of its weight that a member begins a slow start with."""


class Full(Exception):
    """Somebody could take the request but for ``max_connections``: it may wait."""


def choose(
    pool: Pool, now: float, tried: Collection[MemberKey] = (), route: str = "", key: bytes = b""
) -> BoundMember | None:
    """The member for the next attempt of a request that has ``tried`` some already; None when there is none left.

    ``route`` is what its session says, ``key`` what method hash goes by. Changes lbstatus of the eligible members, so
    it is called exactly once for each attempt. Raises Full.
    """
    if pool.direct:
        only = pool.members[0]
        return None if only.key in tried else only
    sticky = pool.balancer.sticky
    if sticky is not None and route in pool.routes:
        member = _of_session(pool, route, now, tried, set())
        if member is None and not tried and pool.balancer.forcerecovery and _all_out(pool, now) and _recover(pool, ()):
            member = _of_session(pool, route, now, tried, set())  # httpd recovers before it looks for sessions
        if member is not None and member.state.busy < member.limit:
            _take_turn(pool, member, now)
            return member
        if member is not None and (pool.balancer.timeout or sticky.nofailover):
            raise Full
        if sticky.nofailover:
            return None
    members = _eligible(pool, now, tried)
    if not members and pool.balancer.forcerecovery and _recover(pool, tried):
        members = _eligible(pool, now, tried)
    if not members:
        return None
    if pool.balancer.slow_start and any(member.state.ramp_at for member in members):
        return _ramped(pool, members, now, key)
    return pool.elect(members, now, key)


def _eligible(pool: Pool, now: float, tried: Collection[MemberKey]) -> Sequence[BoundMember]:
    """Who may take an unsticky request, in configured order with spares at the end. Raises Full."""
    for group in pool.groups:
        if not tried and _all_fit(group):
            return group.regular
        well = [m for m in group.regular if usable(m, now) and m.key not in tried]
        out = group.missing + len(group.regular) - len(well)
        if out and group.spares:
            well += [m for m in group.spares if usable(m, now) and m.key not in tried][:out]
        if not well and group.standbys:
            well = [m for m in group.standbys if usable(m, now) and m.key not in tried]
        free = [m for m in well if m.state.busy < m.limit]
        if free:
            return free
        if well:
            raise Full
    return ()


def _all_fit(group: Group) -> bool:
    """Whether nothing is wrong with any regular member of a set and no spare has to stand in: the common case, at
    the price of one look at each."""
    for member in group.regular:
        state = member.state
        if state.error_at or state.ejected_until or state.failing or state.busy >= member.limit:
            return False
    return bool(group.regular) and not (group.missing and group.spares)


def _recover(pool: Pool, tried: Collection[MemberKey]) -> bool:
    """All that take requests are out: forget why, but for what active checks say. Whether that helped anybody."""
    helped = False
    for group in pool.groups:
        for member in (*group.regular, *group.spares, *group.standbys):
            state = member.state
            if member.key not in tried and not state.failing:
                state.error_at = state.ejected_until = 0.0
                helped = True
    return helped


def _all_out(pool: Pool, now: float) -> bool:
    return not any(takes_sessions(member) and usable(member, now) for member in pool.members)


def _of_session(pool: Pool, route: str, now: float, tried: Collection[MemberKey], seen: set[str]) -> BoundMember | None:
    """The member that a session's route means, or the one that its redirect means, if it can take the request. Routes
    may be shared and redirects may go round in circles, so each is looked at once."""
    seen.add(route)
    for member in pool.routes.get(route, ()):
        if (
            takes_sessions(member)
            and usable(member, now)
            and member.key not in tried
            and not cut_off(member.state, now)
        ):
            return member
        if member.member.redirect and member.member.redirect not in seen:
            other = _of_session(pool, member.member.redirect, now, tried, seen)
            if other is not None:
                return other
    return None


def _take_turn(pool: Pool, chosen: BoundMember, now: float) -> None:
    """Requests of sessions count too, so that unsticky ones even them out: mod_proxy_balancer's arithmetic."""
    total = 0
    for member in pool.members:
        if takes_sessions(member) and usable(member, now):
            member.state.lbstatus += member.factor
            total += member.factor
    chosen.state.lbstatus -= total


def _ramped(pool: Pool, members: Sequence[BoundMember], now: float, key: bytes) -> BoundMember | None:
    """Elect with the weights of members that start slowly scaled down."""
    elected = pool.elect(
        [
            replace(member, factor=max(1, int(member.factor * part)))
            if (part := ramp(member.state, pool.balancer.slow_start, now)) < 1
            else member
            for member in members
        ],
        now,
        key,
    )
    return elected and next(member for member in members if member.key == elected.key)


def ramp(state: MemberState, slow_start: float, now: float) -> float:
    """The part of its weight that a member has by now; 1.0 when it starts slowly no longer."""
    if not state.ramp_at:
        return 1.0
    part = (now - state.ramp_at) / slow_start if slow_start else 1.0
    if part >= 1:
        state.ramp_at = 0.0
        return 1.0
    return max(RAMP_FROM, part)


def cut_off(state: MemberState, now: float) -> bool:
    """Whether a drain has lasted as long as it may: what the member still has is cut, and its sessions go elsewhere,
    for they would be cut too."""
    return bool(state.drain_at) and 0 < state.drain_timeout < now - state.drain_at


def serves(member: BoundMember) -> bool:
    """Whether its configuration lets a member take new requests, whatever its condition."""
    return member.member.status == "enabled" and member.factor > 0


def takes_sessions(member: BoundMember) -> bool:
    """Whether its configuration lets a member take requests of its own sessions."""
    return member.member.status in ("enabled", "draining")


def usable(member: BoundMember, now: float) -> bool:
    """Whether a member's condition lets it be tried: checks do not fail, it is not ejected, and no connection failed
    or one longer ago than ``retry``. An ejection that is over ends here, in a slow start."""
    state = member.state
    if not (state.error_at or state.ejected_until or state.failing):
        return True
    if state.failing or now < state.ejected_until:
        return False
    if state.ejected_until:
        state.ejected_until = 0.0
        state.ramp_at = now
    return not state.error_at or now > state.error_at + member.member.retry
