"""Ejection: a member whose answers are too often bad is left alone for a while (Envoy's outlier detection).

Too many failures in a row, or too large a part of a window, and the member is ejected; each further ejection lasts one
length longer, and each window with good answers alone takes a step back. Never more than a share of the balancer's
members is ejected at a time, and never the last one that requests could go to. Pure but for the states; ``now`` is
``time.monotonic``. That an ejection is over needs no noting: ``member_health`` compares it with the clock.
"""

from __future__ import annotations

from proxy_core.balance.member_health import condition
from proxy_core.balance.pool import BoundMember, Pool
from proxy_core.balance.shares import serves

LONGEST = 10
"""How many times its length an ejection may last when a member is ejected again and again."""


def judge(pool: Pool, member: BoundMember, now: float, bad: bool) -> None:
    """Count an outcome, and eject the member when it is one too many."""
    rule, state = pool.balancer.ejection, member.state
    if rule is None:
        return
    if now - state.window_at >= rule.window:
        if state.window_answers and not state.window_failures and state.ejection_step:
            state.ejection_step -= 1
        state.window_at = now
        state.window_answers = state.window_failures = 0
    state.window_answers += 1
    if not bad:
        state.streak = 0
        return
    state.streak += 1
    state.window_failures += 1
    in_a_row = rule.consecutive and state.streak >= rule.consecutive
    too_many = (
        rule.ratio
        and state.window_answers >= rule.minimum
        and state.window_failures > rule.ratio * state.window_answers
    )
    if (in_a_row or too_many) and now >= state.ejected_until and may_eject(pool, member, now):
        state.ejections += 1
        state.ejection_step = min(state.ejection_step + 1, LONGEST)
        state.ejected_until = now + rule.seconds * state.ejection_step
        state.streak = state.window_answers = state.window_failures = 0


def may_eject(pool: Pool, member: BoundMember, now: float) -> bool:
    """Whether this member of the pool may be ejected too: the share allows one more, and somebody else is left to take
    the requests, who is neither draining nor down."""
    rule = pool.balancer.ejection
    ejected = sum(now < each.state.ejected_until for each in pool.members)
    return (
        rule is not None
        and ejected + 1 <= rule.share * len(pool.members)
        and any(
            each is not member and serves(each) and condition(each.state, each.member.retry, now).trusted
            for each in pool.members
        )
    )
