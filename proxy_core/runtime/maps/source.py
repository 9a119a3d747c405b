"""What every kind of map has in common: how it is asked, and what it remembers for people.

A Source is what a map reads, under whatever name the site knows it. It answers at once where that needs no waiting,
else in ``answer``, which always comes to an end: at the map's deadline the answer is a miss. A source never raises
for what goes wrong while serving: the request gets a miss, so its rule's default, and ``Tally`` says why.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol

from msgspec import Struct

from proxy_core.config.model import MapType

Known = tuple[bool, str | None]
"""(True, value), the value being None for a miss; (False, None) when the answer takes waiting."""

WAIT: Known = (False, None)
MOST_KEPT = 100_000
"""Answers that a source keeps at most: keys come from clients, who can make up any number of them."""


@dataclass(slots=True)
class MapTally:
    """Numbers of one source, kept across swaps. ``fault`` is what is wrong now, "" for nothing; ``last_error`` stays
    when it is over, with the epoch second ``error_at``."""

    hits: int = 0
    misses: int = 0
    errors: int = 0
    fault: str = ""
    last_error: str = ""
    error_at: float = 0.0

    def failed(self, why: str, now: float) -> None:
        self.errors += 1
        self.fault = self.last_error = why
        self.error_at = now


class MapState(Struct, frozen=True, kw_only=True):
    """One map now, for people. ``entries`` is -1 where nobody can say; ``changed_at`` is the epoch second of the
    file's last change, 0.0 for none; ``fault`` is what is wrong now, ``last_error`` what was last."""

    name: str
    type: MapType
    reads: str
    hits: int
    misses: int
    errors: int
    entries: int
    changed_at: float
    fault: str
    last_error: str
    error_at: float


class Source(Protocol):
    """``entries`` is how many are known, -1 where nobody can say; ``changed`` is the epoch second at which what it
    reads was last changed, 0.0 where there is no such thing."""

    @property
    def entries(self) -> int: ...

    @property
    def changed(self) -> float: ...

    async def open(self) -> None:
        """Get ready. Raises OSError or ValueError, worded for people, where it cannot; it may be asked all the same."""
        ...

    def ask(self, key: str) -> Known: ...

    async def answer(self, key: str, timeout: float) -> str | None:
        """The value, within ``timeout`` seconds; a miss where it is not to be had."""
        ...

    async def close(self) -> None: ...


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
