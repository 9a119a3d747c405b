"""Hosts for Apache, which has by virtual host what a site has by listener: certificates, and bounds of its own.

So a listener that has any and leads to no host gets hosts of its own, one for each certificate; and a host that is
reached through listeners that differ in them becomes several, with the same rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import asdict, replace

from proxy_core.apache.draft import unique
from proxy_core.apache.export_routes import unreached
from proxy_core.apache.export_tls import named
from proxy_core.config.model import Host, Limits, Listener, ListenerLimits, Site

_R = TypeVar("_R", bound=Any)


def plain(site: Site, folder: Path) -> Site:
    """Hosts each of which is reached through listeners that are alike."""
    site = _halves(_hosted(site, folder))
    listeners = {name: replace(each, limits=_bounds(site.limits, each.limits)) for name, each in site.listeners.items()}
    hosts = {}
    for name, host in site.hosts.items():
        body = next(iter(site.listeners[each].limits.body for each in host.listeners or site.listeners), None)
        hosts[name] = replace(host, max_body=body) if host.max_body is None else host
    return replace(site, listeners=listeners, hosts=hosts)


def _bounds(whole: Limits, own: ListenerLimits) -> ListenerLimits:
    """Bounds of a listener: a time with its rate, for RequestReadTimeout says both; hosts have that of bodies."""
    both = asdict(own.over(whole))
    changed: dict[str, Any] = {"body": None}
    for stage in ("head", "body"):
        keys = (f"{stage}_time", f"{stage}_rate")
        if any(getattr(own, key) is not None for key in keys):
            changed |= {key: both[key] for key in keys}
            changed[keys[0]] = float(max(1, round(both[keys[0]])))
    return replace(own, **changed)


def bounds(site: Site, name: str) -> ListenerLimits:
    """What a host says of bounds: those of the listeners whose first host it is."""
    for each in site.hosts[name].listeners or site.listeners:
        first = next(key for key, host in site.hosts.items() if each in (host.listeners or site.listeners))
        if first == name:
            return site.listeners[each].limits
    return ListenerLimits()


def _hosted(site: Site, folder: Path) -> Site:
    """Hosts for listeners that have something of their own and lead to none."""
    hosts = dict(site.hosts)
    for name in unreached(site):
        listener = site.listeners[name]
        rows = listener.tls.certificates if listener.tls is not None else ()
        for row in rows if len(rows) > 1 else ():
            names = named(row, folder) or (site.site.server_name,)
            hosts[unique(name, hosts)] = Host(names=names, listeners=(name,))
        if len(rows) < 2 and listener != Listener(address=listener.address):
            hosts[unique(name, hosts)] = Host(names=(site.site.server_name,), listeners=(name,))
    return replace(site, hosts=hosts)


def _halves(site: Site) -> Site:
    """Each host that is reached through listeners that differ as one host for each kind."""
    for name, host in list(site.hosts.items()):
        through = host.listeners or tuple(site.listeners)
        groups: dict[bytes, list[str]] = {}
        for each in through:
            groups.setdefault(repr(replace(site.listeners[each], address="")).encode(), []).append(each)
        if len(groups) < 2:
            continue
        first, *others = groups.values()
        hosts = {}
        for key, each_host in site.hosts.items():
            hosts[key] = replace(each_host, listeners=tuple(first)) if key == name else each_host
            for there in others if key == name else ():
                made = unique(f"{name}-{there[0]}", {**site.hosts, **hosts})
                hosts[made] = replace(host, listeners=tuple(there))
                site = _copied(site, name, made)
        site = replace(site, hosts=hosts)
    return site


def _copied(site: Site, host: str, made: str) -> Site:
    """All rows of a host for another one too."""

    own = {row.id: f"{row.id}-{made}" for row in site.locations if row.host == host}

    def twice(rows: Iterable[_R]) -> tuple[_R, ...]:
        kept = list(rows)
        return (*kept, *(replace(row, host=made, id=f"{row.id}-{made}") for row in kept if row.host == host))

    def placed(rows: Iterable[_R]) -> tuple[_R, ...]:
        """Rows that may be for a location; one of all hosts with a location of this one is this one's."""
        kept = list(rows)
        more = [
            replace(row, host=made, id=f"{row.id}-{made}", location=own.get(row.location, row.location))
            for row in kept
            if row.host == host or row.location in own
        ]
        return (*kept, *more)

    return replace(
        site,
        env=placed(site.env),
        rewrites=placed(site.rewrites),
        routes=twice(site.routes),
        locations=twice(site.locations),
        headers=placed(site.headers),
        errors=placed(site.errors),
        reverse=placed(site.reverse),
    )
