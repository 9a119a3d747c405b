"""The prefix index: which of many path prefixes, in order, is the first that takes a path.

``takes`` is the rule (``alias_match`` in modules/proxy/mod_proxy.c, on normalised paths); the index is a quicker way to
it. It has a spot for each segment. A spot knows the first row that takes a path which ends there, and the first that
takes a path which goes on below it, rows of the spots above included. So a lookup walks down the path's own segments
once, however many rows there are; a path that leaves the index is decided by where it left. Rows are numbered in their
order; paths are bytes. The index knows nothing of what a row means.
"""

from __future__ import annotations

from collections.abc import Sequence


class Spot:
    """A segment of the index. ``at`` and ``below`` are row numbers; the count of all rows stands for "none"."""

    __slots__ = ("at", "below", "next")

    def __init__(self, none: int) -> None:
        self.at = none
        self.below = none
        self.next: dict[bytes, Spot] = {}


def collapsed(prefix: bytes) -> bytes:
    """A configured prefix with its slashes merged: in Apache any number of them matches any number."""
    while b"//" in prefix:
        prefix = prefix.replace(b"//", b"/")
    return prefix


def takes(prefix: bytes, path: bytes) -> bool:
    """Whether the prefix takes the path by whole segments: "/a" takes "/a" and "/a/x"; "/a/" only what is below."""
    return path == prefix or path.startswith(prefix if prefix.endswith(b"/") else prefix + b"/")


def index(prefixes: Sequence[bytes | None]) -> Spot:
    """Lay out collapsed prefixes; None is a row that takes nothing (it keeps its number)."""
    none = len(prefixes)
    top = Spot(none)
    for number, prefix in enumerate(prefixes):
        if prefix is None:
            continue
        spot = top
        *segments, last = prefix.split(b"/")
        for segment in segments:
            spot = _next(spot, segment, none)
        if last:
            spot = _next(spot, last, none)
            spot.at = min(spot.at, number)
        spot.below = min(spot.below, number)
    _inherit(top)
    return top


def _next(spot: Spot, segment: bytes, none: int) -> Spot:
    found = spot.next.get(segment)
    if found is None:
        found = spot.next[segment] = Spot(none)
    return found


def _inherit(top: Spot) -> None:
    """Give each spot what the spots above it take; not recursive, for a path may have thousands of segments."""
    waiting = [top]
    while waiting:
        spot = waiting.pop()
        for below in spot.next.values():
            below.at = min(below.at, spot.below)
            below.below = min(below.below, spot.below)
            waiting.append(below)


def first(top: Spot, path: bytes) -> int:
    """The number of the first row that takes the path, or the count of all rows when none does."""
    spot = top
    for segment in path.split(b"/"):
        found = spot.next.get(segment)
        if found is None:
            return spot.below
        spot = found
    return spot.at
