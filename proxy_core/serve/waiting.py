"""Requests that wait for a member with a free place: one queue for each balancer, first come, first served.

A queue is bounded in length and in time (the balancer's ``queue`` and ``timeout``), so that under overload some are
told so at once instead of all being slow. Whoever gives a place back calls ``freed``; the next in line then chooses
again, under the rule set that it came with. Nothing here is touched as long as nobody waits.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proxy_core.serve.handler import Flight


class Waiting(dict[str, deque["Flight"]]):
    """Queues by the name of their pool; a queue that nobody stands in is not there."""

    def join(self, pool: str, flight: Flight, again: bool) -> None:
        """Stand in line: at the end, or at the head ``again`` when the place that was free has gone to nobody."""
        queue = self.setdefault(pool, deque())
        (queue.appendleft if again else queue.append)(flight)

    def leave(self, pool: str, flight: Flight) -> None:
        """Wait no longer; who does not stand in line may leave as well."""
        queue = self.get(pool)
        if queue is not None and flight in queue:
            queue.remove(flight)
            if not queue:
                del self[pool]

    def freed(self, pool: str) -> None:
        """A place has become free, or may have: ask the next in line, but not on top of the stack of who left."""
        if pool in self:
            asyncio.get_running_loop().call_soon(self._next, pool)

    def _next(self, pool: str) -> None:
        queue = self.get(pool)
        while queue:
            flight = queue.popleft()
            if not queue:
                del self[pool]
            try:
                flight.decided()
            except Exception as error:
                flight.broke("going on with a request that stood in line", error)
            if self.get(pool) and self[pool][0] is flight:
                return  # still nothing for it, and so for nobody behind it
            queue = self.get(pool)
