"""The swap: brings a site into force between two requests.

All that can fail comes first: compiling, reading maps and pages, binding. Then the rule set is assigned, and nothing
after that can take it back. A listener that cannot be bound at the start is a problem, not a reason to serve nothing:
it is tried again until it is bound or the site wants another.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field

from proxy_core.config.model import Listener, Site
from proxy_core.config.reading.document import Document
from proxy_core.control.editing.commands import Refused
from proxy_core.control.watching.metrics import MetricsText
from proxy_core.errors import Problem
from proxy_core.runtime.compile_site import adopt, compile_site
from proxy_core.runtime.error_page_files import ErrorFiles
from proxy_core.runtime.fact_lookups import MapAnswers, Outside
from proxy_core.runtime.maps.store import MapStore
from proxy_core.runtime.registry import Registry
from proxy_core.runtime.rule_set import Current, RuleSet
from proxy_core.serve.listeners import ListenError
from proxy_core.serve.server import ProxyServer

if TYPE_CHECKING:
    from proxy_core.serve.metrics_and_heartbeat_listeners import AuxiliaryListener


class SiteSwap(Struct):
    """Brings sites into force, one at a time: whoever prepares one keeps others waiting until it is committed."""

    folder: Path
    """That of the site file."""
    current: Current
    """Where the rule set in force is assigned."""
    registry: Registry
    """What outlives a rule set."""
    maps: MapStore
    """The maps in force."""
    pages: ErrorFiles
    """Pages for errors that are in files."""
    server: ProxyServer
    """The listeners."""
    metrics: MetricsText
    """The listener of the metrics page."""
    failing: tuple[Problem, ...] = ()
    """The rows of [[tests]] that failed when the site in force was taken."""
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held from preparing to committing."""
    _unbound: dict[str, tuple[Listener, Problem]] = field(default_factory=dict)
    """By name, the listeners that could not be bound, and why."""

    @property
    def unbound(self) -> list[Problem]:
        """Why listeners of the site are not bound."""
        return [problem for _, problem in self._unbound.values()]

    async def begin(self, document: Document) -> None:
        """Serve the site that is in force already: read its maps and pages, bind what can be bound."""
        site = self.current.rules.site
        self.maps.commit(await self.maps.prepare(site, self.folder))
        await self.pages.read(site)
        self.failing, _ = await self._tested(self.current.rules, self.maps.uncounted())
        await self.bind_what_can(document)

    async def bring(self, site: Site, generation: int, force: bool = False) -> Refused | None:
        """Bring a site into force; Refused when that cannot be done, in which case nothing has changed. By ``force``
        also where a row of [[tests]] fails by it."""
        async with self._turn:
            rules = compile_site(site, self.registry, generation, self.current.rules)
            unbound = {name: listener for name, (listener, _) in self._unbound.items()}
            wanted = {name: listener for name, listener in site.listeners.items() if unbound.get(name) != listener}
            maps = await self.maps.prepare(site, self.folder)
            page: AuxiliaryListener | None = None
            try:
                if maps.problems:
                    raise ListenError(maps.problems)
                outcomes, broken = await self._tested(rules, self.maps.beforehand(maps))
                if broken and not force:
                    self.maps.discard(maps)
                    return Refused(problems=broken, forcible=True)
                page = await self.metrics.prepare(site)
                prepared = await self.server.prepare(wanted)
                await self.pages.read(site)
            except ListenError as error:
                self.maps.discard(maps)
                await self.metrics.discard(page)
                return Refused(problems=error.problems)
            self.current.rules = rules
            self.failing = outcomes
            self.maps.commit(maps)
            self.server.commit(prepared)
            self.metrics.commit(page, site)
            adopt(rules, self.registry, time.monotonic())
            self._unbound = {name: each for name, each in self._unbound.items() if site.listeners.get(name) == each[0]}
            return None

    async def _tested(self, rules: RuleSet, maps: MapAnswers) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
        """The tests of a site that fail by its own rules, and those of them that hold by the rules in force."""
        if not rules.site.tests:
            return (), ()
        from proxy_core.control.explaining import rule_tests  # for sites that have tests

        now = rule_tests.AskedRules(rules, Outside(maps, self.folder))
        before = rule_tests.AskedRules(self.current.rules, Outside(self.maps.uncounted(), self.folder))
        outcomes = await rule_tests.tested(*now)
        return rule_tests.failing(outcomes), await rule_tests.broken(now, before, outcomes)

    async def bind_what_can(self, document: Document) -> None:
        """Bind every listener that can be bound; the others become problems, with their places in ``document``."""
        async with self._turn:
            site = self.current.rules.site
            if self.metrics.page is None:
                await self.metrics.open(site)
            failed: dict[str, Problem] = {}
            while True:
                wanted = {name: listener for name, listener in site.listeners.items() if name not in failed}
                try:
                    self.server.commit(await self.server.prepare(wanted))
                    break
                except ListenError as error:
                    failed |= {problem.address[1]: problem for problem in error.problems}
            self._unbound = {
                name: (site.listeners[name], document.located(problem)) for name, problem in failed.items()
            }
