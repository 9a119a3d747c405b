"""What is started to try a proxy with, from its start to its end: members that stand in, and visits.

What it needs is loaded when it is started, for hardly anybody starts it.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from proxy_core.config.model import Site

if TYPE_CHECKING:
    from proxy_core.control.demo.members import DemoMember


class Demo:
    """The demo of one engine. ``running`` says that there are members of it."""

    def __init__(self) -> None:
        self.running = False
        self._members: list[DemoMember] = []
        self._visits: list[asyncio.Task[None]] = []

    async def stand_in(self, site: Site) -> str:
        """Start a small server for each loopback member that refuses connections; the answer says which."""
        from proxy_core.control.demo.members import start_members

        started = await start_members(site)
        self._members += started
        self.running = self.running or bool(started)
        ports = ", ".join(str(member.port) for member in started)
        return f"demo members on {ports}" if started else "every loopback member answers already"

    def visit(self, port: int, site: Site, rate: float) -> None:
        """Send gentle, varied traffic to a port, ``rate`` requests a second."""
        from proxy_core.control.demo.traffic import traffic

        self._visits.append(asyncio.create_task(traffic(port, site, rate)))

    async def close(self) -> None:
        for task in self._visits:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        for member in self._members:
            await member.close()
