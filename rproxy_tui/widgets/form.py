"""The parts of a form: one row for each option, with an input that fits its kind.

Everything is typed or chosen as text (see draft.py). What is wrong with a value stands under it. Choices and
switches are one widget: a value between two arrows, changed with left, right or space, without a list that opens over
what one wants to see.
"""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.events import Click
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Input, Label, Static

from proxy_core.config.schema import Field
from rproxy_tui import rule_words
from rproxy_tui.draft import NAME, spell
from rproxy_tui.widgets.rows_input import RowsInput

UNSET = "not set"


class Chooser(Widget, can_focus=True):
    """One of a few values; "" stands for not set."""

    DEFAULT_CSS = """
    Chooser { height: 1; width: 1fr; padding: 0 1; background: $panel; }
    Chooser:focus { background: $accent 30%; }
    """
    BINDINGS = [
        Binding("left", "step(-1)", "Choose", show=False, id="form.previous-choice"),
        Binding("right,space", "step(1)", "Choose", show=False, id="form.next-choice"),
    ]

    value = reactive("")

    class Changed(Message):
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
        self.post_message(self.Changed())

    def on_click(self, event: Click) -> None:
        self.action_step(-1 if event.x < 2 else 1)


class FieldRow(Vertical):
    """Label, input, and the problem with what is in it."""

    DEFAULT_CSS = """
    FieldRow { height: auto; }
    FieldRow > Horizontal { height: 1; }
    FieldRow Label { width: auto; color: $text-muted; }
    FieldRow Horizontal Label { width: 18; }
    FieldRow.-focused Label { color: $accent; text-style: bold; }
    FieldRow Input { width: 1fr; background: $panel; padding: 0 1; }
    FieldRow .wrong { color: $text-error; padding-left: 18; height: auto; display: none; }
    FieldRow.-wrong .wrong { display: block; }
    """

    def __init__(self, field: Field, text: str) -> None:
        super().__init__()
        self.field = field
        self._input = make_input(field, text)
        self._wrong = Static(classes="wrong", markup=False)
        self._said = ""

    def compose(self) -> ComposeResult:
        if isinstance(self._input, RowsInput):
            yield Label(f"{self.field.name:<17} shift+↑↓ moves a row, ctrl+r removes it", markup=False)
            yield self._input
            yield self._wrong
            return
        with Horizontal():
            yield Label("name" if self.field.name == NAME else self.field.name, markup=False)
            yield self._input
        yield self._wrong

    def on_descendant_focus(self) -> None:
        self.add_class("-focused")

    def on_descendant_blur(self) -> None:
        self.remove_class("-focused")

    @property
    def text(self) -> str:
        return self._input.value

    def show_wrong(self, words: str, *, warning: bool = False) -> None:
        said = f"{'!' if warning else '✗'} {words}" if words else ""
        if said == self._said:  # most rows, after each key
            return
        self._said = said
        self.set_class(bool(said), "-wrong")
        self._wrong.update(said)


def make_input(field: Field, text: str) -> Input | Chooser | RowsInput:
    """The input for a field that holds ``text`` now."""
    if field.kind == "rows":
        return RowsInput(field, text)
    unset = "" if field.default is None else spell(field, field.default)
    if field.kind in ("switch", "choice"):
        choices = ["false", "true"] if field.kind == "switch" else [str(choice) for choice in field.choices]
        return Chooser(choices if unset else ["", *choices], text or unset)
    return Input(text, placeholder=unset or hint(field), compact=True, select_on_focus=False)


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
        facts.append(f"{'above ' if field.above else ''}{field.minimum or 0:g} to {field.maximum:g}")
    if field.kind == "list":
        facts.append("several are separated by commas")
    if field.required:
        facts.append("needed")
    elif field.default is not None and (default := spell(field, field.default)):
        facts.append(f"default {default}")
    said = Content.assemble(field.describe(), (f"  ({'; '.join(facts)})" if facts else "", "$text-muted"))
    if field.name == "flags" and (meanings := rule_words.meanings(text)):
        return Content("\n").join([*map(Content, meanings), said])
    return said
