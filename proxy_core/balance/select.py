"""Choosing a member, and what a failed or good connection does to the choice.

Who may be chosen is decided in one place, ``choose``; who is chosen among those is the method's work. The error
state is Apache's (``ap_proxy_retry_worker`` in modules/proxy/proxy_util.c, ``force_recovery`` in
mod_proxy_balancer.c): a member whose connection failed is left alone until ``retry`` seconds are over; when nothing
but such members is left, all of them are cleared at once and tried, for they may be back and there is nobody else to
ask. Synchronous, no I/O, no clock: ``now`` is ``time.monotonic``. Nothing here counts requests; the caller does.
"""

from __future__ import annotations

from collections.abc import Collection

from proxy_core.balance.methods import METHODS
from proxy_core.balance.state import BoundMember, MemberKey, MemberState, Pool


def choose(pool: Pool, now: float, tried: Collection[MemberKey] = ()) -> BoundMember | None:
    """The member for the next attempt of a request that has ``tried`` some already; None when there is none left.

    Changes lbstatus of the eligible members, so it is called exactly once for each attempt.
    """
    untried = [m for m in pool.members if serves(m) and not m.state.failing and m.key not in tried]
    members = [m for m in untried if pool.direct or usable(m.state, m.member.retry, now)]
    if not members:
        for member in untried:
            member.state.error_at = 0.0
        members = untried
    return METHODS[pool.method](members) if members else None


def serves(member: BoundMember) -> bool:
    """Whether its configuration lets a member take new requests, whatever its condition."""
    return member.member.status == "enabled" and member.factor > 0


def usable(state: MemberState, retry: float, now: float) -> bool:
    """Whether a member's condition lets it be tried: no failed connection, or one longer ago than ``retry``."""
    return not state.error_at or now > state.error_at + retry


def failed(state: MemberState, now: float, reason: str) -> None:
    """A connection to the member could not be made; ``reason`` says why (refused, timed out, no address). Its turn
    is spent, as in Apache: lbstatus stays as the election left it."""
    state.error_at = now
    state.last_error = reason


def worked(state: MemberState) -> None:
    """The member took a connection: what was wrong with it is over."""
    if state.last_error:
        state.error_at = 0.0
        state.last_error = ""
        state.unresolved = False
