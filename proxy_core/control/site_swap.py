"""The swap: brings a site into force between two requests.

All that can fail comes first: compiling, reading maps and pages, binding. Then the rule set is assigned, and nothing
after that can take it back. A listener that cannot be bound at the start is a problem, not a reason to serve nothing:
it is tried again until it is bound or the site wants another.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from proxy_core.config.model import Listener, Site
from proxy_core.config.reading.document import Document
from proxy_core.control.watching.metrics import MetricsText
from proxy_core.errors import Problem
from proxy_core.runtime.compile_site import adopt, compile_site
from proxy_core.runtime.error_files import ErrorFiles
from proxy_core.runtime.maps.store import MapStore
from proxy_core.runtime.registry import Registry
from proxy_core.runtime.rule_set import Current
from proxy_core.serve.listeners import ListenError
from proxy_core.serve.metrics_listener import MetricsListener
from proxy_core.serve.server import ProxyServer


class SiteSwap:
    """Takes turns: an edit and a new try to bind wait for each other, from what is prepared to its commit."""

    def __init__(
        self,
        folder: Path,
        current: Current,
        registry: Registry,
        maps: MapStore,
        pages: ErrorFiles,
        server: ProxyServer,
        metrics: MetricsText,
    ) -> None:
        """``folder`` is that of the site file."""
        self._folder = folder
        self._current = current
        self._registry = registry
        self._maps = maps
        self._pages = pages
        self._server = server
        self._metrics = metrics
        self._turn = asyncio.Lock()
        self._unbound: dict[str, tuple[Listener, Problem]] = {}

    @property
    def unbound(self) -> list[Problem]:
        """Why listeners of the site are not bound."""
        return [problem for _, problem in self._unbound.values()]

    async def begin(self, document: Document) -> None:
        """Serve the site that is in force already: read its maps and pages, bind what can be bound."""
        site = self._current.rules.site
        self._maps.commit(await self._maps.prepare(site, self._folder))
        await self._pages.read(site)
        await self.bind_what_can(document)

    async def bring(self, site: Site, generation: int) -> tuple[Problem, ...]:
        """Bring a site into force; the problems when that cannot be done, in which case nothing has changed."""
        async with self._turn:
            rules = compile_site(site, self._registry, generation, self._current.rules)
            unbound = {name: listener for name, (listener, _) in self._unbound.items()}
            wanted = {name: listener for name, listener in site.listeners.items() if unbound.get(name) != listener}
            maps = await self._maps.prepare(site, self._folder)
            page: MetricsListener | None = None
            try:
                if maps.problems:
                    raise ListenError(maps.problems)
                page = await self._metrics.prepare(site)
                prepared = await self._server.prepare(wanted)
                await self._pages.read(site)
            except ListenError as error:
                self._maps.discard(maps)
                await self._metrics.discard(page)
                return error.problems
            self._current.rules = rules
            self._maps.commit(maps)
            self._server.commit(prepared)
            self._metrics.commit(page, site)
            adopt(rules, self._registry, time.monotonic())
            self._unbound = {name: each for name, each in self._unbound.items() if site.listeners.get(name) == each[0]}
            return ()

    async def bind_what_can(self, document: Document) -> None:
        """Bind every listener that can be bound; the others become problems, with their places in ``document``."""
        async with self._turn:
            site = self._current.rules.site
            if self._metrics.page is None:
                await self._metrics.open(site)
            failed: dict[str, Problem] = {}
            while True:
                wanted = {name: listener for name, listener in site.listeners.items() if name not in failed}
                try:
                    self._server.commit(await self._server.prepare(wanted))
                    break
                except ListenError as error:
                    failed |= {problem.address[1]: problem for problem in error.problems}
            self._unbound = {
                name: (site.listeners[name], document.located(problem)) for name, problem in failed.items()
            }
