"""A site in the words of Apache: the same meaning, nothing left that httpd.conf cannot say, and what was lost.

What a site does by itself becomes rows (reverse = "auto", forwarded = "trusted", hsts, a dotted name that is never
served), what Apache has elsewhere goes there, and what it has not is told and taken out. The result is a site like any
other: it can be served, and it is what an import of the export gives back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import replace

from proxy_core.apache import (
    export_access,
    export_balancers,
    export_fields,
    export_hosts,
    export_routes,
    export_rules,
    export_tls,
)
from proxy_core.apache.draft import unique
from proxy_core.apache.export_lost import Lose, without_lost
from proxy_core.apache.export_words import Unsayable, word
from proxy_core.config.model import Balancer, HeaderRule, Host, Limits, Location, Options, Site, UpstreamTls
from proxy_core.errors import Address, Problem, errors
from proxy_core.http.syntax import host_name
from proxy_core.http.target import balancer
from proxy_core.rules import hosts as hosts_of
from proxy_core.rules.lint.site import lint

_R = TypeVar("_R", bound=Any)


@dataclass(frozen=True, slots=True)
class Plain:
    """The site, what was lost (problems with addresses in the first site), and files that maps need."""

    site: Site
    losses: tuple[Problem, ...]
    files: dict[Path, str]


def plain(site: Site, folder: Path, beside: Path) -> Plain:
    """A sound site in the words of Apache. ``folder`` is that of the site file, ``beside`` where new files may be."""
    losses: dict[tuple[Address, str], Problem] = {}

    def lose(address: Address, why: str) -> None:
        losses.setdefault((address, why), _lost(address, why))

    site = _bounds(_options(without_lost(site, lose), lose), lose)
    site = export_tls.plain(export_hosts.plain(site, folder), folder, lose)
    site = _connecting(export_balancers.plain(site, lose))
    site = export_routes.plain(site, lose)
    site, files = export_rules.plain(site, folder, beside, lose)
    site = export_access.plain(_locations(site, lose), lose)
    site = _hosts(export_fields.plain(site, lose))
    site = export_access.useful(export_rules.inherited(_sayable(_in_order(site), lose)))
    if not export_tls.speaks(site):
        site = replace(site, upstream_tls=UpstreamTls())
    return Plain(site, tuple(losses.values()), files)


def _lost(address: Address, why: str) -> Problem:
    return Problem(what=f"{'.'.join(address)} is lost", todo=why, severity="warning", address=address)


def _options(site: Site, lose: Lose) -> Site:
    said = site.site
    headers = _forwarded(said) if said.forwarded == "trusted" else []
    log = site.access_log
    if log is not None and log.format == "json":
        lose(("access_log", "format"), "Apache writes no JSON by itself: it is written as combined")
        log = replace(log, format="combined")
    if log is not None and (ours := re.findall(r"%[!<>,\d]*\{\w+\}[<>]*x", log.format)):
        lose(("access_log", "format"), f"Apache does not know {' '.join(ours)}: it is written as -")
        log = replace(log, format=re.sub(r"%[!<>,\d]*\{\w+\}[<>]*x", "-", log.format))
    if log is not None and log.file == "-":
        log = replace(log, file="/dev/stdout")
    options = replace(
        said,
        forwarded="append",
        **_believed(said),
        timeout=_milliseconds(said.timeout),
        connect_timeout=_milliseconds(said.connect_timeout),
        override_codes=_codes(said.override_codes) if said.error_override else (),
    )
    hosts = {name: _host_options(options, host) for name, host in site.hosts.items()}
    return replace(site, site=options, hosts=hosts, access_log=log, headers=(*headers, *site.headers))


def _connecting(site: Site) -> Site:
    """Members say themselves how long connecting may take; the site says it for what is forwarded without them."""
    if any(row.enabled and row.proxy and balancer(row.proxy) is None for row in site.routes):
        return site
    return replace(site, site=replace(site.site, connect_timeout=Options().connect_timeout))


def _codes(words: tuple[str, ...]) -> tuple[str, ...]:
    """Statuses one by one; none where that is all of them."""
    found = export_fields.statuses(words, range(400, 600))
    return () if set(found) >= {str(code) for code in range(400, 600)} else found


def _host_options(options: Options, host: Host) -> Host:
    """What a host says as the site does is not said."""
    if host.timeout is not None:
        host = replace(host, timeout=_milliseconds(host.timeout))
    overrides = options.error_override if host.error_override is None else host.error_override
    codes = options.override_codes if host.override_codes is None else _codes(host.override_codes)
    if options.override_codes and not codes:
        codes = tuple(map(str, range(400, 600)))
    host = replace(host, override_codes=codes if overrides else None)
    same = [key for key in _OF_HOSTS if getattr(host, key) == getattr(options, key)]
    return replace(host, **dict.fromkeys(same))


_OF_HOSTS = ("timeout", "error_override", "override_codes", "encoded_slashes", "merge_slashes", "preserve_host", "via",
             "canonical_name",
             "add_forwarded", "document_root", "directory_index")  # fmt: skip


def _believed(said: Options) -> dict[str, Any]:
    """Who names the client, where anybody is believed to."""
    lists = {key: tuple(str(ip_network(each)) if "/" in each else each for each in getattr(said, key))
             for key in ("trusted_proxies", "internal_proxies")}  # fmt: skip
    if said.client_header and any(lists.values()):
        return lists
    return {"client_header": "", "proxies_header": "", "trusted_proxies": (), "internal_proxies": ()}


def _forwarded(said: Options) -> list[HeaderRule]:
    """forwarded = "trusted" as rows: mod_proxy appends to what a client says of itself, so it is taken away first."""
    known = (*said.trusted_proxies, *(said.internal_proxies if said.client_header else ()))
    among = " || ".join(f"%{{CONN_REMOTE_ADDR}} -ipmatch '{network}'" for network in known)
    others = f"!({among})" if among else ""
    rows = [HeaderRule(id=f"{name}-unset", on="request", action="unset", name=name, expr=others) for name in _SPOOFED]
    scheme = "expr=%{REQUEST_SCHEME}"
    name = "X-Forwarded-Proto"
    rows.append(HeaderRule(id=f"{name}-set", on="request", name=name, value=scheme, expr=others))
    if among:
        rows.append(HeaderRule(id=f"{name}-kept", on="request", action="setifempty", name=name, value=scheme))
    return rows


_SPOOFED = ("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Server", "X-Forwarded-Port", "X-Forwarded-Prefix",
            "X-Forwarded-Ssl", "X-Real-IP", "Forwarded")  # fmt: skip


def _bounds(site: Site, lose: Lose) -> Site:
    """Bounds of time in whole seconds."""
    said = site.limits
    changed: dict[str, float] = {"idle_time": _milliseconds(said.idle_time)}
    for key in ("head_time", "body_time"):
        value = getattr(said, key)
        changed[key] = float(max(1, round(value)))
        if changed[key] != value:
            lose(("limits", key), f"RequestReadTimeout counts whole seconds: {changed[key]:g}")
    limits: Limits = replace(said, **changed)
    return replace(site, limits=limits)


def _milliseconds(seconds: float) -> float:
    return max(0.001, round(seconds, 3))


def _locations(site: Site, lose: Lose) -> Site:
    return replace(site, locations=tuple(_location(row, lose) for row in site.locations if row.enabled))


def _location(row: Location, lose: Lose) -> Location:
    at = ("locations", row.id, "timeout")
    if row.path is not None and set("*?[") & set(row.path):
        row = replace(row, path=None, path_regex=f"^{re.escape(row.path.rstrip('/'))}(?:/|$)")
    row = replace(row, override_codes=_codes(row.override_codes) if row.error_override else ())
    if row.timeout is not None and not re.match(r"(?!balancer:)[^*?[]+\Z", row.target or ""):
        lose(at, "Apache has a time for the URL of a target alone, not for paths, patterns or balancers")
        return replace(row, timeout=None)
    if row.timeout is not None and not float(row.timeout).is_integer():
        lose(at, "Apache counts whole seconds here")
        return replace(row, timeout=float(max(1, round(row.timeout))))
    return row


def _hosts(site: Site) -> Site:
    """Hosts by name as ServerName and ServerAlias have them, the first that is no wildcard in front."""
    found = {}
    for name, host in site.hosts.items():
        first = host_name(host.server_name) if host.server_name else ""
        names = tuple(dict.fromkeys([first, *host.names] if first else host.names))
        named = next((each for each in names if not hosts_of.is_wild(each)), "")
        port = host.server_name if hosts_of.own_port(host) else ""
        every = set(host.listeners) == set(site.listeners)
        found[name] = replace(
            host, names=tuple(dict.fromkeys([named, *names])) if named else names, server_name=port,
            listeners=() if every else host.listeners,
        )  # fmt: skip
    return replace(site, hosts=found)


def _in_order(site: Site) -> Site:
    """The main server's rows before those of hosts, and each with an id of its own."""
    order = ["", *site.hosts]

    def put(rows: Iterable[_R], table: str) -> tuple[_R, ...]:
        taken: list[str] = []
        found = []
        for row in sorted(rows, key=lambda each: order.index(each.host)):
            taken.append(unique(row.id or table, taken))
            found.append(replace(row, id=taken[-1]))
        return tuple(found)

    tables = ("env", "rewrites", "routes", "locations", "headers", "reverse", "errors")
    return replace(site, **{table: put(getattr(site, table), table) for table in tables})


