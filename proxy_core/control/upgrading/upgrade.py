"""The upgrade of a service: asked for by a signal or at the door, one at a time, and told in the log of events.

Once another process serves, this one has only to finish what it has: ``done`` is set then. What goes wrong before that
is told and raised, and this process serves on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from proxy_core.control.upgrading.handing_over import HandingOver, NotUpgraded
from proxy_core.control.upgrading.service_manager import ServiceManager
from proxy_core.control.upgrading.successor import Successor, upgraded
from proxy_core.control.watching.events import Event

if TYPE_CHECKING:
    from proxy_core.control.door.door import Door


class Upgrade:
    """Lets the program that is on disk take over from this process."""

    def __init__(self, handing_over: HandingOver, manager: ServiceManager, tell: Callable[[Event], None]) -> None:
        self.done = asyncio.Event()
        self.door: Door | None = None
        self._handing_over, self._manager, self._tell = handing_over, manager, tell
        self._successor: Successor | None = None
        self._running: asyncio.Task[str] | None = None

    async def __call__(self) -> str:
        """Upgrade, and say what came of it. Raises NotUpgraded."""
        if self._running is not None:
            raise NotUpgraded("an upgrade is under way already")
        self._running = asyncio.create_task(self._run())
        return await asyncio.shield(self._running)  # whoever asked may go away

    async def signalled(self) -> None:
        """As SIGUSR2 asks for it: what becomes of it is told in the log alone."""
        with suppress(NotUpgraded):
            await self()

    async def call_off(self) -> None:
        """This process is to end: an upgrade that is under way does not take place."""
        if self._running is not None and not self.done.is_set():
            if self._successor is None:
                self._running.cancel()
            await asyncio.wait({self._running})

    async def finish(self) -> None:
        """This process ends: what it counted since another one serves is handed over."""
        if self._successor is not None:
            await self._successor.leave(self._handing_over.state())

    async def _run(self) -> str:
        try:
            door = self.door
            control = (door.listening, str(door.path)) if door is not None and door.listening is not None else None
            successor = await upgraded(self._handing_over, control, self._manager.environment())
        except NotUpgraded as error:
            self._running = None
            text = f"not upgraded: {error}; this process serves on"
            self._tell(Event(level="error", kind="upgrade_failed", text=text))
            raise
        self._successor = successor
        await self._manager.give_way(successor.pid)
        successor.let_go()
        await self._handing_over.let_go()
        if self.door is not None:
            await self.door.let_go()
        self.done.set()
        sentence = f"process {successor.pid} serves from now on, and the old one finishes what it has"
        self._tell(Event(level="info", kind="upgraded", text=f"upgraded: {sentence}", facts={"pid": successor.pid}))
        return sentence
