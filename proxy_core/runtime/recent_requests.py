"""The recorder: what the data path leaves behind for people to look at.

The data path appends to a ring; it never waits for, calls or knows a reader. Readers pull by cursor and miss what has
left the ring. The ring is bounded in requests and in bytes; what went wrong is kept for longer (``failed_requests``),
and so is what somebody has looked at. Totals by member are in the members' states, totals by route here. What is
finished is added to them in batches (``settle``), which costs less than one by one; who reads totals settles first, so
they are exact whenever somebody looks. Once a second ``tick`` closes a second: its counts and its latency histogram
move to the last two minutes, and percentiles are worked out when somebody reads, by merging seconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field
from itertools import islice

from msgspec import Struct

from proxy_core.balance.latency_histogram import BUCKETS, Histogram, bucket_of
from proxy_core.balance.member_state import MemberKey, MemberState
from proxy_core.rules.rule_state import RuleKey
from proxy_core.runtime.exchange import CLIENT_LEFT, Exchange
from proxy_core.runtime.failed_requests import SLOW, FailedRequests
from proxy_core.runtime.last_hour import STEP, LastHour
from proxy_core.runtime.route_tally import CodedTally, Tally

RING_REQUESTS = 10_000
"""Finished exchanges that the ring holds at most."""
RING_BYTES = 64 * 1024 * 1024
"""Bytes that the ring holds at most, about (``Exchange.weight``)."""
BATCH = 128
"""Finished exchanges that wait for ``settle`` at most: about 0.1 ms of the loop."""
SAMPLE = 8
"""Of how many requests that went well one is looked at for the steps, in a rush."""
RUSH = 0.25
"""A batch that takes no more seconds than this is of a rush: 500 requests a second and more."""
SECONDS = 120
"""How many closed seconds are kept."""
LOOKED_AT = 100
"""Exchanges that stay because somebody has looked at them, at most."""
_EMPTY = [0] * BUCKETS


class MemberSecond(Struct, frozen=True):
    """What one member did in a second: attempts, answers that began, and how long finished requests took."""

    elected: int
    answered: int
    histogram: Histogram


class ClosedSecond(Struct, frozen=True):
    """What happened in a second that is over."""

    at: float
    """Epoch time of its end."""
    classes: tuple[int, ...]
    """Finished requests by first digit of the status."""
    histogram: Histogram
    """Finished requests by bucket of how long they took."""
    members: dict[MemberKey, MemberSecond]
    """What each member did that did anything."""
    routes: dict[RuleKey, Histogram]
    """The durations of each route that finished a request."""
    generation: int
    """The generation that came into force in it; 0 for none."""

    @property
    def requests(self) -> int:
        return sum(self.classes)


@dataclass(slots=True)
class Recorder:
    """What the data path left behind. The fields ``_…_then`` are as of the last closed second. Totals are those of what
    is settled."""

    ring: deque[Exchange] = field(default_factory=deque)
    """The last finished exchanges, without a gap in their numbers."""
    live: set[Exchange] = field(default_factory=set)
    """The exchanges that are not finished."""
    newest: int = 0
    """The number of the last finished exchange."""
    weight: int = 0
    """About what the ring holds in memory, in bytes."""
    classes: list[int] = field(default_factory=lambda: [0] * 10)
    """All finished requests by first digit of the status."""
    histogram: list[int] = field(default_factory=lambda: [0] * BUCKETS)
    """All finished requests by bucket of how long they took."""
    spent: float = 0.0
    """Seconds that all finished requests took together."""
    routes: dict[RuleKey, Tally] = field(default_factory=dict)
    """Totals of each route that took a request, by the route's identity."""
    coded: dict[str, CodedTally] = field(default_factory=dict)
    """Totals of answers that were coded, by coding."""
    seconds: deque[ClosedSecond] = field(default_factory=lambda: deque(maxlen=SECONDS))
    """The last closed seconds, oldest first."""
    hour: LastHour = field(default_factory=LastHour)
    """The last hour, by who did what."""
    failed: FailedRequests = field(default_factory=FailedRequests)
    """What went wrong or was slow, as far as it is settled."""
    _looked_at: dict[int, Exchange] = field(default_factory=dict)
    """What somebody has looked at, by its number, the last one at the end."""
    _fresh: list[Exchange] = field(default_factory=list)
    """Finished exchanges that are in no total yet: the newest of the ring."""
    _classes_then: list[int] = field(default_factory=lambda: [0] * 10)
    """``classes`` then."""
    _histogram_then: list[int] = field(default_factory=lambda: [0] * BUCKETS)
    """``histogram`` then."""
    _members_then: dict[MemberKey, tuple[int, int, list[int]]] = field(default_factory=dict)
    """``elected``, ``answered`` and ``histogram`` of each member then."""
    _generation_then: int = 0
    """The generation in force then."""
    _ticks: int = 0
    """Seconds that were closed."""

    begin: Callable[[Exchange], None] = field(init=False)
    """An exchange begins."""

    def __post_init__(self) -> None:
        self.begin = self.live.add  # the set's own method: a call less for each request

    def finish(self, exchange: Exchange, now: float) -> None:
        """The exchange is over, whatever came of it; called exactly once for each ``begin``."""
        self.live.remove(exchange)
        exchange.finished = now
        ring, fresh = self.ring, self._fresh
        ring.append(exchange)
        fresh.append(exchange)
        self.newest = exchange.number = self.newest + 1  # the ring has no gap in its numbers
        own = exchange.weight + 600 + len(exchange.head) + len(exchange.forwarded) + len(exchange.answer)
        exchange.weight, weight = own, self.weight + own
        while len(ring) > RING_REQUESTS or weight > RING_BYTES:
            weight -= ring.popleft().weight
        self.weight = weight
        if len(fresh) >= BATCH or len(fresh) > len(ring):  # what has left the ring is not held here
            self.settle()

    def settle(self) -> None:
        """Add what was finished since the last time to the totals: of all, of members, of routes."""
        fresh, self._fresh = self._fresh, []
        self.hour.add(fresh, SAMPLE if len(fresh) == BATCH and _rush(fresh) else 1)
        classes, histogram = self.classes, self.histogram
        last, tally = None, Tally()
        for exchange in fresh:
            kind = exchange.status // 100 % 10
            took = exchange.finished - exchange.started
            bucket = bucket_of(took)
            if exchange.status >= CLIENT_LEFT or exchange.cut or took >= SLOW:
                self.failed.add(exchange)
            classes[kind] += 1
            histogram[bucket] += 1
            self.spent += took
            if exchange.member is not None:
                state = exchange.member.state
                state.classes[kind] += 1
                state.histogram[bucket] += 1
                state.seconds += took
            route = exchange.route
            if route is not None:
                if route is not last:
                    last, tally = route, self.routes.setdefault((route.rows, route.id), Tally())
                tally.requests += 1
                tally.sent += exchange.sent
                tally.received += exchange.received
                tally.seconds += took
                tally.classes[kind] += 1
                tally.fresh[bucket] = tally.fresh.get(bucket, 0) + 1

    def after(self, number: int, limit: int) -> list[Exchange]:
        """The first ``limit`` finished exchanges with a greater number, oldest first, as far as the ring still holds
        them. Who reads on from the last number it got misses nothing that is there; ``newest - limit`` gives the tail.
        """
        skip = max(0, number - (self.newest - len(self.ring)))
        return list(islice(self.ring, skip, skip + limit))

    def kept_after(self, number: int, limit: int, failed: bool = False) -> list[Exchange]:
        """The first ``limit`` that are kept with a greater number, oldest first: what went wrong from before the ring,
        then all in the ring. With ``failed`` only what went wrong or was slow."""
        self.settle()
        if failed:
            return self.failed.after(number, limit)
        last = self.newest - len(self.ring)  # before the ring
        older = [each for each in self.failed.after(number, limit) if each.number <= last] if number < last else []
        return older + self.after(max(number, last), limit - len(older))

    def kept_before(self, number: int, limit: int, failed: bool = False) -> list[Exchange]:
        """The same backwards: at most ``limit`` with a smaller number, oldest first, and nothing left out between them
        and that number that ``kept_after`` gives."""
        self.settle()
        last = self.newest - len(self.ring)
        if failed or number <= last + 1:
            return self.failed.before(number, limit)
        first = max(last + 1, number - limit)
        return self.after(first - 1, number - first)

    def look_at(self, number: int) -> Exchange | None:
        """The finished exchange with this number, which stays for as long as others are not looked at; None when it is
        no longer kept."""
        index = number - (self.newest - len(self.ring)) - 1
        seen = self._looked_at
        held = seen.pop(number, None)
        found = self.ring[index] if 0 <= index < len(self.ring) else held or self.failed.find(number)
        if found is not None:
            seen[number] = found
            if len(seen) > LOOKED_AT:
                del seen[next(iter(seen))]
        return found

    def tick(self, at: float, members: Iterable[MemberState], generation: int) -> None:
        """Close the second that ended at epoch time ``at``."""
        self.settle()
        seconds: dict[MemberKey, MemberSecond] = {}
        members = [*members]
        for state in members:
            elected, answered, histogram = self._members_then.get(state.key, (0, 0, _EMPTY))
            if state.elected != elected or state.answered != answered:
                seconds[state.key] = MemberSecond(
                    state.elected - elected, state.answered - answered, _gained(state.histogram, histogram)
                )
        routes = {}
        for key, tally in self.routes.items():
            if tally.fresh:
                routes[key], tally.closed, tally.fresh = tally.fresh, tally.histogram, {}
        self.seconds.append(
            ClosedSecond(
                at,
                tuple(now - before for now, before in zip(self.classes, self._classes_then, strict=True)),
                _gained(self.histogram, self._histogram_then),
                seconds,
                routes,
                generation if generation != self._generation_then else 0,
            )
        )
        self.begin_second(members)
        self._generation_then = generation
        self._ticks += 1
        if self._ticks % STEP == 0:
            self.hour.close(at)

    def begin_second(self, members: Iterable[MemberState]) -> None:
        """What is counted from now on belongs to the next second."""
        then: dict[MemberKey, tuple[int, int, list[int]]] = {}
        for state in members:
            elected, answered, histogram = self._members_then.get(state.key, (-1, -1, _EMPTY))
            if state.elected != elected or state.answered != answered:
                histogram = state.histogram.copy()
            then[state.key] = (state.elected, state.answered, histogram)
        self._members_then = then
        self._classes_then = self.classes.copy()
        self._histogram_then = self.histogram.copy()

    def forget(self, rules: Container[RuleKey]) -> None:
        """Drop the totals of routes that nobody knows any more: those not among ``rules``."""
        self.settle()
        for key in [key for key in self.routes if key not in rules]:
            del self.routes[key]


def _rush(batch: list[Exchange]) -> bool:
    return batch[-1].finished - batch[0].finished < RUSH


def _gained(now: list[int], before: list[int]) -> Histogram:
    if now == before:
        return {}
    return {bucket: n - m for bucket, (n, m) in enumerate(zip(now, before, strict=True)) if n != m}
