"""Where one WebSocket frame ends and the next begins (RFC 6455 §5.2), and nothing else of that protocol.

A tunnel passes bytes on as they are. But a proxy that stops has to say so with a close frame, and a frame may only
stand between two others; so the way towards the client is followed, frame by frame, by the lengths in their heads.
"""

from __future__ import annotations

from typing import Final

GOING_AWAY: Final = b"\x88\x02\x03\xe9"
"""A whole close frame of a server: code 1001, the endpoint is going away (RFC 6455 §7.4.1)."""
_CLOSE: Final = 0x8


class Frames:
    """Follows one direction. ``between``: the bytes so far end with a whole frame; ``closed``: that was, or the frame
    begun is, a close frame, after which no other may follow."""

    __slots__ = ("_head", "_left", "closed")

    def __init__(self) -> None:
        self._head = b""
        self._left = 0
        self.closed = False

    @property
    def between(self) -> bool:
        return not self._head and not self._left

    def follow(self, data: bytes, stop: bool = False) -> int:
        """Follow ``data``; returns how much of it was followed: all, or with ``stop`` as far as the first place
        between two frames."""
        at, end = 0, len(data)
        while at < end and not (stop and self.between):
            if self._left:
                step = min(self._left, end - at)
                self._left -= step
            else:
                step = self._begin(data, at)
            at += step
        return at

    def _begin(self, data: bytes, at: int) -> int:
        """Take bytes of a frame's head: two, and as many more as these ask for."""
        head = self._head
        wanted = 2 if len(head) < 2 else _head_length(head[1])
        step = min(wanted - len(head), len(data) - at)
        head += data[at : at + step]
        if len(head) < 2 or len(head) < _head_length(head[1]):
            self._head = head
            return step
        self._head = b""
        self.closed = self.closed or head[0] & 0x0F == _CLOSE
        short = head[1] & 0x7F
        self._left = short if short < 126 else int.from_bytes(head[2 : 4 if short == 126 else 10], "big")
        return step


def _head_length(second: int) -> int:
    """Bytes of a frame's head, by its second byte: an extended length and a mask may follow."""
    short = second & 0x7F
    return 2 + (0 if short < 126 else 2 if short == 126 else 8) + (4 if second & 0x80 else 0)
