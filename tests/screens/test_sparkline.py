"""Sparklines and bars: pictures that do not tremble as time moves."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rproxy_tui.widgets.charts import bar, columns, sparkline


@given(st.lists(st.floats(0, 1e6), max_size=200), st.integers(1, 130), st.integers(0, 10**9))
def test_columns_only_walk_to_the_left_as_time_moves(values: list[float], width: int, end: int) -> None:
    before = columns(values, width, 120, end)
    each = max(1, -(-120 // width))
    after = columns([*values, 5.0], width, 120, end + 1)
    shift = (end + 1) // each - end // each
    kept = width - 1 if not shift else width
    assert after[: kept - shift] == before[shift:kept]
    assert after[-1] >= 5.0


def test_a_sparkline_is_scaled_to_its_greatest_value_and_blank_where_nothing_was() -> None:
    assert sparkline([0, 1, 4, 8], 4, end=59, span=4) == " ▁▄█"
    assert sparkline([], 5, end=0) == "     "


@given(st.floats(-1, 2), st.integers(1, 20), st.none() | st.floats(0, 1))
def test_a_bar_has_its_width(fraction: float, width: int, mark: float | None) -> None:
    drawn = bar(fraction, width, mark)
    assert len(drawn) == width
    assert ("┃" in drawn) == (mark is not None)
