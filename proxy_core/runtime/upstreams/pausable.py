"""Flow control, the same for every connection: who sends faster than the other side reads is not read from.

A transport says when its buffer is full (``pause_writing``); whoever fills it is then paused. Nothing is spooled.
"""

from __future__ import annotations

import asyncio


class Pausable(asyncio.Protocol):
    """A connection that need not be read from."""

    __slots__ = ("paused", "transport")

    paused: bool
    """It is not read from."""
    transport: asyncio.Transport

    def pause(self) -> None:
        """Read no more for now."""
        if not self.paused and not self.transport.is_closing():
            self.paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        if self.paused and not self.transport.is_closing():
            self.paused = False
            self.transport.resume_reading()
