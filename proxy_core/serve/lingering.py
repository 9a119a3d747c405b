"""Closing a client connection so that its last answer arrives, or so that nobody takes half an answer for a whole one.

Closing with unread input resets the connection, and a reset may overtake the answer (RFC 9112 §9.6). So our side is
closed first, and what still comes is read and thrown away for a while. A client that has said that nothing more comes
is spared that where nothing of it is unread (nginx's ``lingering_close on``).
"""

from __future__ import annotations

from time import monotonic

from proxy_core.runtime.upstreams.pausable import Pausable
from proxy_core.serve import deadlines


class Lingering(Pausable):
    """A connection that can be closed the slow way. Nothing that comes while it is ``closing`` counts."""

    __slots__ = ("_unsent", "closing", "deadline", "half_closed")

    _unsent: int
    """Bytes that were not sent when it was looked at last."""
    closing: bool
    """Its end has begun."""
    deadline: float
    """When whatever is waited for is over (monotonic)."""
    half_closed: bool
    """The client sends no more."""

    def cut(self) -> None:
        """Break the connection, so that what was sent so far cannot be taken for the whole."""
        self.closing = True
        self.transport.abort()

    def linger(self, heard_all: bool = False) -> None:
        """Say that no more will come, then read and throw away for a while; or close at once where ``heard_all``:
        nothing more comes, by the client's own word, and nothing is unread."""
        transport = self.transport
        if self.closing or transport.is_closing():
            return
        self.closing = True
        self._unsent = transport.get_write_buffer_size()
        self.deadline = monotonic() + (deadlines.SEND_SECONDS if self._unsent else deadlines.LINGER_SECONDS)
        if heard_all or self.half_closed or not transport.can_write_eof():
            transport.close()
            return
        transport.write_eof()
        Pausable.resume(self)

    def lingered(self) -> None:
        """The deadline passed while it was closing: it is over, but for a client that reads, though slowly."""
        unsent = self.transport.get_write_buffer_size()
        if 0 < unsent < self._unsent:
            self._unsent = unsent
            self.deadline = monotonic() + deadlines.SEND_SECONDS
        else:
            self.transport.abort()
