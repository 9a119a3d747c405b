"""How long requests took, as counts in logarithmic buckets: HdrHistogram's idea, in integers.

Eight buckets lie in each doubling of microseconds, so a bucket is at most 9 % wide. Adding to one costs the data path
an index; percentiles are worked out when somebody reads them, from any number of histograms together. Pure.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable

BUCKETS = 34 * 8
"""Up to 2.4 hours; what took longer is in the last bucket."""

_BEGINNINGS = [(8 + bucket % 8) << bucket // 8 for bucket in range(1, BUCKETS)]
"""The microseconds at which each bucket begins, but for the first, in which all shorter ones are."""

Histogram = dict[int, int]
"""Counts by bucket; empty buckets are left out."""


def bucket_of(seconds: float) -> int:
    """The bucket of a duration: its exponent, then three bits of its mantissa."""
    return bisect_right(_BEGINNINGS, seconds * 1e6)


def seconds_of(bucket: int) -> float:
    """The middle of a bucket, in seconds."""
    exponent, mantissa = divmod(bucket, 8)
    return float((8 + mantissa + 0.5) * (1 << exponent)) / 1e6


def merged(histograms: Iterable[Histogram]) -> Counter[int]:
    """What all of them count."""
    counts = Counter[int]()
    for histogram in histograms:
        counts.update(histogram)
    return counts


def percentiles(histograms: Iterable[Histogram]) -> tuple[float, float, float]:
    """p50, p95 and p99 in seconds over all the histograms; -1.0 each where they are empty."""
    counts = merged(histograms)
    total = counts.total()
    if not total:
        return (-1.0, -1.0, -1.0)
    found, seen, ordered = [], 0, iter(sorted(counts.items()))
    bucket = 0
    for wanted in (0.50, 0.95, 0.99):
        while seen < wanted * total:
            bucket, count = next(ordered)
            seen += count
        found.append(seconds_of(bucket))
    return (found[0], found[1], found[2])
