"""A table of rows that have names: the cursor stays on its row, wherever the row goes.

For lists that people edit, and that may be thousands of rows long: a row is made when it comes into sight, so that a
tick costs what is on the screen and not what is in the list. An empty table says how to fill it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import ClassVar, TypeVar, overload

from textual.binding import Binding, BindingType

from rproxy_tui.widgets.table import Column, LineTable

Row = TypeVar("Row", bound=Hashable)


class Made(Sequence[Row]):
    """The rows of these keys, each made when it is asked for."""

    def __init__(self, keys: Sequence[str], make: Callable[[str], Row]) -> None:
        self.keys, self._make = keys, make

    def __len__(self) -> int:
        return len(self.keys)

    @overload
    def __getitem__(self, at: int) -> Row: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Row]: ...
    def __getitem__(self, at: int | slice) -> Row | Sequence[Row]:
        return list(map(self._make, self.keys[at])) if isinstance(at, slice) else self._make(self.keys[at])


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
        self._made: Made[Row] | None = None

    @property
    def rows(self) -> Sequence[Row]:
        return self._made or ()

    def show(self, keys: Sequence[str], make: Callable[[str], Row], columns: Sequence[Column[Row]] = ()) -> None:
        """Show these rows, in this order. Where the row under the cursor is gone, the cursor stays at its place."""
        if len(keys) != len(self.rows):
            self.refresh(layout=True)
        self._made = Made(keys, make)
        if columns and columns != self.columns:
            self.columns = columns
            self.redraw()
        if self.cursor in self._made.keys:
            self.window.cursor = keys.index(self.cursor)
        self.changed()
        self.moved()

    def go_to(self, key: str) -> None:
        """Put the cursor on a row, if it is there."""
        if self._made and key in self._made.keys:
            self.action_move(self._made.keys.index(key) - self.window.cursor)

    def moved(self) -> None:
        keys = self._made.keys if self._made else ()
        here = keys[self.window.cursor] if keys else ""
        if here != self.cursor:
            self.cursor = here
            super().moved()
