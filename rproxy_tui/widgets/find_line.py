"""A line at the foot of a list, in which one types what its rows must hold.

It is there once ``/`` was pressed, and for as long as it holds something, so that nobody takes a part of the list for
all of it. Enter goes back to the list, Escape forgets what was typed.
"""

from __future__ import annotations

from collections.abc import Callable

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Input, Label, Static

from rproxy_tui.content import Content
from rproxy_tui.widgets.text_input import PageInput


class FindLine(Horizontal):
    """``found`` is called when another text is to be looked for; ``leave`` gives the focus back to the list."""

    def __init__(self, found: Callable[[], object], leave: Callable[[], object]) -> None:
        super().__init__()
        self._found, self._leave = found, leave

    def compose(self) -> ComposeResult:
        yield Label("find ")
        yield PageInput(self._forget, id="sought", placeholder="words that a row holds, in any order")
        yield Static(id="count")

    @property
    def words(self) -> list[str]:
        """What a row must hold, in lower case."""
        return self.query_one("#sought", Input).value.lower().split()

    def holds(self, text: str) -> bool:
        """Whether a row of this text is one that is looked for."""
        lower = text.lower()
        return all(word in lower for word in self.words)

    def open(self) -> None:
        self.display = True
        self.screen.set_focus(self.query_one("#sought", Input))

    def say(self, shown: int, of: int) -> None:
        """How many rows are left."""
        self.query_one("#count", Static).update(Content(f" {shown:,} of {of:,}" if self.words else ""))

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._found()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.display = bool(self.words)
        self._leave()

    def _forget(self) -> None:
        self.query_one("#sought", Input).value = ""
        self.display = False
        self._leave()
