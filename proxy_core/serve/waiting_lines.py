"""Lines: who waits for a place, in the proxy or with a member. First come, first served, as far as they want the same.

A session waits for its own member while others would take any. So each place has one line for each thing that is
wanted: the first of one line must not keep a place empty that the first of another could have. Whoever gives a place
back calls ``freed``; then the first of each line try again, the longest wait first. The callers bound how long a line
may be and how long one may stand in it (``limits.queue``, ``queue_time``; a balancer's ``queue``, ``timeout``).
Nothing here is touched as long as nobody waits.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, Protocol

from proxy_core.balance.member_state import MemberKey

Wants = tuple[str, tuple[MemberKey, ...]]
"""What decides who could take a request: the route of its session, the members that it has tried."""

IN_PROXY: Final = ""
"""The place of those for whom there is no room in the proxy. All others have the names of pools."""
ANYTHING: Final[Wants] = ("", ())


class Waiter(Protocol):
    """Who stands in a line."""

    place: str
    """What it stands in line for."""
    wants: Wants
    """What could be of use to it."""
    in_line: float
    """Since when (monotonic); 0.0: it stands in no line."""

    def try_again(self) -> None:
        """There may be a place; if there is, it leaves the line."""

    def broke(self, where: str, error: Exception) -> None:
        """A mistake of ours was made over it."""


class Lines(dict[str, dict[Wants, deque[Waiter]]]):
    """Lines by place and by what is wanted; a line that nobody stands in is not there."""

    def length(self, place: str) -> int:
        """How many wait for a place."""
        return sum(map(len, self[place].values())) if place in self else 0

    def join(self, waiter: Waiter) -> None:
        """Stand in line, at its end."""
        self.setdefault(waiter.place, {}).setdefault(waiter.wants, deque()).append(waiter)

    def leave(self, waiter: Waiter) -> None:
        """Wait no longer."""
        lines = self[waiter.place]
        lines[waiter.wants].remove(waiter)
        if not lines[waiter.wants]:
            del lines[waiter.wants]
        if not lines:
            del self[waiter.place]

    def freed(self, place: str) -> None:
        """A place has become free, or may have: ask who waits, but not on top of the stack of who left."""
        if place in self:
            asyncio.get_running_loop().call_soon(self._next, place)

    def _next(self, place: str) -> None:
        stuck: set[Wants] = set()
        while firsts := [line[0] for wants, line in self.get(place, {}).items() if wants not in stuck]:
            waiter = min(firsts, key=lambda first: first.in_line)
            try:
                waiter.try_again()
            except Exception as error:
                waiter.broke("going on with a request that stood in line", error)
            if waiter in self.get(place, {}).get(waiter.wants, ()):
                stuck.add(waiter.wants)  # still nothing for it, and so for nobody behind it
