"""Passive health checks: what came of an attempt, and what it does to the condition of the member.

A failed connection puts a member in error, as in httpd; so do the statuses of ``failonstatus`` and, with
``failontimeout``, silence. Every outcome counts for ejection too. Where an edit gave the member another URL meanwhile,
what the old origin did counts for nothing: a wrong URL that was mended must not go on hurting. Pure but for the states;
``now`` is ``time.monotonic``. Active checks are in ``runtime.health_checks``.
"""

from __future__ import annotations

from proxy_core.balance.ejection import judge
from proxy_core.balance.lbmethods import measured
from proxy_core.balance.member_state import MemberState
from proxy_core.balance.pool import BoundMember, Pool


def unreachable(pool: Pool, member: BoundMember, now: float, reason: str, unresolved: bool = False) -> None:
    """A connection to the member could not be made; ``reason`` says why (refused, timed out), ``unresolved`` that its
    name has no address. Its turn is spent, as in Apache: lbstatus stays as the election left it."""
    if _left(member):
        return
    member.state.unresolved = unresolved
    if member.member.ignore_errors:
        member.state.last_error = reason
    else:
        failed(member.state, now, reason)
    if pool.watched:
        judge(pool, member, now, True)


def failed(state: MemberState, now: float, reason: str) -> None:
    """Into the error state, for ``reason``."""
    state.error_at = now
    state.last_error = reason


def _left(member: BoundMember) -> bool:
    """Whether an edit made the member's state somebody else's while a request was under way."""
    return member.state.upstream not in (None, member.upstream)


def worked(member: BoundMember, now: float) -> None:
    """The member took a connection: what was wrong with it is over, and its slow start begins."""
    state = member.state
    if state.last_error and not _left(member):
        if state.error_at:
            state.ramp_at = now
        state.error_at = 0.0
        state.last_error = ""
        state.unresolved = False


def recovered(state: MemberState, now: float) -> None:
    """Active checks say that the member is well: what they and connecting held against it is over, and its slow start
    begins. An ejection is about answers that a check does not see, so it ends only with the checks' own complaint."""
    if state.failing or state.error_at:
        state.ramp_at = now
    if state.failing:
        state.ejected_until = 0.0
    state.failing = state.unresolved = False
    state.error_at = 0.0
    state.last_error = ""


def renewed(state: MemberState) -> None:
    """The member is somebody else from now on: well until shown otherwise."""
    state.error_at = state.ejected_until = state.ramp_at = state.latency = 0.0
    state.last_error = ""
    state.unresolved = state.failing = False
    state.check = state.beat = None
    state.streak = state.ejection_step = state.window_answers = state.window_failures = 0


def answered(pool: Pool, member: BoundMember, now: float, status: int, seconds: float) -> None:
    """An answer began after so many seconds. To be called for pools that are ``watched``."""
    if _left(member):
        return
    if pool.balancer.method == "latency":
        measured(member.state, seconds, now)
    if status in pool.fails and not member.member.ignore_errors:
        failed(member.state, now, f"answered {status}")
    judge(pool, member, now, status >= 500)


def broke(pool: Pool, member: BoundMember, now: float) -> None:
    """A connection ended before its answer did, or what came over it was none."""
    if pool.watched and not _left(member):
        judge(pool, member, now, True)


def silent(pool: Pool, member: BoundMember, now: float, seconds: float) -> None:
    """Nothing came of the member for so many seconds."""
    if _left(member):
        return
    if pool.balancer.failontimeout and not member.member.ignore_errors:
        failed(member.state, now, f"was silent for {seconds:g} s")
    if pool.watched:
        if pool.balancer.method == "latency":
            measured(member.state, seconds, now)
        judge(pool, member, now, True)
