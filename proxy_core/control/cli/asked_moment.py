"""A moment as somebody says it on a command line. Pure."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

TIMES = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%H:%M:%S", "%H:%M")
"""How a moment is said: with its day, or the last such time before the end."""


def moment_of(text: str, end: float) -> float:
    """The moment that a text says, in seconds since the epoch; ``end`` is the last that it can be. Raises
    ValueError."""
    for form in TIMES:
        with suppress(ValueError):
            said = datetime.strptime(text, form)
            if "%Y" in form:
                return said.timestamp()
            at = datetime.combine(datetime.fromtimestamp(end).date(), said.time())
            return (at if at.timestamp() <= end else at - timedelta(days=1)).timestamp()
    raise ValueError(f"{text} is no time: say 02:30, 02:30:15 or '2026-11-30 02:30'")
