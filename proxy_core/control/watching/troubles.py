"""What diagnosis finds: who is ill, how it shows, since when. Plain data, for consoles here and at the far end of a
socket; trouble_words.py has the sentences."""

from __future__ import annotations

from typing import Literal, NamedTuple

from msgspec import Struct

Measure = Literal["5xx", "4xx", "slow"]
Kind = Literal["site", "member", "rule", "route", "shape"]


class Subject(NamedTuple):
    """Who is ill: a member by balancer and name, a rule or route by list and id, a shape by "" and its text."""

    kind: Kind
    home: str
    name: str


SITE = Subject("site", "", "")


class Sign(Struct, frozen=True, kw_only=True):
    """One way in which a trouble shows."""

    measure: Measure
    """What was counted."""
    part: float
    """The part of the last minute's requests that it counts, 0 to 1."""
    expected: float
    """The part that was to be expected."""
    per_second: float
    """How many of them there are."""
    since: float
    """When it began, to a step, in seconds since the epoch."""
    found: float
    """When it was found, in seconds since the epoch."""
    shape: str = ""
    """The shape of path that most of them have, "" where there is no such."""
    shape_part: float = 0.0
    """The part of them that have it, 0 to 1."""


class Trouble(Struct, frozen=True, kw_only=True):
    """Something that is wrong."""

    subject: Subject
    """Who is ill."""
    signs: tuple[Sign, ...]
    """How it shows, the surest first."""
    p95: float
    """Seconds within which nearly all its requests of the last minute were over; -1 for none."""
    p95_expected: float
    """The same of its peers, or of itself before; -1 for not known."""
    peers: int = 0
    """Members that it was held against; 0 where it was held against itself. One may be the odd one itself."""
    generation: int = 0
    """The one that came into force just before it began; 0 for none."""

    @property
    def since(self) -> float:
        return min(sign.since for sign in self.signs)


class AppliedAt(NamedTuple):
    """A generation that came into force, and when (seconds since the epoch)."""

    number: int
    at: float
