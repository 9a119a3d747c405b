"""A change that is in force and waits to be confirmed: what a network engineer calls commit-confirm. Plain data.

It takes itself back when nobody confirms it in time, and before that when the numbers cross its bounds (``guard``).
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

LONGEST: Final = 3600.0
"""Seconds that a change may wait at most."""
USUAL: Final = 60.0
"""Seconds that a change waits where nobody says how long."""
GUARD: Final = "guard"
"""The author of what takes itself back."""


class GuardBounds(Struct, frozen=True, kw_only=True):
    """What takes a change back, worked out from the numbers before it."""

    requests: int
    """Requests that were looked at."""
    errors: float
    """The part of requests that may end with 5xx, 0 to 1."""
    errors_before: float
    """The part that did."""
    p95: float
    """Seconds within which 95 of 100 requests must be over; -1 where too little is known of it."""
    p95_before: float
    """Seconds within which they were; -1 for none."""
    slow_before: float
    """The part of requests that took longer than ``p95``, 0 to 1."""


class Pending(Struct, frozen=True, kw_only=True):
    """A change that waits."""

    generation: int
    """Its number."""
    sentence: str
    """What it does."""
    author: str
    """Who made it."""
    at: float
    """When it came into force, in seconds since the epoch."""
    until: float
    """When it takes itself back, in seconds since the epoch."""
    bounds: GuardBounds
    """What takes it back before that."""
    words: str
    """The bounds in a sentence."""
