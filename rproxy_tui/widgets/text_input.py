"""A line to type in that may hold text from outside: what a terminal might obey is shown as a sign.

The value stays as it is, so that an edit of one letter does not change the others. Each character has one sign, because
the cursor counts characters.
"""

from __future__ import annotations

from rich.text import Text
from textual.widgets import Input

from proxy_core.printable import in_place


class TextInput(Input):
    """Textual's Input with a picture of its value that is made printable."""

    @property
    def _value(self) -> Text:  # Textual's name for what it draws, with the cursor and the selection laid over it
        return Text(in_place(self.value), no_wrap=True, overflow="ignore", end="")
