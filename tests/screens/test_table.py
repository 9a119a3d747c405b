"""The table drawn by hand: what is marked, which columns fit, and that the cursor stays in sight."""

from __future__ import annotations

from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.app import App, ComposeResult

from rproxy_tui.widgets.row_table import RowTable
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


class Sortable(App[None]):
    """Three rows with a text and a number."""

    ROWS: ClassVar[dict[str, tuple[str, float]]] = {"x": ("pear", 2.0), "y": ("apple", 30.0), "z": ("fig", 7.0)}

    def compose(self) -> ComposeResult:
        columns: tuple[Column[tuple[str, float]], ...] = (
            Column("name", 8, lambda row, _: ((row[0], ""),)),
            Column("hits", 6, lambda row, _: ((f"{row[1]:g}", ""),), order=lambda row: row[1]),
        )
        yield RowTable[tuple[str, float]](columns)

    def on_mount(self) -> None:
        self.query_one(RowTable).show(tuple(self.ROWS), self.ROWS.__getitem__)


async def test_rows_are_sorted_by_key_and_by_heading_and_the_cursor_stays_on_its_row() -> None:
    app = Sortable()
    async with app.run_test(size=(40, 8)) as pilot:
        table = app.query_one(RowTable)

        def shown() -> str:
            return "".join(table._keys) + "".join(segment.text for segment in table._drawn[0]).rstrip()

        await pilot.press("o")
        assert shown() == "yzx▴name    hits"
        assert table.cursor == "x"
        await pilot.press("o")
        assert shown() == "yzxname     ▾hits"
        await pilot.press("o")
        assert shown() == "xyzname     hits"
        await pilot.click(RowTable, offset=(10, 0))
        await pilot.click(RowTable, offset=(10, 0))
        assert shown() == "xzyname     ▴hits"
        app.ROWS["x"] = ("pear", 99.0)
        table.show(tuple(app.ROWS), app.ROWS.__getitem__)
        assert shown().startswith("zyx"), "a short list is sorted anew with each tick"
        await pilot.click(RowTable, offset=(10, 0))
        assert shown() == "xyzname     hits"
        assert table.cursor == "x"
