"""How much the numbers say: counts held against what was to be expected.

A measure counts some of the requests of a cell: those that failed, those refused, those that took longer than was
usual for their shape. What is expected of a cell is its requests times the part that the same measure counts among
others (``Odds``), shape by shape, so that a mix of paths is never taken for a fault: indirect standardisation, as
epidemiology has it. How surprising the sum is says the deviance of a Poisson law, made smaller by how much more than
that law the numbers always vary. Pure; no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import log, sqrt
from statistics import median
from typing import NamedTuple

from proxy_core.balance.latency_histogram import Histogram
from proxy_core.runtime.last_hour import CellCounts, CellKey

USUAL = 0.95
"""The part of requests that are as fast as usual."""
DOUBLED = 8
"""Buckets of a histogram that are one doubling."""
FEWEST = 20
"""Requests of a shape from which it is known how long they usually take."""
SHRINK = 5.0
"""A shape of which little is known is taken to be like all: this many requests' worth."""

UNKNOWN = 5.0
"""How much more than a Poisson law counts are taken to vary of which hardly a minute is known."""
MEDIAN_OF_CHI_SQUARE = 0.455
"""With one degree of freedom."""

Count = Callable[[CellKey, CellCounts], float]
"""What a measure counts in a cell."""


def errors(_: CellKey, cell: CellCounts) -> float:
    return cell.errors


def refusals(_: CellKey, cell: CellCounts) -> float:
    return cell.status_4xx


def slower_than(usual: Mapping[str, int]) -> Count:
    """What counts the requests that took more than twice as long as nearly all of their shape do; ``usual`` says the
    bucket for each shape. A shape that is not in it counts nothing."""

    def count(key: CellKey, cell: CellCounts) -> float:
        bucket = usual.get(key.shape)
        if bucket is None:
            return 0
        return sum(n for at, n in cell.durations().items() if at > bucket)

    return count


def usual_buckets(cells: Iterable[tuple[CellKey, CellCounts]]) -> dict[str, int]:
    """For each shape the bucket of twice the time within which most of its requests were over."""
    shapes: dict[str, dict[int, int]] = {}
    for key, cell in cells:
        total = shapes.setdefault(key.shape, {})
        for bucket, count in cell.durations().items():
            total[bucket] = total.get(bucket, 0) + count
    return {shape: high_bucket(counts) + DOUBLED for shape, counts in shapes.items() if sum(counts.values()) >= FEWEST}


def high_bucket(histogram: Histogram) -> int:
    """The bucket within which USUAL of the requests are; 0 for none."""
    wanted, seen = USUAL * sum(histogram.values()), 0
    for bucket in sorted(histogram):
        seen += histogram[bucket]
        if seen >= wanted:
            return bucket
    return 0


class Odds(NamedTuple):
    """The part of requests that a measure counts: of each shape, of all, and from how many that is known."""

    shapes: Mapping[str, float]
    overall: float
    requests: float

    def of(self, shape: str) -> float:
        return self.shapes.get(shape, self.overall)


def odds(cells: Iterable[tuple[CellKey, CellCounts]], count: Count) -> Odds:
    """What a measure says of these; never quite nothing, so that the first one that fails is not a miracle."""
    shapes: dict[str, tuple[float, float]] = {}
    for key, cell in cells:
        counted, requests = shapes.get(key.shape, (0.0, 0.0))
        shapes[key.shape] = (counted + count(key, cell), requests + cell.requests)
    total = sum(requests for _, requests in shapes.values())
    overall = (sum(counted for counted, _ in shapes.values()) + 0.5) / (total + 1)
    return Odds(
        {
            shape: (counted + SHRINK * overall) / (requests + SHRINK) for shape, (counted, requests) in shapes.items()
        },
        overall,
        total,
    )  # fmt: skip


class Comparison(NamedTuple):
    """What a measure counted, what was expected, and of how many requests."""

    counted: float
    expected: float
    requests: float

    @property
    def part(self) -> float:
        return self.counted / self.requests if self.requests else 0.0

    @property
    def expected_part(self) -> float:
        return self.expected / self.requests if self.requests else 0.0


def against(cells: Iterable[tuple[CellKey, CellCounts]], count: Count, usual: Odds) -> Comparison:
    counted = expected = requests = 0.0
    for key, cell in cells:
        counted += count(key, cell)
        expected += cell.requests * usual.of(key.shape)
        requests += cell.requests
    return Comparison(counted, expected, requests)


def surprise(seen: Comparison, spread: float = 1.0) -> float:
    """In standard deviations, about: the signed root of the Poisson deviance, for numbers that vary ``spread`` times
    as much as that law says. 0 where there is less than expected."""
    if seen.counted <= seen.expected or seen.expected <= 0:
        return 0.0
    deviance = 2 * (seen.counted * log(seen.counted / seen.expected) - (seen.counted - seen.expected))
    return sqrt(deviance / spread)


def spread_of(blocks: Iterable[Comparison]) -> float:
    """How much more than a Poisson law such counts vary from one minute to the next, at least 1: the median of
    Pearson's terms by that of chi-square, so that an hour with some bad minutes in it is not taken for one that
    always varies. Of few minutes little is known, so they vary more."""
    terms = [(seen.counted - seen.expected) ** 2 / max(seen.expected, 0.5) for seen in blocks if seen.requests]
    if len(terms) < 3:
        return UNKNOWN
    return max(1.0, median(terms) / MEDIAN_OF_CHI_SQUARE * (1 + 5 / len(terms)))


def onset(steps: Iterable[Comparison], ratio: float) -> int:
    """How many of the newest steps (given from the newest back) belong to a time in which there was ``ratio`` times as
    much as expected: the likeliest change (the cumulative sum of Page, read backwards)."""
    best = total = 0.0
    found = 1
    for age, seen in enumerate(steps, 1):
        total += seen.counted * log(ratio) - seen.expected * (ratio - 1)
        if total > best:
            best, found = total, age
        elif total < best - 30:
            break
    return found
