"""How a console that is attached reaches its service, as its status line tells it."""

from __future__ import annotations

from msgspec import Struct


class Link(Struct, frozen=True, kw_only=True):
    """How the service at the far end is reached."""

    delay: float
    """Seconds from a question to the first of its answer, lately."""
    lost: str
    """Why nobody answers; "" while somebody does."""
    pid: int
    """The process that answers, or did last."""
