"""Rows inside a form: a line of inputs for each row, and always an empty one to begin the next in.

A row is the text of its cells, its id first, so that a form can treat rows as it treats every value: as text (see
``draft``). A row whose cells are all empty is no row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input

from proxy_core.config.schema import Field
from rproxy_tui.draft import Cells, cells_of, columns, joined


class Cell(Input):
    """One cell; ``field`` is what it is about."""

    def __init__(self, field: Field, text: str, hint: str) -> None:
        super().__init__(text, placeholder=hint, compact=True, select_on_focus=False)
        self.field = field


class InputRow(Horizontal):
    """The cells of one row."""

    def __init__(self, fields: Sequence[Field], cells: Cells, hints: Sequence[str]) -> None:
        super().__init__()
        self.row_id = cells[0]
        self._parts = tuple(zip(fields, cells[1:], hints, strict=True))

    def compose(self) -> ComposeResult:
        for field, text, hint in self._parts:
            yield Cell(field, text, hint)

    @property
    def cells(self) -> Cells:
        return (self.row_id, *(cell.value.strip() for cell in self.query(Cell)))

    @property
    def blank(self) -> bool:
        return not any(self.cells[1:])


class RowsInput(Vertical):
    """``value`` is all rows as one text."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("shift+up", "shift(-1)", "Row up", show=False, id="form.row-up"),
        Binding("shift+down", "shift(1)", "Row down", show=False, id="form.row-down"),
        Binding("ctrl+r", "drop", "Remove row", show=False, id="form.row-remove"),
    ]

    class Rearranged(Message):
        """Rows were moved or removed."""

    def __init__(self, field: Field, text: str) -> None:
        super().__init__()
        self._fields = columns(field)
        self._at_first = text

    def compose(self) -> ComposeResult:
        for cells in cells_of(self._at_first):
            yield self._line(cells)
        yield self._line(self._blank)

    @property
    def _blank(self) -> Cells:
        return ("",) * (len(self._fields) + 1)

    def _line(self, cells: Cells) -> InputRow:
        hints = [
            field.name if not field.required else f"{field.name}, such as {field.example}" for field in self._fields
        ]
        return InputRow(self._fields, cells, hints)

    @property
    def value(self) -> str:
        if not self.is_mounted:
            return self._at_first
        return joined([line.cells for line in self.query(InputRow) if not line.blank])

    def on_input_changed(self) -> None:
        """The message goes on to the form; here only the next empty row is seen to."""
        if not self.query(InputRow).last().blank:
            self.mount(self._line(self._blank))

    def action_shift(self, step: int) -> None:
        line, lines = self._here(), list(self.query(InputRow))
        if line is None or line.blank or not 0 <= lines.index(line) + step < len(lines) - 1:
            return
        other = lines[lines.index(line) + step]
        if step < 0:
            self.move_child(line, before=other)
        else:
            self.move_child(line, after=other)
        self.post_message(self.Rearranged())

    async def action_drop(self) -> None:
        line = self._here()
        if line is None or line.blank:
            return
        self.screen.focus_next()
        await line.remove()
        self.post_message(self.Rearranged())

    def _here(self) -> InputRow | None:
        return next((line for line in self.query(InputRow) if line.has_pseudo_class("focus-within")), None)
