"""A table of rows that have names: the cursor stays on its row, wherever the row goes.

For lists that people edit, and that may be thousands of rows long: a row is made when it comes into sight, so that a
tick costs what is on the screen and not what is in the list. An empty table says how to fill it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import ClassVar, TypeVar

from textual.binding import Binding, BindingType

from rproxy_tui.widgets.table import Column, LineTable

Row = TypeVar("Row", bound=Hashable)


class RowTable(LineTable[Row]):
    """``show`` gives it the rows by their keys; ``cursor`` is the key of the row under the cursor, "" for none."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "choose", "Open", show=False, id="open_row")]

    def __init__(
        self, columns: Sequence[Column[Row]], empty: str = "", *, selectable: bool = True, id: str | None = None
    ) -> None:
        super().__init__(selectable=selectable, id=id)
        self.columns = columns
        self.cursor = ""
        self.empty = "\n" + empty
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
        if len(keys) != len(self._keys):
            self.refresh(layout=True)
        self._keys, self._make = keys, make
        if columns and columns != self.columns:
            self.columns = columns
            self.redraw()
        if self.cursor in keys:
            self.window.cursor = keys.index(self.cursor)
        self.changed()
        self.moved()

    def go_to(self, key: str) -> None:
        """Put the cursor on a row, if it is there."""
        if key in self._keys:
            self.action_move(self._keys.index(key) - self.window.cursor)

    def moved(self) -> None:
        key = self._keys[self.window.cursor] if self._keys else ""
        if key != self.cursor:
            self.cursor = key
            super().moved()
