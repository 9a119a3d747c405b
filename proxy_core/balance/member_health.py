"""What condition a member is in at a moment: the one place that says who is well and who may be tried.

Questions only. What time ends (an error's ``retry``, an ejection, a slow start, a drain) is compared with ``now``
(``time.monotonic``) at each question, so nothing has to be noted when it is over, and looking changes nothing.

A member in error is left alone for ``retry`` seconds, as in httpd (``ap_proxy_retry_worker`` in proxy_util.c); one
whose active checks fail until they pass (mod_proxy_hcheck); an ejected one until its ejection ends (Envoy's outlier
detection).
"""

from __future__ import annotations

from math import inf
from typing import Literal

from msgspec import Struct

from proxy_core.balance.member_state import MemberState
from proxy_core.balance.pool import BoundMember

RAMP_FROM = 0.1
"""Part of its weight that a member begins a slow start with."""

Health = Literal["up", "failing", "ejected", "error", "unresolved", "unknown"]
"""What was seen of a member, apart from what was configured: up (it answered last, or passed its check), failing (its
checks fail; it gets nothing until they pass), ejected (too many of its answers were bad; left alone until
``retry_in`` is over), error (its last connection failed; not tried again before ``retry_in`` is over), unresolved (its
name has no address), unknown (not tried yet)."""


class MemberCondition(Struct, frozen=True):
    """What is held against a member, and what follows."""

    health: Health
    """The word for people."""
    usable: bool
    """Whether it may be tried."""
    trusted: bool
    """Whether it is counted on when another member is to be ejected."""


FAILING = MemberCondition("failing", False, False)
EJECTED = MemberCondition("ejected", False, False)
IN_ERROR = MemberCondition("error", False, False)
RETRY_DUE = MemberCondition("error", True, False)
EXCUSED = MemberCondition("error", True, True)
"""Something failed, but it is not held against the member: its errors are ignored, or were cleared to try it."""
UP = MemberCondition("up", True, True)
UNKNOWN = MemberCondition("unknown", True, True)


def condition(state: MemberState, retry: float, now: float) -> MemberCondition:
    """The condition of the member whose ``state`` this is, which is left alone for ``retry`` seconds after an error."""
    if state.failing:
        return FAILING
    if now < state.ejected_until:
        return EJECTED
    if state.error_at:
        return RETRY_DUE if now > state.error_at + retry else IN_ERROR
    if state.last_error:
        return EXCUSED
    if state.answered or (state.check is not None and state.check.at and state.check.passed):
        return UP
    return UNKNOWN


def usable(member: BoundMember, now: float) -> bool:
    """Whether a member may be tried, as its condition says; the usual case is looked at first."""
    state = member.state
    if not (state.error_at or state.ejected_until or state.failing):
        return True
    return condition(state, member.member.retry, now).usable


def health(state: MemberState, retry: float, now: float) -> Health:
    """The condition in a word."""
    found = condition(state, retry, now).health
    return "unresolved" if found == "error" and state.unresolved else found


def retry_in(state: MemberState, retry: float, now: float) -> float:
    """Seconds until the error and the ejection of a member are over; 0.0 where it has neither."""
    until = max(state.error_at + retry if state.error_at else 0.0, state.ejected_until)
    return max(0.0, until - now)


def ramp(state: MemberState, slow_start: float, now: float) -> float:
    """The part of its weight that a member has by now; 1.0 when it is not in a slow start of ``slow_start`` seconds."""
    began = max(state.ramp_at, state.ejected_until)
    if not (began and slow_start):
        return 1.0
    return max(RAMP_FROM, min(1.0, (now - began) / slow_start))


def cut_at(state: MemberState) -> float:
    """When a drain has lasted as long as it may; ``inf`` for a member that does not drain or may for ever."""
    return state.drain_at + state.drain_timeout if state.drain_at and state.drain_timeout else inf


def cut_off(state: MemberState, now: float) -> bool:
    """Whether a drain has lasted as long as it may: what the member still has is cut, and its sessions go elsewhere,
    for they would be cut too."""
    return cut_at(state) < now
