"""What is typed, as keys: the bytes of a terminal, however reads cut them, become events in the order of typing.

Textual's parser knows the sequences. Three things are seen to before it: ESC that no sequence begins with is the Escape
key, also when the next key came in the same read (to Textual that is Alt with the key); what is pasted (xterm's
bracketed paste) is one event, and no key, whatever is in it; and the beginning of a sequence waits for its end, but not
for long. It knows no terminal and no clock: whoever reads says when it was long enough.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from textual import events
from textual._xterm_parser import XTermParser
from textual.message import Message

PASTE, PASTED = "\x1b[200~", "\x1b[201~"
_ESCAPE = re.compile(r"(\x1b)(?!\[|O[A-DFHMP-Sj-y]|\x1b|$)")
"""An ESC that begins neither a control sequence (CSI) nor a key of the keypad (SS3)."""
_BEGINNINGS = ("\x1bO", *(PASTE[:length] for length in range(len(PASTE) - 1, 0, -1)))
"""What waits for more, because it may become a paste or a key of the keypad; the longest first."""


class KeyStream:
    """``waiting`` says that what was fed last may be the beginning of a sequence, or only the Escape key."""

    def __init__(self) -> None:
        self._parser = XTermParser()
        self._held = ""
        self._paste: str | None = None

    @property
    def waiting(self) -> bool:
        return self._paste is None and bool(self._held or self._parser._timeout_time is not None)

    def feed(self, data: str) -> Iterator[Message]:
        """The events of what was read now."""
        text, self._held = self._held + data, ""
        while text:
            if self._paste is not None:
                seen = max(0, len(self._paste) - len(PASTED))
                self._paste += text
                if (end := self._paste.find(PASTED, seen)) < 0:
                    return
                paste, text, self._paste = self._paste[:end], self._paste[end + len(PASTED) :], None
                yield events.Paste(paste.replace("\x00", ""))
                continue
            typed, begun, text = text.partition(PASTE)
            if begun:
                self._paste = ""
            else:
                self._held = next((each for each in _BEGINNINGS if typed.endswith(each)), "")
                typed = typed.removesuffix(self._held)
            yield from self._keys(typed)
            if begun:
                yield from self._at_once()

    def time_out(self) -> Iterator[Message]:
        """The events of what was taken for a beginning, when nothing has followed."""
        held, self._held = self._held, ""
        for piece in filter(None, (held[:1], held[1:])):
            yield from self._parser.feed(piece)
            yield from self._at_once()
        yield from self._at_once()

    def _keys(self, typed: str) -> Iterator[Message]:
        for piece in filter(None, _ESCAPE.split(typed)):
            yield from self._parser.feed(piece)
            if piece == "\x1b":
                yield from self._at_once()

    def _at_once(self) -> Iterator[Message]:
        if self._parser._timeout_time is not None:
            self._parser._timeout_time = 0.0
            yield from self._parser.tick()
