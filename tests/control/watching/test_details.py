"""What one member, route or rule did is told from its own cells: on which paths, how long, and in which minute."""

from __future__ import annotations

import pytest

from proxy_core.balance.latency_histogram import bucket_of
from proxy_core.balance.member_state import MemberKey
from proxy_core.control.watching.details import SPAN, details
from proxy_core.control.watching.troubles import Subject
from proxy_core.runtime.last_hour import CellCounts, CellKey, TenSeconds

T = 1_000_000.0


def step(n: int, errors: int = 0, pool: str = "s", route: str = "shop") -> TenSeconds:
    """Two members, two paths; one of them fails at b."""
    row, a, b = ("routes", route), MemberKey(pool, "a"), MemberKey(pool, "b")
    cells = (
        (CellKey(a, row, None, "GET /"), CellCounts(10, 0, 1, 2, {bucket_of(0.004): 10})),
        (CellKey(b, row, None, "GET /"), CellCounts(10, 0, 0, 0, {bucket_of(0.004): 10})),
        (
            CellKey(b, row, ("rewrites", "old"), "POST /buy"),
            CellCounts(5, errors, 0, 0, {bucket_of(0.3): 5}),
        ),
    )
    return TenSeconds(T + 10 * n, cells)


@pytest.mark.parametrize(
    ("subject", "requests", "part_5xx", "shapes"),
    [
        (Subject("member", "s", "a"), 120, 0.0, ["GET /"]),
        (Subject("member", "s", "b"), 180, 1 / 15, ["POST /buy", "GET /"]),
        (Subject("route", "routes", "shop"), 300, 0.04, ["POST /buy", "GET /"]),
        (Subject("rule", "rewrites", "old"), 60, 0.2, ["POST /buy"]),
        (Subject("shape", "", "GET /"), 240, 0.0, ["GET /"]),
        (Subject("member", "s", "c"), 0, -1.0, []),
    ],
)
async def test_it_is_of_its_own_cells_and_the_worst_path_comes_first(
    subject: Subject, requests: float, part_5xx: float, shapes: list[str]
) -> None:
    found = await details([step(n, errors=1) for n in range(12)], subject)
    assert (found.seconds, found.requests, found.part_5xx) == (120, requests, pytest.approx(part_5xx))
    assert [each.shape for each in found.shapes] == shapes
    assert [minute.requests for minute in found.minutes] == [requests / 2] * 2


async def test_how_long_they_took_is_told_from_the_first_bound_to_the_last_that_has_some() -> None:
    found = await details([step(0)], Subject("member", "s", "b"))
    assert found.histogram == ((0.005, 10), (0.01, 0), (0.02, 0), (0.05, 0), (0.1, 0), (0.2, 0), (0.5, 5))
    assert (found.left, (await details([step(0)], Subject("member", "s", "a"))).left) == (0, 1)


async def test_figures_are_of_ten_minutes_and_minutes_of_the_whole_hour() -> None:
    steps = [step(n, errors=5 if n < 100 else 0) for n in range(SPAN + 120)]
    found = await details(steps, Subject("member", "s", "b"))
    assert (found.seconds, found.part_5xx, len(found.minutes)) == (600, 0.0, 30)
    assert found.minutes[0].errors == 30
    assert found.minutes[-1].errors == 0
    assert found.minutes[-1].at == steps[-1].at
    assert (await details([], Subject("member", "s", "b"))).minutes == ()
