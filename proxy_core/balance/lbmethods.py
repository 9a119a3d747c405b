"""Balancer methods: which of the eligible members takes the next request.

A method is a function over eligible members in configured order; all that it remembers is in their states. Who is
eligible is not a method's business (see ``choosing``). The first four are httpd's, to the integer. byrequests is the
weighted round robin of mod_lbmethod_byrequests.c: at each turn every eligible member gains its factor, the richest is
elected and pays the sum of what was gained. So lbstatus always sums to what it summed to before, shares are exact
over any number of turns that is a multiple of the weights' sum, and turns of one member are spread out, not bunched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from math import exp, inf, log
from random import Random

from proxy_core.balance.member_state import MemberState
from proxy_core.balance.pool import BoundMember, LbMethod

STALE = 10.0
"""Seconds after which a heartbeat counts no more (mod_lbmethod_heartbeat.c)."""
DECAY = 10.0
"""Seconds in which a measured latency that nothing confirms falls to a third."""
chance = Random()
"""Where the slots of heartbeat are drawn from; simulations seed it."""


def byrequests(members: Sequence[BoundMember], now: float = 0.0, key: bytes = b"") -> BoundMember:
    """Apache's: the first of the members with the greatest lbstatus."""
    total = 0
    elected, best = members[0], members[0].state
    for member in members:
        state, factor = member.state, member.factor
        state.lbstatus += factor
        total += factor
        if state.lbstatus > best.lbstatus:
            elected, best = member, state
    best.lbstatus -= total
    return elected


def bytraffic(members: Sequence[BoundMember], now: float = 0.0, key: bytes = b"") -> BoundMember:
    """Apache's (mod_lbmethod_bytraffic.c): the first with the fewest bytes for its factor, each way divided alone."""
    return min(members, key=_traffic)


def _traffic(member: BoundMember, now: float = 0.0) -> int:
    state, factor = member.state, member.factor
    return state.transferred // factor + state.read // factor


def bybusyness(members: Sequence[BoundMember], now: float = 0.0, key: bytes = b"") -> BoundMember:
    """Apache's (mod_lbmethod_bybusyness.c): the fewest requests in flight, whatever the weights; byrequests among
    equals."""
    total = 0
    elected = members[0]
    for member in members:
        state, best = member.state, elected.state
        state.lbstatus += member.factor
        total += member.factor
        if state.busy < best.busy or (state.busy == best.busy and state.lbstatus > best.lbstatus):
            elected = member
    elected.state.lbstatus -= total
    return elected


def heartbeat(members: Sequence[BoundMember], now: float, key: bytes = b"") -> BoundMember | None:
    """Apache's (mod_lbmethod_heartbeat.c): chance, in proportion to the free slots that members reported in the last
    ten seconds; one that reports nothing busy counts for a quarter, lest a fresh one be flooded. Both ends of a
    member's range belong to it, and the last one that holds the draw wins, as there."""
    heard = []
    for member in members:
        beat = member.state.beat
        if beat is not None and now - beat.at < STALE:
            heard.append((member, beat.ready // 4 if beat.busy == 0 else beat.ready))
    slots = sum(ready for _, ready in heard)
    if not slots:
        return None
    drawn, below, elected = chance.randint(0, slots), 0, None
    for member, ready in heard:
        if below <= drawn <= below + ready:
            elected = member
        below += ready
    return elected


def latency(members: Sequence[BoundMember], now: float, key: bytes = b"") -> BoundMember:
    """Finagle's peak EWMA: the least expected wait, which is the measured latency times the requests that would be
    in flight, over the weight. A slow answer counts at once, a fast one little by little, and what was measured fades,
    so that a slow member is asked again. Those that nothing is known of come first."""
    return min(members, key=lambda m: (_expected_wait(m, now), m.state.elected / m.factor))


def _expected_wait(member: BoundMember, now: float) -> float:
    return faded(member.state, now) * (member.state.busy + 1) / member.factor


def faded(state: MemberState, now: float) -> float:
    """The latency in seconds that ``measured`` left, as old as it is."""
    return state.latency * exp((state.latency_at - now) / DECAY) if state.latency else 0.0


def measured(state: MemberState, seconds: float, now: float) -> None:
    """An answer took so long to begin."""
    before = faded(state, now)
    weight = exp((state.latency_at - now) / DECAY) if state.latency_at else 0.0
    state.latency = seconds if seconds > before else seconds + (before - seconds) * max(weight, 0.5)
    state.latency_at = now


def by_hash(members: Sequence[BoundMember], now: float, key: bytes) -> BoundMember:
    """Weighted rendezvous hashing (Thaler and Ravishankar; Schindelhauer and Schomaker for the weights): every member
    draws a number from the key and its own name, and the best one for its weight wins. When a member leaves, its keys
    spread over the others by weight and no other key moves."""
    return min(members, key=lambda member: _draw(member, key))


def _draw(member: BoundMember, key: bytes) -> float:
    number = int.from_bytes(blake2b(key, digest_size=8, salt=member.salt).digest(), "big")
    return -log((number + 1) / ((1 << 64) + 1)) / member.factor


METHODS: Mapping[str, LbMethod] = {
    "byrequests": byrequests,
    "bytraffic": bytraffic,
    "bybusyness": bybusyness,
    "heartbeat": heartbeat,
    "latency": latency,
    "hash": by_hash,
}

BURDENS: Mapping[str, Callable[[BoundMember, float], float]] = {
    "byrequests": lambda member, now: 0.0,
    "bytraffic": _traffic,
    "bybusyness": lambda member, now: member.state.busy,
    "heartbeat": lambda member, now: 0.0 if heartbeat((member,), now) else inf,
    "latency": _expected_wait,
}
"""What each method holds against a member at a moment, as a number: who has less of it takes the request. Those that
go by turns alone hold nothing."""
