"""Charts: round scales, and edits that stand at their moment."""

from __future__ import annotations

import pytest

from proxy_core.control.view import Second
from rproxy_tui.widgets.charts import axis, bars, ceiling


def test_bars_show_what_is_above_zero_and_reach_the_top_at_a_round_number() -> None:
    assert bars([0, 0.001, 50, 100], 2) == ["   █", " ▁██"]
    assert bars([-1, -1], 2) == ["  ", "  "]
    assert [ceiling(value) for value in (0, 0.3, 1, 40, 50, 51)] == [1, 0.5, 1, 50, 50, 100]


def test_the_axis_marks_the_edits_with_their_generation() -> None:
    seconds = [Second(float(at), 1, 0, 0, 0.1, 0.1, 0.1, {3: 1, 100: 12}.get(at, 0)) for at in range(120)]
    assert axis(seconds, 24) == "▲1──────────────────▲12─"
    assert axis([], 5) == "─────"


@pytest.mark.parametrize(
    ("edits", "shown"),
    [
        ({50: 4, 55: 6}, "──────────▲▲6───────────"),
        ({50: 4, 60: 6}, "──────────▲4▲6──────────"),
        ({50: 41, 60: 6}, "──────────▲─▲6──────────"),
        ({105: 4, 118: 12}, "─────────────────────12▲"),
        ({95: 4, 118: 12}, "───────────────────▲─12▲"),
        ({90: 4, 118: 12}, "──────────────────▲4─12▲"),
    ],
)
def test_two_edits_beside_each_other_never_become_a_third(edits: dict[int, int], shown: str) -> None:
    seconds = [Second(float(at), 1, 0, 0, 0.1, 0.1, 0.1, edits.get(at, 0)) for at in range(120)]
    assert axis(seconds, 24) == shown
