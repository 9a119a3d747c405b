"""What a generation did is told from the steps on both sides of it, and from no others."""

from __future__ import annotations

import pytest

from proxy_core.balance.latency_histogram import bucket_of
from proxy_core.control.watching.effects import Effects, GenerationEffect, Side, effect, sentence
from proxy_core.control.watching.effects import StepTotal as Total
from proxy_core.control.watching.troubles import AppliedAt
from proxy_core.runtime.last_hour import CellCounts, CellKey, TenSeconds

T = 1_000_000.0


def hour(*sides: tuple[int, int, float]) -> list[Total]:
    """Steps one after the other: for each side so many, with so many of 100 requests failing, and their time."""
    made = list[Total]()
    for count, errors, took in sides:
        for _ in range(count):
            counts = CellCounts(100, errors, 0, 2, {bucket_of(took): 100})
            made.append(Total(T + 10 * (len(made) + 1), counts))
    return made


def at(*seconds: float) -> list[AppliedAt]:
    """Generations from 1 on."""
    return [AppliedAt(number, T + each) for number, each in enumerate((-1e6, *seconds), 1)]


def test_both_sides_are_five_minutes_at_most() -> None:
    found = effect(hour((100, 9, 1.0), (30, 0, 0.02), (30, 4, 0.04), (50, 9, 1.0)), at(1300), 1)
    assert found is not None
    assert (found.before.part_5xx, found.after.part_5xx) == (0.0, 0.04)
    assert (found.before.seconds, found.after.seconds, found.after.requests) == (300, 300, 3000)
    assert (found.before.p95, found.after.p95) == pytest.approx((0.02, 0.04), rel=0.1)


def test_a_step_in_which_it_came_belongs_to_no_side() -> None:
    found = effect(hour((3, 0, 0.02), (1, 50, 1.0), (3, 4, 0.04)), at(33), 1)
    assert found is not None
    assert (found.before.part_5xx, found.after.part_5xx, found.after.seconds) == (0.0, 0.04, 30)


def test_a_side_ends_at_the_next_generation() -> None:
    steps = hour((5, 0, 0.02), (5, 10, 0.02), (5, 90, 0.02))
    first, second = effect(steps, at(50, 100), 1), effect(steps, at(50, 100), 2)
    assert first is not None
    assert second is not None
    assert (first.before.part_5xx, first.after.part_5xx) == (0.0, 0.1)
    assert (second.before.part_5xx, second.after.part_5xx) == (0.1, 0.9)


def test_generations_at_once_are_told_of_together_at_the_last_of_them() -> None:
    steps = hour((5, 0, 0.02), (6, 10, 0.02))
    generations = at(50, 53, 57)
    assert [effect(steps, generations, place) for place in (0, 1, 2)] == [None] * 3
    last = effect(steps, generations, 3)
    assert last is not None
    assert (last.first, last.before.part_5xx, last.after.part_5xx) == (2, 0.0, 0.1)
    assert sentence(last, 4).endswith(", g2 to g4 together")


@pytest.mark.parametrize("when", [-500.0, 5.0, 118.0, 5000.0])
def test_without_steps_on_a_side_nothing_is_told(when: float) -> None:
    assert effect(hour((12, 0, 0.02)), at(when), 1) is None


def side(requests: int, part_5xx: float = 0.0, p95: float = 0.04, part_4xx: float = 0.02) -> Side:
    return Side(requests, part_5xx, part_4xx, p95, 300.0)


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        (side(900), side(900, 0.004, 0.042), "5xx 0.0 → 0.4 %, p95 40 → 42 ms"),
        (side(900), side(900, part_4xx=0.3), "5xx 0.0 → 0.0 %, 4xx 2.0 → 30.0 %, p95 40 → 40 ms"),
        (side(900, p95=0.0012), side(900), "5xx 0.0 → 0.0 %, p95 1.2 → 40 ms"),
        (side(900), side(19), "too few requests to tell"),
    ],
)
def test_it_is_told_in_a_line(before: Side, after: Side, says: str) -> None:
    assert sentence(GenerationEffect(before=before, after=after, first=2), 2) == says


def steps_of(totals: list[Total]) -> list[TenSeconds]:
    key = CellKey(None, None, None, "GET /")
    return [TenSeconds(each.at, ((key, each.counts),)) for each in totals]


async def test_what_was_found_outlives_its_steps_and_not_its_generation() -> None:
    effects, steps, generations = Effects(), steps_of(hour((6, 0, 0.02), (6, 10, 0.02), (80, 0, 0.02))), at(60)
    for n in range(1, 12):
        await effects.look(steps[:n], generations)
    assert effects.found[2].after.seconds == 50, "more is found as time goes on"
    await effects.look(steps[:37], generations)
    settled = effects.found[2]
    assert settled.after.seconds == 300
    await effects.look(steps, generations)
    assert effects.found[2] is settled
    await effects.look(steps, generations[:1])
    assert effects.found == {}
