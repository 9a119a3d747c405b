"""An engine's part in an upgrade: what it lends, what it lets go of, and what it takes over.

The order matters. The site is saved and edits are refused before the next process reads it; the lock on it is lent
with the sockets, and comes back by itself when that process ends early. Once it serves, this one lets go: it accepts
nothing, checks nobody, hears no heartbeats and writes no site file, and serves what it has to the end.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Final

from proxy_core.control.door.site_lock import SiteLock
from proxy_core.control.editing.editor import Editor
from proxy_core.control.upgrading import handed_state
from proxy_core.control.upgrading.handed_state import State
from proxy_core.control.watching.member_heartbeats import MemberHeartbeats
from proxy_core.control.watching.metrics import MetricsText
from proxy_core.errors import Problem
from proxy_core.runtime.health_checks import Checks
from proxy_core.runtime.recent_requests import Recorder
from proxy_core.runtime.registry import Registry
from proxy_core.serve.listening_sockets import HEARTBEAT, METRICS
from proxy_core.serve.server import ProxyServer

UNDER_WAY: Final = Problem(
    what="an upgrade is under way, so nothing is edited here", todo="try again in a moment", severity="warning"
)


class NotUpgraded(ValueError):
    """Why there was no upgrade, in words; this process serves on."""


@dataclass(frozen=True, slots=True)
class HandingOver:
    """The parts of an engine that an upgrade concerns."""

    registry: Registry
    """Members and rules."""
    recorder: Recorder
    """Finished requests, counted."""
    server: ProxyServer
    """Connections and their listeners."""
    metrics: MetricsText
    """The pages for programs."""
    beats: MemberHeartbeats
    """Where members report."""
    checks: Checks
    """Ask members how they are."""
    editor: Editor
    """Writes the site file."""
    pen: SiteLock
    """The right to do so."""

    # ---- the old process

    async def lend(self) -> None:
        """Save, and refuse edits from now on. Raises NotUpgraded where what is in force is not on disk, or waits to be
        confirmed: whoever takes over would begin with the text before it."""
        await self.editor.saver.flush()
        if (waiting := self.editor.history.unconfirmed) is not None:
            raise NotUpgraded(f"generation {waiting.number} waits to be confirmed: {waiting.sentence}")
        if self.editor.saver.state != "saved":
            why = "; ".join(each.what for each in self.editor.saver.problems) or "it could not be written in time"
            raise NotUpgraded(f"the site in force is not the file on disk: {why}")
        if self.pen.lent(UNDER_WAY):
            self.editor.may_write(UNDER_WAY)

    def take_back(self) -> None:
        """There was no upgrade: edit again."""
        if self.pen.lent(None):
            self.editor.may_write(None)

    def sockets(self) -> list[tuple[str, socket.socket]]:
        """What listens, by names that the next process knows."""
        named = [(bound.name, each) for bound in self.server.listeners if not bound.draining for each in bound.sockets]
        for name, page in ((METRICS, self.metrics.page), (HEARTBEAT, self.beats.open)):
            named += [(name, each) for each in page.sockets] if page is not None else []
        return named

    def state(self) -> State:
        """What the next process is to know."""
        away = [(bound.name, bound.turned_away) for bound in self.server.listeners]
        return handed_state.state_of(self.registry, self.recorder, self.server.admission, away)

    async def let_go(self) -> None:
        """The next process serves: leave to it what only one can do."""
        self.server.retire()
        self.pen.drop()
        await self.checks.close()
        await self.beats.close()
        await self.metrics.close()

    async def finished(self) -> None:
        """Wait until what this process has is over, for as long as the site allows."""
        await self.server.empty(self.server.upgrade_timeout)

    # ---- the new process

    def begin(self, state: State) -> None:
        """Go on where the old process was, in what a server has of it."""
        self.server.admission.go_on(state.reached, state.rates)
        self._turned_away(state)

    def add(self, more: State) -> None:
        """Count what the old process counted until its end."""
        handed_state.add(more, self.registry, self.recorder, self.server.admission)
        self._turned_away(more)

    def _turned_away(self, state: State) -> None:
        left = dict(state.turned_away)
        for bound in self.server.listeners:
            bound.turned_away += left.pop(bound.name, 0)
