"""Finished requests in groups: by path, route, rule, member, status, client, or two of them.

A group is what one filter holds for: whoever goes into a group filters by its terms, so groups and filters cannot mean
different things. Paths are grouped by their shape, so that ids do not scatter them. Pure; percentiles are those of the
buckets of ``latency_histogram``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import nlargest
from typing import Any

from msgspec import Struct, field

from proxy_core.balance.latency_histogram import bucket_of, percentiles
from proxy_core.control.watching.log_records import Record
from proxy_core.control.watching.record_filter import term, values_of
from proxy_core.runtime.last_hour import CellCounts

BY: dict[str, tuple[str, ...]] = {
    "path": ("shape",),
    "route": ("route",),
    "rule": ("rule",),
    "member": ("balancer", "member"),
    "status": ("status",),
    "client": ("client",),
}
"""What requests are grouped by, and the fields of the filter language that say it."""
SPAN = 60
"""Seconds of the newest requests that are counted one by one."""


class RequestGroup(Struct, frozen=True, kw_only=True):
    """The requests that have something in common."""

    names: tuple[str, ...]
    """What they have in common, for each thing that is grouped by; "" for none."""
    filter: str
    """The filter that holds for them."""
    requests: int
    """How many there are."""
    errors: int
    """Those with a status of 5xx, and those whose answer was cut."""
    status_4xx: int
    """Those with a status of 4xx, but for those whose client left."""
    left: int
    """Those whose client left before the answer (499)."""
    p50: float
    """Seconds in which half of them were complete."""
    p95: float
    """The same for 95 of 100."""
    last: float
    """When the last one came, in seconds since the epoch."""
    per_second: tuple[int, ...]
    """How many came in each of the last seconds, up to the newest of all groups, the oldest first."""


class GroupCounts(CellCounts):
    """What is counted of a group, and when: ``last`` is when the newest came, ``seconds`` how many in each."""

    last: float = 0.0
    seconds: dict[int, int] = field(default_factory=dict)


class Grouping:
    """Groups that are being counted. ``by`` are words of BY."""

    def __init__(self, by: tuple[str, ...]) -> None:
        self._fields = tuple(name for word in by for name in BY[word])
        self._widths = [len(BY[word]) for word in by]
        self._values = values_of(self._fields)
        self._counts: dict[tuple[Any, ...], GroupCounts] = {}
        self._newest = 0.0

    def add(self, records: Iterable[Record]) -> None:
        values, counts, newest = self._values, self._counts, self._newest
        for record in records:
            key = values(record)
            count = counts.get(key)
            if count is None:
                count = counts[key] = GroupCounts()
            weight = record.weight
            count.requests += weight
            count.ended(record.status, record.cut, weight)
            at = record.at
            if at > count.last:
                count.last = at
                if at > newest:
                    newest = at
            histogram, bucket = count.durations(), bucket_of(record.total)
            histogram[bucket] = histogram.get(bucket, 0) + weight
            second = int(at)
            count.seconds[second] = count.seconds.get(second, 0) + weight
        self._newest = newest

    def largest(self, most: int) -> list[tuple[Any, ...]]:
        """The values that the largest groups have in common, of at most so many groups."""
        return [key for key, _ in nlargest(most, self._counts.items(), key=lambda each: each[1].requests)]

    def group(self, key: tuple[Any, ...]) -> RequestGroup:
        """The group of what has these values."""
        counts = self._counts[key]
        p50, p95, _ = percentiles((counts.durations(),))
        end = int(self._newest)
        return RequestGroup(
            names=self._names(key),
            filter=" ".join(map(term, self._fields, key)),
            requests=int(counts.requests),
            errors=counts.errors,
            status_4xx=counts.status_4xx,
            left=counts.left,
            p50=p50,
            p95=p95,
            last=counts.last,
            per_second=tuple(counts.seconds.get(second, 0) for second in range(end - SPAN + 1, end + 1)),
        )

    def _names(self, key: tuple[Any, ...]) -> tuple[str, ...]:
        names, at = [], 0
        for width in self._widths:
            names.append("/".join(str(value) for value in key[at : at + width] if value != ""))
            at += width
        return tuple(names)


ORDERS: dict[str, Callable[[RequestGroup], Any]] = {
    "requests": lambda group: (group.requests, group.last),
    "5xx": lambda group: (group.errors, group.requests),
    "4xx": lambda group: (group.status_4xx, group.requests),
    "p95": lambda group: (group.p95, group.requests),
    "last": lambda group: group.last,
}
"""How groups are ordered, greatest first."""
