"""What happens, for everybody who watches: one look at the engine for all of them, and none while nobody does.

As the event log, this compares two looks; nothing is told by whom it happens to. The lines are kept for those who are
behind, so many of them; who is further behind than that is told how many lines it missed.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable

from proxy_core.control.door.endpoints import WatchLine
from proxy_core.control.view import Generation
from proxy_core.control.watching.events import Event, Sight, events

LOOK = 0.5
"""Seconds between two looks."""
ALIVE = 10.0
"""Seconds between two signs of life, where nothing else is told."""
KEPT = 1000
"""Lines that are kept for who is behind."""


class Watch:
    """What happens, as lines, told to any number of watchers."""

    def __init__(self, sight: Callable[[], Sight]) -> None:
        self._sight = sight
        self._lines: deque[WatchLine] = deque(maxlen=KEPT)
        self._told = 0
        self._news = asyncio.Event()
        self._watchers = 0
        self._before = Sight()
        self._looking: asyncio.Task[None] | None = None

    async def lines(self, earlier: Iterable[Generation]) -> AsyncGenerator[WatchLine, None]:
        """A sign of life, a line for each ``earlier`` generation, then what happens, for ever."""
        self._watchers += 1
        if self._looking is None:
            self._before = self._sight()
            self._looking = asyncio.create_task(self._look_on())
        self._look()  # what happened until now is not told as what happens from now on
        seen = self._told
        try:
            yield self._alive()
            for generation in earlier:
                yield _applied(generation)
            while True:
                news = self._news
                if seen == self._told:
                    try:
                        async with asyncio.timeout(ALIVE):
                            await news.wait()
                    except TimeoutError:
                        yield self._alive()
                    continue
                missed = self._told - seen - len(self._lines)
                if missed > 0:
                    seen += missed
                    yield WatchLine(
                        at=time.time(), generation=self._sight().generation, kind="missed", level="warning",
                        text=f"{missed} lines were not read in time", facts={"lines": missed},
                    )  # fmt: skip
                    continue
                seen += 1
                yield self._lines[seen - self._told - 1]
        finally:
            self._watchers -= 1
            if not self._watchers and self._looking is not None:
                self._looking.cancel()
                self._looking = None

    def _alive(self) -> WatchLine:
        return WatchLine(at=time.time(), generation=self._sight().generation, kind="alive")

    async def _look_on(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            self._look()

    def _look(self) -> None:
        now = self._sight()
        for event in events(self._before, now):
            self._tell(event, now)
        self._before = now

    def _tell(self, event: Event, now: Sight) -> None:
        self._lines.append(
            WatchLine(
                at=now.at,
                generation=now.generation,
                kind=event.kind,
                level=event.level,
                text=event.text,
                facts={**event.facts},
            )
        )
        self._told += 1
        self._news.set()
        self._news = asyncio.Event()


def _applied(generation: Generation) -> WatchLine:
    """As the comparison of two looks tells of it."""
    (event,) = events(Sight(), Sight(generations=(generation,)))
    return WatchLine(
        at=generation.at, generation=generation.number, kind=event.kind, text=event.text, facts={**event.facts}
    )
