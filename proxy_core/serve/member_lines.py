"""Requests that wait for a member with a free place: first come, first served, as far as they want the same.

A session waits for its own member while others would take anybody, so each balancer has a line for everything that is
wanted: whoever stands first in one must not keep a place empty that the first of another could have. Lines are bounded
in length and in time (the balancer's ``queue`` and ``timeout``), so that under overload some are told so at once
instead of all being slow. Whoever gives a place back calls ``freed``; the first of each line then choose again, longest
wait first, among the members that are in force by then. Nothing here is touched as long as nobody waits.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from proxy_core.balance.member_state import MemberKey

if TYPE_CHECKING:
    from proxy_core.serve.flight import Flight

Wants = tuple[str, tuple[MemberKey, ...]]
"""What decides who could take a request: the route of its session, the members that it has tried."""


class MemberLines(dict[str, dict[Wants, deque["Flight"]]]):
    """Lines by the name of their pool and by what is wanted; a line that nobody stands in is not there."""

    def length(self, pool: str) -> int:
        """How many wait for a pool."""
        return sum(map(len, self.get(pool, {}).values()))

    def join(self, pool: str, flight: Flight) -> None:
        """Stand in line, at its end."""
        self.setdefault(pool, {}).setdefault(flight.wants, deque()).append(flight)

    def leave(self, pool: str, flight: Flight) -> None:
        """Wait no longer; who does not stand in line may leave as well."""
        lines = self.get(pool, {})
        line = lines.get(flight.wants, ())
        if flight in line:
            lines[flight.wants].remove(flight)
            if not line:
                del lines[flight.wants]
            if not lines:
                del self[pool]

    def freed(self, pool: str) -> None:
        """A place has become free, or may have: ask who waits, but not on top of the stack of who left."""
        if pool in self:
            asyncio.get_running_loop().call_soon(self._next, pool)

    def _next(self, pool: str) -> None:
        stuck: set[Wants] = set()
        while firsts := [line[0] for wants, line in self.get(pool, {}).items() if wants not in stuck]:
            flight = min(firsts, key=lambda first: first.in_line)
            try:
                flight.decided()
            except Exception as error:
                flight.broke("going on with a request that stood in line", error)
            if flight in self.get(pool, {}).get(flight.wants, ()):
                stuck.add(flight.wants)  # still nothing for it, and so for nobody behind it
