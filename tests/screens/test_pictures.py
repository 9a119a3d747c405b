"""Numbers in words, sparklines, bars and charts: stable widths, and pictures that do not tremble as time moves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from proxy_core.control.view import Second
from rproxy_tui import words
from rproxy_tui.widgets.charts import axis, bars, ceiling
from rproxy_tui.widgets.sparkline import bar, columns, sparkline
from rproxy_tui.widgets.table import Column, Window, fitted, marked


@pytest.mark.parametrize(
    ("number", "expected"),
    [(0, "0"), (999, "999"), (9_999, "9,999"), (10_000, "10.0k"), (99_960, "100k"), (999_600, "1.00M"), (5e9, "5.00G")],
)
def test_counts(number: float, expected: str) -> None:
    assert words.count(number) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(-1, "–"), (0, "0.00"), (0.00085, "0.85"), (0.0123, "12.3"), (0.15, "150"), (1.502, "1,502"), (250.0, "250k")],
)
def test_milliseconds(seconds: float, expected: str) -> None:
    assert words.millis(seconds) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"), [(-3, "0 s"), (12.4, "12 s"), (180, "3 min"), (7200, "2 h"), (259_200, "3 days")]
)
def test_spans(seconds: float, expected: str) -> None:
    assert words.span(seconds) == expected


@given(st.floats(0, 1e13))
def test_numbers_keep_to_their_width(number: float) -> None:
    assert len(words.count(number)) <= 5
    assert len(words.rate(number)) <= 5
    assert len(words.millis(min(number, 86_400))) <= 6


@given(st.text(max_size=50), st.integers(0, 40))
def test_what_is_shown_is_printable_and_never_wider_than_it_may(text: str, width: int) -> None:
    shown = words.printable(text)
    assert shown.isprintable()
    assert cell_len(words.clip(shown, width)) <= width
    assert cell_len(words.middle(shown, width)) <= width
    assert cell_len(words.pad(words.clip(shown, width), width)) == width


@given(st.text("ab/…é漢", max_size=30), st.text("ab/", min_size=1, max_size=3))
def test_marking_changes_no_letter(text: str, sought: str) -> None:
    cell = marked(((text, "muted"), ("tail", "")), sought)
    assert "".join(piece for piece, _ in cell) == text + "tail"
    assert all(sought == piece.lower() for piece, style in cell if style == "found")


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


def test_bars_show_what_is_above_zero_and_reach_the_top_at_a_round_number() -> None:
    assert bars([0, 0.001, 50, 100], 2) == ["   █", " ▁██"]
    assert bars([-1, -1], 2) == ["  ", "  "]
    assert [ceiling(value) for value in (0, 0.3, 1, 40, 50, 51)] == [1, 0.5, 1, 50, 50, 100]


def test_the_axis_marks_the_edits_with_their_generation() -> None:
    seconds = [Second(float(at), 1, 0, 0, 0.1, 0.1, 0.1, {3: 1, 100: 12}.get(at, 0)) for at in range(120)]
    assert axis(seconds, 24) == "▲1──────────────────▲12─"
    assert axis([], 5) == "─────"


COLUMNS = (
    Column("a", 5, lambda row, width: (("", ""),), grow=1),
    Column("b", 6, lambda row, width: (("", ""),), priority=1),
    Column("c", 7, lambda row, width: (("", ""),), priority=2, grow=1, most=9),
)


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (3, {"a": 5}),
        (11, {"a": 11}),
        (12, {"a": 5, "b": 6}),
        (20, {"a": 5, "b": 6, "c": 7}),
        (40, {"a": 23, "b": 6, "c": 9}),
    ],
)
def test_columns_are_left_out_by_priority_and_share_what_is_left_over(width: int, expected: dict[str, int]) -> None:
    assert {column.title: size for column, size in fitted(COLUMNS, width)} == expected


@given(st.lists(st.tuples(st.booleans(), st.integers(-50, 50)), max_size=30), st.integers(0, 40), st.integers(1, 12))
def test_the_cursor_is_always_in_sight(steps: list[tuple[bool, int]], count: int, height: int) -> None:
    window = Window(count=count, height=height)
    for scrolls, delta in steps:
        if scrolls:
            window.scroll(delta)
        else:
            window.move(delta)
        if count:
            assert 0 <= window.top <= window.cursor < min(window.top + height, count)
