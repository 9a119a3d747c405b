"""The engine's clock: a tick every quarter of a second, and how late the event loop is meanwhile.

What is late is told by the difference between when a tick was due and when it came. A mistake in one tick stops no
other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from proxy_core.control.watching.problems import RecentProblems
from proxy_core.errors import Problem

TICK = 0.25
"""Seconds between two looks at the clock: for the loop's lateness, the access logs and the recording."""
STOOD_STILL = 1.0
"""Seconds of lateness that are told of; the sweep moves its deadlines along from the same length on."""


class LoopClock:
    """Calls ``tick`` with the number of each tick; says to ``problems`` when the loop stood still."""

    def __init__(self, tick: Callable[[int], Awaitable[None]], problems: RecentProblems) -> None:
        self.lateness = 0.0
        """Seconds that the loop was late at worst in the last second."""
        self._tick, self._problems = tick, problems
        self._now = 0.0

    async def run(self) -> None:
        loop, ticks = asyncio.get_running_loop(), 0
        due = loop.time()
        while True:
            due = max(due + TICK, loop.time())
            await asyncio.sleep(due - loop.time())
            self._now = max(self._now, loop.time() - due)
            ticks += 1
            try:
                await self._tick(ticks)
            except Exception as error:
                self._problems.crashed("a tick of the engine's clock", error, "serving goes on")

    def close_second(self) -> None:
        """A second is over."""
        self.lateness, self._now = self._now, 0.0
        if self.lateness > STOOD_STILL:
            what = f"the event loop stood still for {self.lateness:.1f} s, and served nobody meanwhile"
            todo = "look whether this machine was stopped or has too much to do; deadlines stood still with it"
            self._problems.add(Problem(what=what, todo=todo, severity="warning"))
