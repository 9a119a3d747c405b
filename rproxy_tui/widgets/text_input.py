"""A line to type in that may hold text from outside: what a terminal might obey is shown as a sign.

The value stays as it is, so that an edit of one letter does not change the others. Each character has one sign, because
the cursor counts characters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.text import Text
from textual.binding import Binding
from textual.widgets import Input

from proxy_core.printable import in_place

UNNAMED = ("slash", "plus", "minus")
"""Keys whose characters Textual does not know by their names (``key_to_character``)."""


class TextInput(Input):
    """Textual's Input with a picture of its value that is made printable."""

    def update_node_styles(self, animate: bool = True) -> None:
        """Once it is in its place, where it gets its first: Textual's constructor asks for them several times, and a
        form has dozens."""
        if self.is_attached:
            super().update_node_styles(animate)

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Whether a key is typed into it, so that no hint promises what the key does elsewhere."""
        return key in UNNAMED or super().check_consume_key(key, character)

    @property
    def _value(self) -> Text:  # Textual's name for what it draws, with the cursor and the selection laid over it
        return Text(in_place(self.value), no_wrap=True, overflow="ignore", end="")


class PageInput(TextInput):
    """A line to type in that stands on a page. ``leave`` is called for Escape; it gives the focus back to the page, so
    that the next key is not typed as well."""

    BINDINGS = [
        Binding("enter", "submit", "Ask", id="input.enter"),
        Binding("escape", "leave", "Back", key_display="esc", id="input.leave"),
    ]

    def __init__(self, leave: Callable[[], object], text: str = "", **input: Any) -> None:
        super().__init__(text, compact=True, **input)
        self.leave = leave

    def action_leave(self) -> None:
        self.leave()
