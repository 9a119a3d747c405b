"""A change tried out on the requests that are kept: compiles what would be in force, opens its maps, and foresees.

All of it has states and maps of its own, thrown away afterwards. Maps that are asked by waiting (programs, databases)
are not asked: what they said then counts, where the change leaves them as they are.
"""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from time import monotonic
from typing import Final

from msgspec.structs import replace

from proxy_core.config.model import RewriteMap, Site
from proxy_core.control.editing.plan import Plan
from proxy_core.control.explaining.what_if import AskMap, TriedRules, foresee
from proxy_core.control.foreseen import Foreseen
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.maps import text_file
from proxy_core.runtime.maps.source import WAIT, Known
from proxy_core.runtime.maps.store import MapStore
from proxy_core.runtime.recent_requests import Recorder
from proxy_core.runtime.registry import Registry
from proxy_core.runtime.rule_set import RuleSet

AT_ONCE: Final = ("txt", "rnd", "int", "dbm")
"""Types of maps that answer without waiting."""


async def try_out(plan: Plan, rules: RuleSet, maps: MapStore, recorder: Recorder, registry: Registry) -> Foreseen:
    """What ``plan`` would do to the requests in ``recorder``; ``rules``, ``maps`` and ``registry`` are those that
    serve. Raises ValueError for a site with errors."""
    site, file = plan.document.site, Path(plan.document.file)
    if site is None:
        raise ValueError("the site file has errors")
    own = MapStore()
    opened = await own.prepare(replace(site, maps=_at_once(site)), file.parent)
    own.commit(opened)
    try:
        before, after = await asyncio.to_thread(_compiled, rules.site, site)
        tables = _tables(plan, site, file.parent)
        anew = {name for name, each in site.maps.items() if rules.site.maps.get(name) != each or name in tables}
        sides = TriedRules(before, maps.uncounted().ask), TriedRules(after, _asking(site, own, tables), anew)
        return await foresee([*recorder.ring], *sides, registry.members.get, monotonic())
    finally:
        await own.close()


def _compiled(before: Site, after: Site) -> tuple[RuleSet, RuleSet]:
    return compile_site(before, Registry(), 0), compile_site(after, Registry(), 0)


def _at_once(site: Site) -> dict[str, RewriteMap]:
    return {name: each for name, each in site.maps.items() if each.type in AT_ONCE}


def _tables(plan: Plan, site: Site, folder: Path) -> dict[str, dict[str, str]]:
    """The maps whose files the change writes, as they would read."""
    new = {each.path: each.new for each in plan.files}
    return {
        name: text_file.table(new[folder / each.file].decode("latin-1"))
        for name, each in site.maps.items()
        if each.file and folder / each.file in new
    }


def _asking(site: Site, maps: MapStore, tables: dict[str, dict[str, str]]) -> AskMap:
    def ask(name: str, key: str) -> Known:
        if name in tables:
            value = tables[name].get(key)
            chosen = random.choice(value.split("|")) if value and site.maps[name].type == "rnd" else value
            return True, chosen or None
        known = site.maps.get(name)
        return WAIT if known is not None and known.type not in AT_ONCE else maps.ask(name, key, counted=False)

    return ask
