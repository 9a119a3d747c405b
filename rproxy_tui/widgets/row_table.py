"""A table of rows that have names: the cursor stays on its row, wherever the row goes.

For lists that people edit, and that may be thousands of rows long: a row is made when it comes into sight, so that a
tick costs what is on the screen and not what is in the list. An empty table says how to fill it. ``o`` or a click on a
heading sorts; a list that is not short is sorted then, and not again with each tick.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import ClassVar, TypeVar

from textual.binding import Binding, BindingType

from rproxy_tui.widgets.table import Column, LineTable

Row = TypeVar("Row", bound=Hashable)

SHORT = 200
"""Rows that are sorted anew with each tick."""


class RowTable(LineTable[Row]):
    """``show`` gives it the rows by their keys; ``cursor`` is the key of the row under the cursor, "" for none."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "Open", show=False, id="open_row"),
        Binding(
            "o", "sort(1)", "Sort", show=False, id="sort", tooltip="sort by the next column; after the last by none"
        ),
        Binding("O", "sort(-1)", "Sort back", show=False, id="sort_back", tooltip="sort by the column before"),
    ]

    def __init__(
        self, columns: Sequence[Column[Row]], empty: str = "", *, selectable: bool = True, id: str | None = None
    ) -> None:
        super().__init__(selectable=selectable, id=id)
        self.columns = columns
        self.cursor = ""
        self.empty = "\n" + empty
        self.sorted_by = ""
        """The title of the column that the rows are sorted by; "" for the order they are given in."""
        self.reverse = False
        """They are the other way round."""
        self._given: Sequence[str] = ()
        self._keys: Sequence[str] = ()
        self._make: Callable[[str], Row] | None = None

    @property
    def count(self) -> int:
        return len(self._keys)

    def row(self, at: int) -> Row:
        assert self._make is not None
        return self._make(self._keys[at])

    def show(self, keys: Sequence[str], make: Callable[[str], Row], columns: Sequence[Column[Row]] = ()) -> None:
        """Show these rows, in this order. Where the row under the cursor is gone, the cursor stays at its place."""
        if len(keys) != len(self._given):
            self.refresh(layout=True)
        anew = keys != self._given or len(keys) <= SHORT
        self._given, self._make = keys, make
        if columns and columns != self.columns:
            self.columns = columns
            self.redraw()
        if anew:
            self._keys = self._arranged()
        if self.cursor in self._keys:
            self.window.cursor = self._keys.index(self.cursor)
        self.changed()
        self.moved()

    def _arranged(self) -> Sequence[str]:
        column = next((each for each in self.columns if each.title and each.title == self.sorted_by), None)
        if column is None or self._make is None:
            return self._given
        make, order = self._make, column.order
        if order is not None:
            return sorted(self._given, key=lambda key: order(make(key)), reverse=not self.reverse)
        return sorted(self._given, key=lambda key: _text(column, make(key)), reverse=self.reverse)

    def heading(self, column: Column[Row]) -> str:
        """With a sign where the rows are sorted by it: ▾ for the greatest first, ▴ for the least."""
        if column.title != self.sorted_by or not column.title:
            return column.title
        return f"{'▾' if (column.order is None) == self.reverse else '▴'}{column.title}"

    def sort_by(self, title: str) -> None:
        """By this column; by the same again: the other way round, then in the order they are given in."""
        if title != self.sorted_by:
            self.sorted_by, self.reverse = title, False
        elif not self.reverse:
            self.reverse = True
        else:
            self.sorted_by, self.reverse = "", False
        self._keys = self._arranged()
        self.redraw()
        if self.cursor in self._keys:
            self.window.cursor = self._keys.index(self.cursor)
        self.changed()

    def action_sort(self, step: int) -> None:
        """By the next column that is to be seen."""
        titles = ["", *(column.title for column, _ in self._fitted if column.title)]
        place = titles.index(self.sorted_by) if self.sorted_by in titles else 0
        self.sort_by(titles[(place + step) % len(titles)])

    def go_to(self, key: str) -> None:
        """Put the cursor on a row, if it is there."""
        if key in self._keys:
            self.action_move(self._keys.index(key) - self.window.cursor)

    def moved(self) -> None:
        key = self._keys[self.window.cursor] if self._keys else ""
        if key != self.cursor:
            self.cursor = key
            super().moved()


def _text(column: Column[Row], row: Row) -> str:
    return "".join(text for text, _ in column.cell(row, 100)).lower()
