"""What a generation did, as the numbers say: how the site's requests ended before it came into force, and after.

Held against each other are the five minutes before and after, in steps of the last hour that lie whole on one side, and
no further than to the generation next to it. Generations that follow each other within a step cannot be told apart:
the last of them is told of for all. It is what happened around it, not what it caused: that is for people to say, who
see how far both sides reach. Pure but for ``Effects``, which remembers what was found, so that it outlives the hour.
"""

from __future__ import annotations

from asyncio import sleep
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Sequence
from math import inf
from operator import attrgetter
from typing import NamedTuple

from msgspec import Struct

from proxy_core.balance.latency_histogram import percentiles
from proxy_core.control.watching.troubles import AppliedAt
from proxy_core.runtime.last_hour import STEP, STEPS, CellCounts, TenSeconds, merged

SPAN = 300.0
"""Seconds before and after that are looked at."""
FEWEST = 20
"""Requests on each side from which parts and percentiles say something."""
SETTLES = SPAN + 2 * STEP
"""Seconds after which no more is found."""
NOTED = 0.005
"""The change in the part of 4xx from which it is told."""
_at = attrgetter("at")


class Side(Struct, frozen=True, array_like=True):
    """How requests ended on one side of a generation."""

    requests: float
    """How many there were."""
    part_5xx: float
    """The part that ended with 5xx, or was cut, 0 to 1."""
    part_4xx: float
    """The part that ended with 4xx, 0 to 1."""
    p95: float
    """Seconds in which 95 of 100 were over; -1 for none."""
    seconds: float
    """How long a time that is."""


class GenerationEffect(Struct, frozen=True, kw_only=True):
    """The two sides of a generation, or of several that followed each other too fast: ``first`` is the first of
    them."""

    before: Side
    after: Side
    first: int


class StepTotal(NamedTuple):
    """All that a step counts, and when it ended."""

    at: float
    counts: CellCounts


def effect(steps: Sequence[StepTotal], generations: Sequence[AppliedAt], place: int) -> GenerationEffect | None:
    """What the generation at a ``place`` did; None where a side is not known: it is the first, or another came at
    once, or there are no steps of then."""
    at = generations[place].at
    end = generations[place + 1].at if place + 1 < len(generations) else at + SPAN
    after = _between(steps, at, min(end, at + SPAN))
    before, first = steps[:0], generations[place]
    while place and not before:
        first, place = generations[place], place - 1
        before = _between(steps, max(generations[place].at, first.at - SPAN), first.at)
    return GenerationEffect(before=_side(before), after=_side(after), first=first.number) if before and after else None


def _between(steps: Sequence[StepTotal], begin: float, end: float) -> Sequence[StepTotal]:
    """The steps that lie whole between two times."""
    return steps[bisect_left(steps, begin + STEP, key=_at) : bisect_right(steps, end, key=_at)]


def _side(steps: Sequence[StepTotal]) -> Side:
    total = merged(step.counts for step in steps)
    return Side(
        requests=total.requests,
        part_5xx=_part(total, total.errors),
        part_4xx=_part(total, total.status_4xx),
        p95=percentiles([total.durations()])[1],
        seconds=float(STEP * len(steps)),
    )


def _part(total: CellCounts, counted: int) -> float:
    return counted / total.requests if total.requests else 0.0


def sentence(found: GenerationEffect | None, number: int) -> str:
    """``5xx 0.0 → 0.4 %, p95 40 → 42 ms`` of the generation ``number``; "" where nothing is known."""
    if found is None:
        return ""
    before, after = found.before, found.after
    if min(before.requests, after.requests) < FEWEST:
        return "too few requests to tell"
    parts = [f"5xx {100 * before.part_5xx:.1f} → {100 * after.part_5xx:.1f} %"]
    if abs(after.part_4xx - before.part_4xx) >= NOTED:
        parts.append(f"4xx {100 * before.part_4xx:.1f} → {100 * after.part_4xx:.1f} %")
    parts.append(f"p95 {_ms(before.p95)} → {_ms(after.p95)} ms")
    if found.first != number:
        parts.append(f"g{found.first} to g{number} together")
    return ", ".join(parts)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f}" if seconds >= 0.01 else f"{seconds * 1000:.1f}"


class Effects:
    """What each generation did of which that is known, by its number."""

    def __init__(self) -> None:
        self.found: dict[int, GenerationEffect] = {}
        self._totals = deque[StepTotal](maxlen=STEPS)

    async def look(self, steps: Iterable[TenSeconds], generations: Sequence[AppliedAt]) -> None:
        """To be called after each step that is closed: those are looked at anew of which more may be known. A slice of
        it takes few milliseconds of the loop."""
        known = self._totals[-1].at if self._totals else -inf
        for step in [*steps]:
            if step.at > known:
                self._totals.append(StepTotal(step.at, merged(cell for _, cell in step.cells)))
                await sleep(0)
        totals = [*self._totals]
        kept = {each.number for each in generations}
        self.found = {number: each for number, each in self.found.items() if number in kept}
        for place, each in enumerate(generations):
            if each.at > totals[-1].at - SETTLES or (each.at > totals[0].at and each.number not in self.found):
                if (found := effect(totals, generations, place)) is not None:
                    self.found[each.number] = found
                await sleep(0)
