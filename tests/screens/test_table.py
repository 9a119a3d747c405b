"""The table drawn by hand: what is marked, which columns fit, and that the cursor stays in sight."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rproxy_tui.widgets.table import Column, Window, fitted, marked


@given(st.text("ab/…é漢", max_size=30), st.text("ab/", min_size=1, max_size=3))
def test_marking_changes_no_letter(text: str, sought: str) -> None:
    cell = marked(((text, "muted"), ("tail", "")), sought)
    assert "".join(piece for piece, _ in cell) == text + "tail"
    assert all(sought == piece.lower() for piece, style in cell if style == "found")


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
