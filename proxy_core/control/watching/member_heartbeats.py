"""Heartbeats of the site in force: the listener that ``[heartbeat]`` wants, and the members that reports are about.

The listener is opened after a site is in force, for the other methods serve without it. Where it cannot be opened, that
is shown as a problem and tried again.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from proxy_core.balance.heartbeat import LoadReport, heard
from proxy_core.config.model import Listener, Site
from proxy_core.errors import Problem
from proxy_core.runtime.rule_set import Current
from proxy_core.runtime.upstreams.resolver import Resolver
from proxy_core.serve.listeners import problem_of
from proxy_core.serve.listening_sockets import InheritedSockets

if TYPE_CHECKING:
    from proxy_core.serve.metrics_and_heartbeat_listeners import AuxiliaryListener


class MemberHeartbeats:
    """``problem`` says why nobody listens where the site wants it."""

    def __init__(self, current: Current, resolver: Resolver) -> None:
        self.problem: Problem | None = None
        self.open: AuxiliaryListener | None = None
        self.inherited = InheritedSockets()
        self._current = current
        self._resolver = resolver

    async def adopt(self, site: Site) -> None:
        """Listen where this site says, and nowhere else."""
        wanted = site.heartbeat.address if site.heartbeat is not None else ""
        if self.open is not None and self.open.address != wanted:
            await self.close()
        self.problem = None
        if wanted and self.open is None:
            from proxy_core.serve.metrics_and_heartbeat_listeners import hear_heartbeats  # few sites have some

            try:
                self.open = await hear_heartbeats(wanted, self._heard, self._names, self.inherited)
            except (OSError, ValueError) as error:
                problem = problem_of("heartbeat", Listener(address=wanted), error)
                self.problem = Problem(what=problem.what, todo=problem.todo, address=("heartbeat", "address"))

    async def close(self) -> None:
        opened, self.open = self.open, None
        if opened is not None:
            await opened.close()

    def _names(self) -> tuple[str, ...]:
        settings = self._current.rules.site.heartbeat
        return settings.names if settings is not None else ()

    def _heard(self, report: LoadReport, sender: str) -> None:
        members = [member for pool in self._current.rules.pools.values() for member in pool.members]
        heard(report, sender, members, self._addresses, monotonic())

    def _addresses(self, host: str) -> tuple[str, ...]:
        known = self._resolver.names.get(host)
        return known.addresses if known is not None else ()
