"""What went wrong, kept for longer than what went well.

The ring of all requests is gone within a minute of heavy traffic, and with it the evidence. So requests that failed
(5xx, 499, an answer that was cut) have a ring of their own, and slow ones another, so that a slow hour does not drive
out the failures. Each is bounded in requests and bytes, and holds at most GENERATIONS rule sets in memory. Adding is
part of settling what is finished, in batches; the request path never looks for anything here.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from heapq import merge
from itertools import islice
from operator import attrgetter

from proxy_core.runtime.exchange import CLIENT_LEFT, Exchange

SLOW = 0.5
"""Seconds from which a request is slow."""
ERRORS, ERROR_BYTES = 5000, 16 * 1024 * 1024
"""Failed exchanges that are kept at most, and their bytes, about (``Exchange.weight``)."""
SLOW_ONES, SLOW_BYTES = 1000, 4 * 1024 * 1024
"""The same of slow ones."""
GENERATIONS = 50
"""An exchange goes when so many generations have come after its own."""
SWITCHED = 101
"""The status of a tunnel, which is as long as it is."""
_number = attrgetter("number")


def failed(status: int, cut: int) -> bool:
    """Whether an answer is an error, or was none. ``cut`` is the status of what cut it, 0 for nothing."""
    return status >= CLIENT_LEFT or cut > 0


def is_slow(status: int, took: float) -> bool:
    return took >= SLOW and status != SWITCHED


class KeptRequests:
    """Finished exchanges, oldest first, with gaps in their numbers."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._ring = deque[Exchange]()
        self._weight = 0

    def add(self, exchange: Exchange) -> None:
        ring = self._ring
        ring.append(exchange)
        self._weight += exchange.weight
        oldest = exchange.rules.generation - GENERATIONS
        while ring and (len(ring) > self._most or self._weight > self._most_bytes or ring[0].rules.generation < oldest):
            self._weight -= ring.popleft().weight

    def after(self, number: int, limit: int) -> list[Exchange]:
        at = bisect_right(self._ring, number, key=_number)
        return list(islice(self._ring, at, at + limit))

    def before(self, number: int, limit: int) -> list[Exchange]:
        at = bisect_left(self._ring, number, key=_number)
        return list(islice(self._ring, max(0, at - limit), at))


class FailedRequests:
    """The failed and the slow ones, read as one."""

    def __init__(self) -> None:
        self._failed = KeptRequests(ERRORS, ERROR_BYTES)
        self._slow = KeptRequests(SLOW_ONES, SLOW_BYTES)

    def add(self, exchange: Exchange) -> None:
        """Keep a finished exchange that failed or was slow; each once, in the order of their numbers."""
        if failed(exchange.status, exchange.cut):
            self._failed.add(exchange)
        elif is_slow(exchange.status, exchange.finished - exchange.started):
            self._slow.add(exchange)

    def after(self, number: int, limit: int) -> list[Exchange]:
        """The first ``limit`` that are kept with a greater number, oldest first."""
        both = (self._failed.after(number, limit), self._slow.after(number, limit))
        return list(islice(merge(*both, key=_number), limit))

    def before(self, number: int, limit: int) -> list[Exchange]:
        """The last ``limit`` that are kept with a smaller number, oldest first."""
        both = (self._failed.before(number, limit), self._slow.before(number, limit))
        return list(merge(*both, key=_number))[-limit:]

    def find(self, number: int) -> Exchange | None:
        found = self.after(number - 1, 1)
        return found[0] if found and found[0].number == number else None
