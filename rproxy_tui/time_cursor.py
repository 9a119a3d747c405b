"""The time cursor: which moment the console shows, now or one of the last hour.

The app asks it for the Snapshot of each tick, so that pages need not know whether it is of now. A moment of the past
stands still: it is asked for once, and shown until the cursor moves. One that is on its way from a service at the far
end leaves the picture before it, and the status line says so. Nothing is changed while the past is shown, because what
one decides on must be what it acts on.
"""

from __future__ import annotations

from collections.abc import Callable

from proxy_core.control.view import Snapshot
from proxy_core.errors import Problem
from proxy_core.runtime.last_hour import STEP, STEPS
from rproxy_tui import words


class TimeCursor:
    """``at`` is the moment that is wanted, in seconds since the epoch; None for now. It goes ``span`` seconds back."""

    def __init__(self, span: float = STEP * STEPS) -> None:
        self._span = span
        self.at: float | None = None
        self._shown: Snapshot | None = None
        self._shown_for: float | None = None

    def move(self, seconds: float, now: float) -> None:
        """Go so far in time, no further than to now (epoch seconds) and ``span`` back. Beyond the oldest moment that is
        kept, the way on begins at that one; a gap is crossed, since what is wanted goes on while the picture stays."""
        base = now if self.at is None else self.at
        if self._shown is not None and self._shown_for == self.at:
            base = (max if seconds > 0 else min)(base, self._shown.at)
        wanted = base + seconds
        self.at = None if wanted > now - STEP / 2 else max(wanted, now - self._span)

    def look(self, ask: Callable[[float], Snapshot | None], now: Snapshot) -> Snapshot:
        """The Snapshot to show: ``now``, or what ``ask`` has of the moment. Where nothing is kept yet, it is now."""
        if self.at is None:
            self._shown = self._shown_for = None
        elif self.at != self._shown_for and (found := ask(self.at)) is not None:
            if not found.past:
                self.at = None
                return now
            self._shown, self._shown_for = found, self.at
        return self._shown or now

    @property
    def _showing(self) -> float:
        """The moment on the screen, which is not quite the one that is wanted."""
        return self._shown.at if self._shown is not None else self.at or 0.0

    def words(self, now: float) -> str:
        """``15:08:20, 47 min ago``, or "" for now."""
        if self.at is None:
            return ""
        at = self._showing
        late = "" if self.at == self._shown_for else f", {words.clock(self.at)} is on its way"
        return f"{words.clock(at)}, {words.span(now - at)} ago{late}"

    def refusal(self) -> Problem | None:
        """Why nothing is changed; None while it is now."""
        if self.at is None:
            return None
        return Problem(
            what=f"{words.clock(self._showing)} is shown, and changes are made now", todo="press 0 for now first"
        )
