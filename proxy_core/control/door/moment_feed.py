"""Moments of a service's last hour, for a console at the far end of a line: fetched when asked for, and then here.

Who asks is never waited for: what is not here is on its way, and is asked for again with the next picture. Only the
moment asked for last is fetched, so that a key held down does not leave a queue behind it.
"""

from __future__ import annotations

import asyncio

from proxy_core.control.door.async_client import DoorLine, ended
from proxy_core.control.door.client import Denied, NobodyThere
from proxy_core.control.door.endpoints import SnapshotQuery
from proxy_core.control.view import Snapshot

HELD = 360
"""Moments that are held: an hour of them."""
AGAIN = 1.0
"""Seconds after which a service that does not answer is asked again."""


class MomentFeed:
    """Moments of the service at the end of ``line``; ``refused`` says that it knows none, being older."""

    def __init__(self, line: DoorLine) -> None:
        self.refused = False
        self._line = line
        self._held: dict[int, Snapshot] = {}
        self._wanted: float | None = None
        self._task: asyncio.Task[None] | None = None

    def at(self, at: float) -> Snapshot | None:
        """The moment nearest to ``at``; None while it is on its way."""
        found = self._held.get(round(at))
        if found is None:
            self._wanted = at
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._fetch())
        return found

    async def close(self) -> None:
        if self._task is not None:
            await ended(self._task)

    async def _fetch(self) -> None:
        while (wanted := self._wanted) is not None:
            self._wanted = None
            try:
                found: Snapshot = await self._line.ask("snapshot", query=SnapshotQuery(at=wanted))
            except NobodyThere:
                await asyncio.sleep(AGAIN)
            except Denied as refusal:
                self.refused = refusal.status == 400
                await asyncio.sleep(AGAIN)
            else:
                if found.past:  # what stands for it while nothing is kept is soon another
                    self._held[round(wanted)] = found
                for old in [*self._held][:-HELD]:
                    del self._held[old]
