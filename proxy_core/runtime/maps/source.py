"""What every kind of map has in common: how it is asked, and what it remembers for people.

A Source is what a map reads, under whatever name the site knows it. It answers at once where that needs no waiting,
else in ``answer``, which always comes to an end: at the map's deadline the answer is a miss. A source never raises
for what goes wrong while serving: the request gets a miss, so its rule's default, and ``Tally`` says why.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from msgspec import Struct

from proxy_core.config.model import MapType

Known = tuple[bool, str | None]
"""(True, value), the value being None for a miss; (False, None) when the answer takes waiting."""

WAIT: Known = (False, None)
MOST_KEPT = 100_000
"""Answers that a source keeps at most: keys come from clients, who can make up any number of them."""


@dataclass(slots=True)
class MapTally:
    """Numbers of one source, kept across swaps."""

    hits: int = 0
    """Lookups of rules that found a value."""
    misses: int = 0
    """Lookups of rules that found none."""
    errors: int = 0
    """How often something went wrong."""
    fault: str = ""
    """What is wrong now, in words; "" for nothing."""
    last_error: str = ""
    """What was wrong last; it stays when that is over."""
    error_at: float = 0.0
    """The epoch second of ``last_error``; 0.0 for never."""

    def failed(self, why: str, now: float) -> None:
        self.errors += 1
        self.fault = self.last_error = why
        self.error_at = now


class MapState(Struct, frozen=True, kw_only=True):
    """One map now, for people."""

    name: str
    """Its name in the site."""
    type: MapType
    """Its type in the site."""
    reads: str
    """What it reads: a file, a command, a function, a database without its password, "entries"."""
    hits: int
    """As in MapTally."""
    misses: int
    """As in MapTally."""
    errors: int
    """As in MapTally."""
    entries: int
    """How many it knows; -1 where nobody can say."""
    changed_at: float
    """The epoch second of the file's last change; 0.0 for none."""
    fault: str
    """As in MapTally."""
    last_error: str
    """As in MapTally."""
    error_at: float
    """As in MapTally."""


class Source:
    """What a map reads. One of the kinds that answer without waiting says what it knows in ``ask`` alone."""

    entries: int = -1
    """How many are known; -1 where nobody can say."""
    changed: float = 0.0
    """The epoch second at which what it reads was last changed; 0.0 where there is no such thing."""

    async def open(self) -> None:
        """Get ready. Raises OSError or ValueError, worded for people, where it cannot; it may be asked all the same."""

    def ask(self, key: str) -> Known:
        return WAIT

    async def answer(self, key: str, timeout: float) -> str | None:
        """The value, within ``timeout`` seconds; a miss where it is not to be had."""
        return self.ask(key)[1]

    async def close(self) -> None:
        """Let go of what is open."""


class Kept:
    """Answers that were given, hits and misses; the ones not asked for longest make room."""

    def __init__(self) -> None:
        self._answers: OrderedDict[str, str | None] = OrderedDict()

    def get(self, key: str) -> Known:
        if key not in self._answers:
            return WAIT
        self._answers.move_to_end(key)
        return True, self._answers[key]

    def keep(self, key: str, answer: str | None) -> None:
        self._answers[key] = answer
        if len(self._answers) > MOST_KEPT:
            self._answers.popitem(last=False)

    def clear(self) -> None:
        self._answers.clear()


def words(error: Exception) -> str:
    """Why something failed, as part of a sentence."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[0].lower() + error.strerror[1:]
    return " ".join(str(error).split()) or type(error).__name__
