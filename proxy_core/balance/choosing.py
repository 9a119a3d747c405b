"""Choosing the member for an attempt of a request.

The order is that of httpd (``find_session_route``, ``proxy_balancer_pre_request`` and ``force_recovery`` in
modules/proxy/mod_proxy_balancer.c, ``ap_proxy_balancer_get_best_worker`` in proxy_util.c). A session's own member
comes first. Otherwise the method elects one member of the lowest lbset that has anybody able (``shares``). When nothing
but members in error is left, all are cleared at once and tried (forcerecovery). A set whose members are all at their
limits is waited for; it does not spill over into standbys or the next set. ``member_health`` says how long a member in
error is left alone.

Synchronous, no I/O, no clock: ``now`` is ``time.monotonic``. Nothing here counts requests; the caller does.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial

from proxy_core.balance.member_health import cut_off, usable
from proxy_core.balance.member_state import MemberKey
from proxy_core.balance.pool import BoundMember, Pool
from proxy_core.balance.shares import LbSet, takers, takes_sessions
from proxy_core.balance.slow_start import begun, elect_slowly


class Full(Exception):
    """Every member that could take the request has as many as ``max_connections`` allows: the request may wait."""


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
        if member is None and not tried and pool.balancer.forcerecovery and _all_out(pool, now):
            _recover(pool, now, ())  # httpd recovers before it looks for sessions
            member = _of_session(pool, route, now, tried, set())
        if member is not None and member.state.busy < member.limit:
            _take_turn(pool, member, now)
            return member
        if member is not None and (pool.balancer.timeout or sticky.nofailover):
            raise Full
        if sticky.nofailover:
            return None
    members = _eligible(pool, now, tried)
    if not members and pool.balancer.forcerecovery:
        _recover(pool, now, tried)
        members = _eligible(pool, now, tried)
    if not members:
        return None
    if pool.balancer.slow_start and begun(members):
        return elect_slowly(pool, members, now, key)
    return pool.elect(members, now, key)


def _eligible(pool: Pool, now: float, tried: Collection[MemberKey]) -> Sequence[BoundMember]:
    """Who may take a request of no session, in configured order with spares at the end. Raises Full."""
    for lbset in pool.lbsets:
        if not tried and _all_fit(lbset, now):
            return lbset.regular
        taking = takers(lbset, partial(_able, now, tried))
        free = [member for member in taking if member.state.busy < member.limit]
        if free:
            return free
        if taking:
            raise Full
    return ()


def _able(now: float, tried: Collection[MemberKey], members: Sequence[BoundMember]) -> list[BoundMember]:
    able = [member for member in members if usable(member, now)]
    return [member for member in able if member.key not in tried] if tried else able


def _all_fit(lbset: LbSet[BoundMember], now: float) -> bool:
    """Whether all regular members can take the request: a shortcut for the usual case, in which nobody is ill."""
    for member in lbset.regular:
        state = member.state
        if (
            state.error_at
            or (state.ejected_until and now < state.ejected_until)
            or state.failing
            or state.busy >= member.limit
        ):
            return False
    return bool(lbset.regular) and not (lbset.missing and lbset.spares)


def _recover(pool: Pool, now: float, tried: Collection[MemberKey]) -> None:
    """All members that take requests are out: clear their errors and ejections, but not what active checks found."""
    for lbset in pool.lbsets:
        for member in (*lbset.regular, *lbset.spares, *lbset.standbys):
            state = member.state
            if member.key not in tried and not state.failing:
                state.error_at = 0.0
                if now < state.ejected_until:
                    state.ejected_until = 0.0


def _all_out(pool: Pool, now: float) -> bool:
    return not any(usable(member, now) for member in pool.keepers)


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
    """Requests of sessions count too, so that the others even them out: mod_proxy_balancer's arithmetic."""
    total = 0
    for member in pool.keepers:
        if usable(member, now):
            member.state.lbstatus += member.factor
            total += member.factor
    chosen.state.lbstatus -= total
