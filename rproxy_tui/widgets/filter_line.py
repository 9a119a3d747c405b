"""The line in which a filter is typed: checked with every key, with what may stand next, and with what is wrong shown
under its place.

It knows the filter language and no log: what is typed is posted as a predicate, and how many it holds for is told to
it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input
from textual.widgets.input import Selection

from proxy_core.control.watching.filter_completion import Completion, completion
from proxy_core.control.watching.log_records import Record
from proxy_core.control.watching.record_filter import BadFilter, compiled
from rproxy_tui import words
from rproxy_tui.content import Content
from rproxy_tui.widgets.frame import Line
from rproxy_tui.widgets.tail import Filter
from rproxy_tui.widgets.text_input import PageInput

EXAMPLE = "filter: status>=500 member=c path~^/api ms>250 client=10.0.0.0/8 cause~reset"
CONSIDERED = 2000
"""Of how many records, the newest, values are offered."""


def caret(error: BadFilter, scrolled: int, width: int) -> str:
    """What is wrong, with a caret under its place; before the caret where there is no room behind it."""
    at, what = min(max(0, error.position - scrolled), width - 1), error.what
    if at + 2 + len(what) <= width or len(what) + 1 > at:
        return words.clip(f"{' ' * at}^ {what}", width)
    return f"{what:>{at - 1}} ^"


class FilterInput(PageInput):
    """``complete`` is called for Tab."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Filter", id="input.enter"),
        Binding("tab", "complete", "Complete", key_display="tab", id="filter.complete"),
    ]

    def __init__(self, leave: Callable[[], object], complete: Callable[[], object]) -> None:
        super().__init__(leave, placeholder=EXAMPLE, select_on_focus=False)
        self.complete = complete

    def action_complete(self) -> None:
        self.complete()


class FilterLine(Vertical):
    """``newest`` gives the records whose values are offered. It is hidden until it is opened."""

    class Typed(Message):
        """What is typed is a filter."""

        def __init__(self, text: str, passes: Filter | None) -> None:
            super().__init__()
            self.text, self.passes = text, passes

    class Closed(Message):
        """It is left; ``text`` is None where what was typed shall not hold."""

        def __init__(self, text: str | None) -> None:
            super().__init__()
            self.text = text

    def __init__(self, newest: Callable[[int], Sequence[Record]]) -> None:
        super().__init__(id="filter")
        self._newest = newest
        self._offered = Completion(0, ())

    def compose(self) -> ComposeResult:
        yield FilterInput(lambda: self.post_message(self.Closed(None)), self._complete)
        yield Line(id="filter-said")
        yield Line(id="filter-offered")

    @property
    def _input(self) -> FilterInput:
        return self.query_one(FilterInput)

    def open(self, text: str) -> None:
        """Show it with a filter to begin with."""
        field = self._input
        self.display = True
        field.value = text
        field.selection = Selection(0, len(text))  # typing begins anew, a move of the cursor goes on
        self.screen.set_focus(field)  # at once: the next key may have been typed already
        self._look()

    def count(self, passing: int, held: int) -> None:
        """Say of how many records the filter holds."""
        line = Content.from_markup(f"[$text-success]{passing:,}[/] of {held:,} requests")
        self.query_one("#filter-said", Line).show(line)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._look()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if self._look():
            self.post_message(self.Closed(event.value.strip()))

    def _look(self) -> bool:
        """Say what is wrong with what is typed, or have it tried; and offer what may stand next."""
        field = self._input
        text, at = field.value, field.cursor_position
        self._offered = completion(text, at, self._newest(CONSIDERED))
        first, *more = self._offered.words or ("",)
        offered = Content.assemble((first, "$text-accent"), f"  {'  '.join(map(words.printable, more))}")
        if first:
            offered = Content.assemble(("tab ", "$text-muted"), offered)
        self.query_one("#filter-offered", Line).show(offered)
        try:
            passes = compiled(text) if text.strip() else None
        except BadFilter as error:
            wrong = caret(error, int(field.scroll_offset.x), self.size.width)
            begun = bool(self._offered.words) and error.position >= self._offered.begin  # it is not all typed
            self.query_one("#filter-said", Line).show(Content.styled(wrong, f"$text-{'muted' if begun else 'warning'}"))
            return False
        self.post_message(self.Typed(text, passes))
        return True

    def _complete(self) -> None:
        """Put the first of what is offered in place of what was begun."""
        field, (begin, offered) = self._input, self._offered
        if not offered:
            return
        text, at = field.value, field.cursor_position
        word = offered[0]
        word += "" if word.endswith(("=", " ")) else " "
        field.value = text[:begin] + word + text[at:]
        field.cursor_position = begin + len(word)
        self._look()
