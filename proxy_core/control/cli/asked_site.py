"""The site in a file, ready to be asked about: its rules, and the maps that they look up. Nothing of it serves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from proxy_core.control.cli.subcommand import report, report_all, sound
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.fact_lookups import Outside
from proxy_core.runtime.maps.store import MapStore
from proxy_core.runtime.registry import Registry
from proxy_core.runtime.rule_set import RuleSet


@asynccontextmanager
async def asked_site(file: Path) -> AsyncIterator[tuple[RuleSet, Outside] | None]:
    """The rules of a site and what they may ask; None when it has errors. What is wrong is reported."""
    if (found := sound(file)) is None:
        yield None
        return
    document, site = found
    maps = MapStore(report)
    prepared = await maps.prepare(site, file.parent)
    report_all(map(document.located, prepared.problems))
    maps.commit(prepared)
    try:
        yield compile_site(site, Registry(), 1), Outside(maps, file.parent)
    finally:
        await maps.close()