def _sayable(site: Site, lose: Lose) -> Site:
    """Rows that no line of httpd.conf can hold are lost, and rows that say what only the lost ones gave a meaning."""
    checks: dict[str, Callable[[Any], object]] = {
        "env": lambda row: export_fields.variables([row]),
        "rewrites": lambda row: export_rules.rules([row]),
        "routes": lambda row: export_routes.lines(site, [row], Path("/")),
        "headers": lambda row: export_fields.headers([row]),
        "errors": lambda row: export_fields.errors([row]),
        "reverse": lambda row: export_fields.reverse([row], places.get(row.location)),
        "locations": lambda row: [word(row.path or row.path_regex or row.target or ""), export_access.lines(site, row)],
    }
    places = {row.id: row for row in site.locations}
    for table, check in checks.items():
        site = replace(
            site, **{table: tuple(row for row in getattr(site, table) if _fits((table, row.id), row, check, lose))}
        )
    kept = {
        name: group
        for name, group in site.balancers.items()
        if _fits(("balancers", name), {name: group}, _balanced, lose)
    }
    site = replace(site, balancers=kept)
    while found := [each for each in errors(lint(site)) if each.address[:1] and each.address[0] in checks]:
        for each in found:
            lose(each.address, each.what)
        gone = {each.address[:2] for each in found}
        site = replace(
            site,
            **{table: tuple(row for row in getattr(site, table) if (table, row.id) not in gone) for table in checks},
        )
    return site


def _fits(address: Address, row: Any, check: Callable[[Any], object], lose: Lose) -> bool:
    try:
        check(row)
    except Unsayable as why:
        lose(address, str(why))
        return False
    return True


def _balanced(balancers: dict[str, Balancer]) -> object:
    return export_balancers.lines(Site(balancers=balancers))
