"""Slow start: a member that is new or has recovered gets little at first, whatever the balancer's method goes by.

httpd knows none, and its methods would flood such a member: bytraffic until it has made good all bytes that it missed,
bybusyness and latency since it has nothing to do. So its share is bounded by turns of its weight as far as that has
risen (``ramp``): each member in a slow start takes turns with all the others together (smooth weighted round robin,
as in byrequests). In its turn it gets the request, unless the method holds more against it than against the others;
in all other turns the method elects among the others. When a slow start is over, the books of the methods start anew,
as after an edit of a weight: nothing is made good afterwards.

Method hash has no turns, for a key has one member. There the weight itself rises: a member's keys come back to it one
after the other, and each of them moves once.

Called at elections of balancers with ``slow_start`` only. Synchronous, no I/O; ``now`` is ``time.monotonic``.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from proxy_core.balance.lbmethods import BURDENS
from proxy_core.balance.member_health import RAMP_FROM, ramp
from proxy_core.balance.member_state import MemberState
from proxy_core.balance.pool import BoundMember, Pool

Part = tuple[BoundMember, float]
"""A member, and the part of its weight that it has by now."""


def begun(members: Sequence[BoundMember]) -> bool:
    """Whether any of the members is in a slow start, or was in one whose end no election has seen."""
    for member in members:
        state = member.state
        if state.ramp_at or state.ejected_until or state.error_at:
            return True
    return False


def elect_slowly(pool: Pool, members: Sequence[BoundMember], now: float, key: bytes) -> BoundMember | None:
    """Elect one of the members, of which some are in a slow start."""
    seconds = pool.balancer.slow_start
    parts = [(member, _part(member.state, seconds, now)) for member in members]
    if any(part == 1 and (member.state.ramp_at or member.state.ejected_until) for member, part in parts):
        _end(pool, parts)
    most = max(part for _, part in parts)
    if not any(part < most for _, part in parts):
        return pool.elect(members, now, key)
    if pool.balancer.method == "hash":
        return _of_key(pool, parts, now, key)
    return _in_turn(pool, parts, most, now)


def _part(state: MemberState, seconds: float, now: float) -> float:
    """A member in error is only tried: its slow start is still to come."""
    return RAMP_FROM if state.error_at else ramp(state, seconds, now)


def _end(pool: Pool, parts: Sequence[Part]) -> None:
    """Note that slow starts are over, and let all turns of the pool start anew."""
    for member, part in parts:
        if part == 1:
            member.state.ramp_at = member.state.ejected_until = 0.0
    for member in pool.members:
        start_anew(member.state)


def start_anew(state: MemberState) -> None:
    """Forget what the methods share out by; counters stay. To be called for all members of a pool at once."""
    state.lbstatus = state.transferred = state.read = 0
    state.owed = 0.0


def _in_turn(pool: Pool, parts: Sequence[Part], most: float, now: float) -> BoundMember | None:
    """Those that are furthest are the others, with whom the rest take turns; where all begin, nobody has to wait."""
    total = sum(member.factor * part for member, part in parts)
    starting = [(member, member.factor * part / total) for member, part in parts if part < most]
    members, others = [member for member, _ in parts], [member for member, part in parts if part == most]
    for member, share in starting:
        member.state.owed = min(1.0, member.state.owed + share)
    first = max((member for member, _ in starting), key=lambda member: member.state.owed)
    owed_to_others = 1.0 - sum(member.state.owed for member, _ in starting)
    if first.state.owed > owed_to_others:
        burden = BURDENS[pool.balancer.method]
        if burden(first, now) <= min(burden(other, now) for other in others):
            first.state.owed -= 1.0
            return first
    return pool.elect(others, now, b"") or pool.elect(members, now, b"")


def _of_key(pool: Pool, parts: Sequence[Part], now: float, key: bytes) -> BoundMember | None:
    scaled = [
        replace(member, factor=max(1, int(member.factor * part))) if part < 1 else member for member, part in parts
    ]
    elected = pool.elect(scaled, now, key)
    return elected and next(member for member, _ in parts if member.key == elected.key)
