"""The parts of a form: one row for each option, with an input that fits its kind.

Everything is typed or chosen as text (see draft.py). What is wrong with a value stands under it. Choices and
switches are one widget: a value between two arrows, changed with left, right or space, without a list that opens over
what one wants to see. Rows are a line of inputs each, and always an empty one to begin the next in; one whose cells are
all empty is no row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.events import Click
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Input, Static

from proxy_core.config.schema import Field
from rproxy_tui import rule_words
from rproxy_tui.content import Content
from rproxy_tui.draft import NAME, Cells, cells_of, columns, joined, spell
from rproxy_tui.widgets.text_input import TextInput


class Cell(TextInput):
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


UNSET = "not set"


class Chooser(Widget, can_focus=True):
    """One of a few values; "" stands for not set."""

    BINDINGS = [
        Binding("left", "step(-1)", "Choose", show=False, id="form.previous-choice"),
        Binding("right,space", "step(1)", "Choose", show=False, id="form.next-choice"),
    ]

    value = reactive("")

    class Stepped(Message):
        """Another value was chosen."""

    def __init__(self, choices: Sequence[str], value: str) -> None:
        super().__init__()
        self.choices = choices
        self.set_reactive(Chooser.value, value)

    def render(self) -> Content:
        return Content.assemble(("‹ ", "$text-muted"), self.value or UNSET, (" ›", "$text-muted"))

    def action_step(self, step: int) -> None:
        at = self.choices.index(self.value) if self.value in self.choices else 0
        self.value = self.choices[(at + step) % len(self.choices)]
        self.post_message(self.Stepped())

    def on_click(self, event: Click) -> None:
        self.action_step(-1 if event.x < 2 else 1)


class FieldRow(Widget):
    """Label, input, and the problem with what is in it. A form has dozens, so a label is drawn and not one more widget,
    and the line of a problem is made when there is one."""

    def __init__(self, field: Field, text: str) -> None:
        super().__init__()
        self.field = field
        self._input = make_input(field, text)
        self._wrong: Static | None = None
        self._shown = ""
        self._at_first = text

    def on_mount(self) -> None:
        self._at_first = self.text

    def compose(self) -> ComposeResult:
        yield self._input

    def render(self) -> Content:
        return Content.styled(self.label, "bold $accent" if self.has_class("-focused") else "$text-muted")

    @property
    def label(self) -> str:
        if isinstance(self._input, RowsInput):
            return f"{self.field.name:<18} shift+↑↓ moves a row, ctrl+r removes it"
        return "name" if self.field.name == NAME else self.field.name

    def on_descendant_focus(self) -> None:
        self.add_class("-focused")

    def on_descendant_blur(self) -> None:
        self.remove_class("-focused")

    @property
    def text(self) -> str:
        return self._input.value

    @property
    def touched(self) -> bool:
        """Whether it holds something else than at first."""
        return self.text != self._at_first

    def show_wrong(self, words: str, *, warning: bool = False) -> None:
        text = f"{'!' if warning else '✗'} {words}" if words else ""
        if text == self._shown:  # most rows, after each key
            return
        self._shown = text
        if self._wrong is None:
            self._wrong = Static(classes="wrong", markup=False)
            self.mount(self._wrong)
        self._wrong.display = bool(text)
        self._wrong.set_class(warning, "-warning")
        self._wrong.update(Content(text))


def make_input(field: Field, text: str) -> Input | Chooser | RowsInput:
    """The input for a field that holds ``text`` now."""
    if field.kind == "rows":
        return RowsInput(field, text)
    unset = "" if field.default is None else spell(field, field.default)
    if field.kind in ("switch", "choice"):
        choices = ["false", "true"] if field.kind == "switch" else [str(choice) for choice in field.choices]
        return Chooser(choices if unset else ["", *choices], text or unset)
    return TextInput(text, placeholder=unset or hint(field), compact=True, select_on_focus=False)


def hint(field: Field) -> str:
    """What an empty input says about itself."""
    if field.example is not None:
        return f"such as {spell(field, field.example)}"
    return "needed" if field.required else UNSET


def manual(field: Field, text: str = "") -> Content:
    """What the model says about a field: its manual, its default, what it may hold, and what is in it means."""
    facts = []
    if field.choices:
        facts.append(" or ".join(map(str, field.choices)))
    if field.kind in ("number", "integer") and field.maximum is not None:
        least, most = (spell(field, float(bound)) for bound in (field.minimum or 0, field.maximum))
        facts.append(f"{'above ' if field.above else ''}{least} to {most}")
    if field.kind == "list":
        facts.append("several are separated by commas")
    if field.required:
        facts.append("needed")
    elif field.default is not None and (default := spell(field, field.default)):
        facts.append(f"default {default}")
    about = Content.assemble(field.describe(), (f"  ({'; '.join(facts)})" if facts else "", "$text-muted"))
    if field.name == "flags" and (meanings := rule_words.meanings(text)):
        return Content("\n").join([*map(Content, meanings), about])
    return about
