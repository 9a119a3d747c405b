"""What the last hour is made of: cells that count what happened, bounded, and exact where something went wrong."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from proxy_core.balance.member_state import MemberKey
from proxy_core.rules.rule_state import RuleState
from proxy_core.runtime.exchange import Exchange
from proxy_core.runtime.last_hour import MOST, REST, CellCounts, CellKey, LastHour, merged

ROUTE = SimpleNamespace(state=RuleState(("routes", "shop")))
MEMBER = SimpleNamespace(key=MemberKey("shop", "a"))


def exchange(target: str = "/", status: int = 200, took: float = 0.01, **more: Any) -> Exchange:
    view = SimpleNamespace(method=b"GET", target=target.encode())
    made = {"view": view, "member": MEMBER, "route": ROUTE, "rule": None, "status": status, "cut": 0, **more}
    return cast(Exchange, SimpleNamespace(**made, started=100.0, finished=100.0 + took))


def cells(hour: LastHour) -> dict[CellKey, CellCounts]:
    hour.close(1000.0)
    return dict(hour.steps[-1].cells)


@pytest.mark.parametrize(
    ("ended", "counts"),
    [
        (exchange(), (1, 0, 0, 0)),
        (exchange(status=302), (1, 0, 0, 0)),
        (exchange(status=404), (1, 0, 0, 1)),
        (exchange(status=500), (1, 1, 0, 0)),
        (exchange(status=499), (1, 0, 1, 0)),
        (exchange(status=200, cut=502), (1, 1, 0, 0)),
        (exchange(status=200, cut=499), (1, 0, 1, 0)),
    ],
)
def test_a_request_is_counted_by_how_it_ended(ended: Exchange, counts: tuple[int, ...]) -> None:
    hour = LastHour()
    hour.add([ended], 1)
    (cell,) = cells(hour).values()
    assert (cell.requests, cell.errors, cell.left, cell.status_4xx) == counts
    assert sum(cell.durations().values()) == 1


def test_a_cell_is_of_one_member_route_rule_and_shape() -> None:
    hour = LastHour()
    rule = RuleState(("rewrites", "old"))
    hour.add([exchange("/item/1"), exchange("/item/2"), exchange("/item/3", member=None)], 1)
    hour.add([exchange("/item/4", rule=rule)], 1)
    shape = "GET /item/{n}"
    assert {key: cell.requests for key, cell in cells(hour).items()} == {
        CellKey(MemberKey("shop", "a"), ("routes", "shop"), None, shape): 2,
        CellKey(None, ("routes", "shop"), None, shape): 1,
        CellKey(MemberKey("shop", "a"), ("routes", "shop"), ("rewrites", "old"), shape): 1,
    }


def test_in_a_rush_what_went_well_is_sampled_and_what_went_wrong_is_exact() -> None:
    hour = LastHour()
    hour.add([exchange(status=503 if n % 10 == 0 else 200) for n in range(800)], 8)
    (cell,) = cells(hour).values()
    assert cell.errors == 80
    assert cell.requests == pytest.approx(800, rel=0.1)


def test_a_flood_of_paths_makes_no_more_cells_than_there_may_be() -> None:
    hour = LastHour()
    hour.add([exchange(f"/page-{'x' * (n % 60)}-{chr(97 + n // 60)}") for n in range(1500)], 1)
    found = cells(hour)
    assert len(found) <= MOST + 1
    assert sum(cell.requests for cell in found.values()) == 1500
    assert any(key.shape == REST for key in found)


def test_cells_together_count_what_each_counts() -> None:
    hour = LastHour()
    hour.add([exchange(status=500, took=0.1), exchange(took=0.2)], 1)
    first = cells(hour)
    hour.add([exchange(status=404, took=0.1)], 1)

    def both() -> Iterator[CellCounts]:
        yield from first.values()
        yield from cells(hour).values()

    total = merged(both())
    assert (total.requests, total.errors, total.status_4xx) == (3, 1, 1)
    assert sorted(total.durations().values()) == [1, 2]
