"""What is wrong with where copies of requests go: shadows that are nowhere, get nothing, or serve requests too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from proxy_core.config.destination import destination, shadow_pool
from proxy_core.config.model import Route, Site
from proxy_core.errors import Address, Problem
from proxy_core.http.syntax import is_token
from proxy_core.http.target import origin
from proxy_core.rules.lint.problems import error, unknown, warning
from proxy_core.rules.lint.upstreams import loop

_ALONE = {name: getattr(Route(id=""), name) for name in ("shadow_share", "shadow_fields")}


def lint_shadows(site: Site) -> Iterator[Problem]:
    pools = _pools(site)
    for row in site.routes:
        address = ("routes", row.id, "shadow")
        if row.shadow is None:
            for name, plain in _ALONE.items():
                if getattr(row, name) != plain:
                    todo = 'add shadow = "balancer://name", or remove it'
                    yield warning((*address[:2], name), f"{name} says nothing: the route has no shadow", todo)
        elif row.proxy is None:
            yield warning(address, "nothing is copied: the route forwards nothing", "remove it")
        else:
            yield from _fields(row)
            yield from _pool(site, address, row, pools)


def _pools(site: Site) -> dict[str, str]:
    """The pools that requests go to, each with the first route that leads there."""
    found: dict[str, str] = {}
    for row in site.routes:
        with suppress(ValueError):
            if row.enabled and (pool := destination(row)[0]) is not None:
                found.setdefault(pool, row.id)
    return found


def _pool(site: Site, address: Address, row: Route, pools: dict[str, str]) -> Iterator[Problem]:
    try:
        pool = shadow_pool(row) or ""
    except ValueError as reason:
        yield error(address, str(reason), 'write "http://host:port" or "balancer://name"')
        return
    if "://" in pool:
        yield from loop(site, address, origin(pool))
    elif pool not in site.balancers:
        yield unknown(address, "balancer", pool, site.balancers)
        return
    own = None
    with suppress(ValueError):
        own = destination(row)[0]
    if pool == own:
        what = "copies go to the members that the real requests go to, which then do more for nothing"
        yield warning(address, what, "name another balancer, with the members to compare")
    elif pool in pools:
        what = f"copies go to members that serve route {pools[pool]} too, whose requests share load and failures"
        yield warning(address, what, "give the copies a balancer of their own")
    if not row.shadow_share:
        todo = "set a share, as in 0.05, or remove the shadow"
        yield warning((*address[:2], "shadow_share"), "nothing is copied: shadow_share is 0", todo)


def _fields(row: Route) -> Iterator[Problem]:
    for name in row.shadow_fields:
        if not is_token(name.encode()):
            yield error(
                ("routes", row.id, "shadow_fields"), f'"{name}" is no name of a field', "write names, as in ETag"
            )
