"""What one member, route or rule did: how its requests ended, how long they took, on which paths, minute by minute.

Worked out from the steps of the last hour when somebody asks, in slices that the traffic does not feel. What is asked
of a moment that is past is answered by the steps before it.
"""

from __future__ import annotations

from asyncio import sleep
from collections.abc import Sequence

from msgspec import Struct

from proxy_core.balance.latency_histogram import percentiles, seconds_of
from proxy_core.control.watching.troubles import Subject
from proxy_core.runtime.last_hour import STEP, CellCounts, CellKey, TenSeconds, merged

SPAN = 60
"""Steps that are told of: ten minutes."""
MINUTE = 6
"""Steps of a minute."""
MOST_SHAPES = 30
"""Shapes that are told of: those with most errors, then those that take longest."""
BOUNDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds up to which requests are counted together."""


class ShapeDid(Struct, frozen=True, array_like=True):
    """How the requests of one shape of path ended."""

    shape: str
    """``GET /item/{n}``."""
    requests: float
    """How many there were."""
    part_4xx: float
    """The part that ended with 4xx, 0 to 1."""
    part_5xx: float
    """The part that ended with 5xx, or was cut."""
    p50: float
    """Seconds in which half of them were over."""
    p95: float
    """The same for 95 of 100."""


class MinuteDid(Struct, frozen=True, array_like=True):
    """How the requests of one minute ended; ``at`` is its end, ``p95`` -1 where there were none."""

    at: float
    requests: float
    errors: int
    status_4xx: int
    p95: float


class Details(Struct, frozen=True, kw_only=True):
    """What one member, route or rule did lately, beyond what a snapshot says."""

    seconds: float
    """How long a time that is."""
    requests: float
    """How many there were in it."""
    part_4xx: float
    """The part that ended with 4xx, 0 to 1; -1 where there were none."""
    part_5xx: float
    """The same for 5xx and for answers that were cut."""
    left: int
    """Those whose client left before the answer."""
    p50: float
    """Seconds in which half of them were over; -1 where there were none."""
    p95: float
    """The same for 95 of 100."""
    histogram: tuple[tuple[float, int], ...]
    """Up to how many seconds (-1 for any) so many of them took."""
    shapes: tuple[ShapeDid, ...]
    """On which paths, those with most errors first, then those that take longest."""
    minutes: tuple[MinuteDid, ...]
    """Each minute of the last hour, oldest first."""


def belongs(subject: Subject, key: CellKey) -> bool:
    kind, home, name = subject
    match kind:
        case "member":
            return key.member is not None and key.member == (home, name)
        case "route":
            return key.route is not None and key.route == (home, name)
        case "rule":
            return key.rule is not None and key.rule == (home, name)
        case "shape":
            return key.shape == name
    return True


async def details(steps: Sequence[TenSeconds], subject: Subject) -> Details:
    """What the subject did in the last of these steps, and in each minute of all of them."""
    shapes: dict[str, list[CellCounts]] = {}
    minutes = list[MinuteDid]()
    for end in range(len(steps), 0, -MINUTE):
        cells = list[CellCounts]()
        for place in range(max(0, end - MINUTE), end):
            for key, cell in steps[place].cells:
                if belongs(subject, key):
                    cells.append(cell)
                    if place >= len(steps) - SPAN:
                        shapes.setdefault(key.shape, []).append(cell)
        total = merged(cells)
        took = percentiles([total.durations()])[1]
        minutes.append(MinuteDid(steps[end - 1].at, total.requests, total.errors, total.status_4xx, took))
        await sleep(0)
    totals = {shape: merged(cells) for shape, cells in shapes.items()}
    whole = merged(totals.values())
    p50, p95, _ = percentiles([whole.durations()])
    told = sorted(map(_shape, totals, totals.values()), key=lambda each: (-each.part_5xx * each.requests, -each.p95))
    return Details(
        seconds=float(STEP * min(SPAN, len(steps))),
        requests=whole.requests,
        part_4xx=_part(whole, whole.status_4xx),
        part_5xx=_part(whole, whole.errors),
        left=whole.left,
        p50=p50,
        p95=p95,
        histogram=_histogram(whole),
        shapes=tuple(told[:MOST_SHAPES]),
        minutes=tuple(reversed(minutes)),
    )


def _shape(shape: str, total: CellCounts) -> ShapeDid:
    p50, p95, _ = percentiles([total.durations()])
    return ShapeDid(shape, total.requests, _part(total, total.status_4xx), _part(total, total.errors), p50, p95)


def _histogram(total: CellCounts) -> tuple[tuple[float, int], ...]:
    """Up to how many seconds (-1 for any) so many requests took; from the first bound that has some to the last."""
    counts = [0] * (len(BOUNDS) + 1)
    for bucket, count in total.durations().items():
        took = seconds_of(bucket)
        counts[next((n for n, bound in enumerate(BOUNDS) if took <= bound), len(BOUNDS))] += count
    there = [n for n, count in enumerate(counts) if count]
    bounds = (*BOUNDS, -1.0)
    return tuple((bounds[n], counts[n]) for n in range(there[0], there[-1] + 1)) if there else ()


def _part(total: CellCounts, counted: int) -> float:
    return counted / total.requests if total.requests else -1.0
