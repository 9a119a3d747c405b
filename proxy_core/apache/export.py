"""A site as httpd.conf: ``rproxy export --to apache``.

The site is first put in the words of Apache (``sayable``): the same meaning, nothing left that httpd.conf cannot say,
and what was lost. What a site does by itself becomes rows (reverse = "auto", forwarded = "trusted", hsts, a dotted name
that is never served), what Apache has elsewhere goes there, and what it has not is told and taken out. The result is a
site like any other: it can be served, and it is what an import of the export gives back. Each subject has its own part
of this; here is their order, and what concerns all of them.

Then its parts are laid out, the main server and a virtual host for each host, and the modules that the lines need are
loaded. Paths are relative to the ServerRoot, which is the folder of the site file, but for those of files that are
served, which httpd does not take so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from msgspec import NODEFAULT, Struct, structs
from msgspec.structs import replace

from proxy_core.apache.draft import unique
from proxy_core.apache.lexer import Lines, Unsayable, line, off, section, word
from proxy_core.apache.options import SWITCH
from proxy_core.apache.registry import LOST, SPELL
from proxy_core.apache.report import Lose
from proxy_core.apache.subjects import (
    access,
    access_log,
    balancing,
    caching,
    client_address,
    compression,
    core,
    error_pages,
    file_types,
    forward_auth,
    header_fields,
    hosts,
    links,
    listeners,
    listings,
    locations,
    member_tls,
    rewriting,
    route_order,
    tls,
    variables,
)
from proxy_core.apache.subjects.core import QUIET
from proxy_core.config.folders import serves_files
from proxy_core.config.model import Host, Location, Options, Site
from proxy_core.errors import Address, Problem, errors
from proxy_core.rules.lint.site import lint

MODULES = Path("/usr/lib/apache2/modules")
"""Where Debian has them."""


@dataclass(frozen=True, slots=True)
class Exported:
    """The text of httpd.conf, the files that it needs beside it, and what was lost."""

    text: str
    files: dict[Path, str]
    losses: tuple[Problem, ...]


def sayable(site: Site, folder: Path, beside: Path) -> tuple[Site, tuple[Problem, ...], dict[Path, str]]:
    """A sound site in the words of Apache, what was lost (problems with addresses in the first site), and files that
    maps need. ``folder`` is that of the site file, ``beside`` where new files may be."""
    losses: dict[tuple[Address, str], Problem] = {}

    def lose(address: Address, why: str) -> None:
        what = f"{'.'.join(address)} is lost"
        losses.setdefault((address, why), Problem(what=what, todo=why, severity="warning", address=address))

    site = forward_auth.plain(_without_lost(member_tls.gathered(site), (), lose), lose)
    site = access_log.plain(site, lose)
    site = listeners.plain(hosts.own_options(client_address.plain(core.plain(site))), lose)
    site = member_tls.plain(tls.plain(hosts.plain(site, folder), folder, lose), lose)
    site = core.connecting(balancing.plain(site, lose))
    site = route_order.plain(site, lose)
    site, files = rewriting.plain(site, folder, beside, lose)
    site = caching.plain(compression.plain(site, lose))
    site = access.plain(locations.plain(site, lose), lose)
    site = error_pages.plain(header_fields.plain(variables.plain(site, lose), lose), lose)
    site = hosts.named_first(locations.placed(site, lose))
    site = locations.useful(rewriting.inherited(links.plain(file_types.plain(_held(_in_order(site), lose)), lose)))
    return member_tls.spoken(listings.plain(site)), tuple(losses.values()), files


_TABLES = ("access_logs", "env", "rewrites", "routes", "headers", "expires", "errors", "reverse", "locations")


def _in_order(site: Site) -> Site:
    """The main server's rows before those of hosts, and each with an id of its own."""

    def put(table: str) -> tuple[Any, ...]:
        taken: list[str] = []
        found = []
        for row in hosts.by_host(site, getattr(site, table)):
            taken.append(unique(row.id or table, taken))
            found.append(replace(row, id=taken[-1]))
        return tuple(found)

    return replace(site, **{table: put(table) for table in _TABLES})


def _held(site: Site, lose: Lose) -> Site:
    """Rows that no line of httpd.conf can hold are lost, and rows that say what only the lost ones gave a meaning."""

    def fits(table: str, name: str, row: Any) -> bool:
        try:
            SPELL[table](site, row, Path("/"))
        except Unsayable as why:
            lose((table, name), str(why))
            return False
        return True

    rows = {table: tuple(row for row in getattr(site, table) if fits(table, row.id, row)) for table in _TABLES}
    balancers = {name: group for name, group in site.balancers.items() if fits("balancers", name, (name, group))}
    site = replace(site, balancers=balancers, **rows)
    while found := [each for each in errors(lint(site)) if each.address[:1] and each.address[0] in _TABLES]:
        for each in found:
            lose(each.address, each.what)
        gone = {each.address[:2] for each in found}
        kept = {table: tuple(row for row in getattr(site, table) if (table, row.id) not in gone) for table in _TABLES}
        site = replace(site, **kept)
    return site


_S = TypeVar("_S", bound=Struct)


def _without_lost(struct: _S, address: Address, lose: Lose) -> _S:
    """The site, or a table or row of it, without what is in the tables. Only what somebody has said counts: an option
    at its default is what the site does anyway, and telling it for every site would bury what matters."""
    changed: dict[str, Any] = {}
    for field in structs.fields(type(struct)):
        value = getattr(struct, field.name)
        at, name = (*address, field.encode_name), f"{type(struct).__name__}.{field.encode_name}"
        if name in LOST or name in QUIET:
            default = field.default_factory() if field.default_factory is not NODEFAULT else field.default
            if value != default:
                changed[field.name] = default
                if name in LOST:
                    lose(at, LOST[name])
        elif isinstance(value, Struct):
            changed[field.name] = _without_lost(value, at, lose)
        elif isinstance(value, dict) and value and all(isinstance(each, Struct) for each in value.values()):
            changed[field.name] = {name: _without_lost(each, (*at, name), lose) for name, each in value.items()}
        elif isinstance(value, tuple) and value and all(isinstance(each, Struct) for each in value):
            changed[field.name] = tuple(_without_lost(each, (*at, each.id), lose) for each in value)
    return replace(struct, **changed)


def export_site(site: Site, file: Path, beside: Path, modules: Path = MODULES) -> Exported:
    """Export a sound site, which stands in ``file``. What else is needed is to stand in the folder ``beside``."""
    folder = file.parent.absolute()
    site, losses, files = sayable(site, folder, beside.absolute())
    inside = _main(site, folder)
    for name, host in site.hosts.items():
        inside += ["", *_virtual_host(site, name, host, folder)]
    text = "\n".join([f"# Exported from {file.name}.", "", *_loaded(inside, modules), "", *inside, ""])
    return Exported(text, files, losses)


_NO_OVERRIDES = ["<Directory />", "    AllowOverride None", "</Directory>"]
"""Where nothing is said, httpd opens each .htaccess, and answers 500 where it says anything."""


def _parts(*parts: Iterable[str]) -> Lines:
    """Lines that belong together, and a blank one between them."""
    found: Lines = []
    for part in map(list, parts):
        found += [*[""] * bool(found and part), *part]
    return found


def _main(site: Site, folder: Path) -> Lines:
    """The main server: what holds for all, and for listeners that lead to no host."""
    listens = [
        f"Listen {each.address.removeprefix(':')}{' https' * (each.tls is not None)}"
        for each in site.listeners.values()
    ]
    process = ["DefaultRuntimeDir .", "PidFile httpd.pid", "ErrorLog error.log", "User www-data", "Group www-data"]
    return _parts(
        [line("ServerRoot", str(folder)), *process],
        [line("ServerName", site.site.server_name), *listens],
        [f"TraceEnable {SWITCH.spell(site.site.trace)}", *listeners.lines(site.limits)],
        access_log.lines(site.access_log),
        ["TypesConfig /etc/mime.types", *file_types.lines(site.file_types)] if serves_files(site) else [],
        _NO_OVERRIDES if serves_files(site) else [],
        compression.lines(site.compress),
        client_address.lines(site.site),
        [*core.lines(site.site, Options(), folder), *member_tls.lines_of_members(site)],
        [line("HeartbeatListen", site.heartbeat.address)] if site.heartbeat is not None else [],
        balancing.lines(site),
        caching.lines(site),
        _server(site, "", folder),
    )


def _rows(site: Site, table: str, host: str, location: str, folder: Path) -> Lines:
    """The rows of a table for a location, or for a server as a whole."""
    found: Lines = []
    for row in getattr(site, table):
        place = getattr(row, "location", "")
        if place == location if location else not place and row.host == host:
            lines = SPELL[table](site, row, folder)
            found += lines if row.enabled else off(lines)
    return found


def _server(site: Site, host: str, folder: Path) -> Lines:
    """The rows of the main server or of a host, in the order of the site file."""

    def rows(table: str) -> Lines:
        return _rows(site, table, host, "", folder)

    interpolates = any(row.interpolate for row in site.routes if row.host == host)
    return _parts(
        rows("access_logs"),
        rows("env"),
        [*rewriting.lines(site, host), *rows("rewrites")],
        [*["ProxyPassInterpolateEnv On"] * interpolates, *rows("routes")],
        rows("reverse"),
        rows("headers"),
        rows("expires"),
        rows("errors"),
        [each for row in site.locations if row.host == host for each in _section(site, row, folder)],
    )


def _section(site: Site, row: Location, folder: Path) -> Lines:
    """A row of [[locations]] with the rows in it."""

    def rows(table: str) -> Lines:
        return _rows(site, table, "", row.id, folder)

    rules = rows("rewrites")
    inside = [
        *core.lines(replace(row, timeout=None), Location(), folder),
        *file_types.lines(row.file_types),
        *compression.lines(row.compress, inside=True),
        *(f"ProxySet timeout={each:g}" for each in (row.timeout,) if each is not None),
        *caching.lines_of_location(row),
        *access.lines(site, row),
        *rows("env"),
        *["RewriteEngine On"] * bool(rules),
        *[line("RewriteBase", base) for base in rewriting.bases(site, row)],
        *rules,
        *rows("routes"),
        *rows("headers"),
        *rows("expires"),
        *rows("reverse"),
        *rows("errors"),
    ]
    if row.expr:
        inside = section("If", word(row.expr), inside)
        if row.path == "/":
            return inside
    if row.files is not None:
        inside = section("FilesMatch", word(row.files), inside)
    if row.folder is not None:
        return section("Directory", word(str((folder / row.folder).absolute())), inside)
    finding = row.folder_regex and locations.of_whole_names(row.folder_regex, folder)
    for name, argument in (
        ("Location", row.path), ("LocationMatch", row.path_regex), ("ProxyMatch", row.target_regex),
        ("DirectoryMatch", finding),
    ):  # fmt: skip
        if argument is not None:
            return section(name, word(argument), inside)
    if row.target is None:
        return inside
    alone = bool(set("*?[") & set(row.target)) or row.timeout is not None
    return section("Proxy", word(row.target if alone else f"{row.target}*"), inside)


def _virtual_host(site: Site, name: str, host: Host, folder: Path) -> Lines:
    addresses = " ".join(hosts.address_of(site.listeners[each].address) for each in host.listeners or site.listeners)
    names = list(host.names)
    if host.server_name:
        names[0] = host.server_name
    plain_first = bool(names) and not set("*?") & set(names[0])
    inside = [line("ServerName", names[0])] if plain_first else []
    aliases = names[1:] if plain_first else names
    inside += [line("ServerAlias", *aliases)] if aliases else []
    inside += listeners.bounds(hosts.bounds(site, name))
    if host.encoded_slashes is None and site.site.encoded_slashes != Options().encoded_slashes:
        host = replace(host, encoded_slashes=site.site.encoded_slashes)  # Apache's hosts do not have it of the server
    inside += [
        *tls.lines_of_host(site, host, folder),
        *member_tls.lines(host.upstream_tls),
        *core.lines(host, Host(), folder),
        *file_types.lines(host.file_types),
        *compression.lines(host.compress),
    ]
    lines = _parts(inside, _server(site, name, folder))
    return [f"# {name}", *section("VirtualHost", addresses or "*", lines or ["# as the main server"])]


_PROXY = ("proxy", "proxy_http")

_NEEDED: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"", ("mpm_event", "authz_core", "reqtimeout")),
    (r"Proxy(?!Set)|BalancerMember|<Proxy|Rewrite(?:Rule|Cond) .*\[(?:.*,)?(?i:P|proxy)(?:,.*)?\]", _PROXY),
    (r".*balancer://", (*_PROXY, "slotmem_shm", "proxy_balancer", "lbmethod_byrequests")),
    (r".*lbmethod=bytraffic", ("lbmethod_bytraffic",)),
    (r".*lbmethod=bybusyness", ("lbmethod_bybusyness",)),
    (r".*lbmethod=heartbeat", ("lbmethod_heartbeat",)),
    (r"HeartbeatListen", ("heartmonitor",)),
    (r"(?:ProxyHC|BalancerMember .*hcmethod=)", ("proxy_hcheck",)),
    (r".*(?:wss?://|upgrade=)", ("proxy_wstunnel",)),
    (r"SSL|.*https://.*\[|ProxyPass.*https://", ("socache_shmcb", "ssl")),
    (r"Rewrite", ("rewrite",)),
    (r"DBD", ("dbd",)),
    (r"Header|RequestHeader", ("headers",)),
    (r".*%\{[^}]*\}s\b|.*%\{SSL[:_]", ("ssl",)),
    (r"Expires", ("expires",)),
    (r"Cache", ("cache", "cache_disk")),
    (r"(?:Add|Set)OutputFilter", ("filter",)),
    (r".*OutputFilter.*DEFLATE", ("deflate",)),
    (r".*OutputFilter.*BROTLI", ("brotli",)),
    (r"AllowMethods", ("allowmethods",)),
    (r"SetEnvIf", ("setenvif",)),
    (r"SetEnv |UnsetEnv", ("env",)),
    (r"Redirect|Alias", ("alias",)),
    (r"DocumentRoot|Alias|TypesConfig|DirectoryIndex|FallbackResource", ("mime", "dir", "autoindex")),
    (r"RemoteIP", ("remoteip",)),
    (r"Deny from", ("access_compat",)),
    (r"Require (?:not )?(?:ip|local|host|forward-dns)", ("authz_host",)),
    (r"Require (?:not )?(?:user|valid-user)", ("authz_user",)),
    (r"Auth", ("authn_core", "authn_file", "auth_basic", "authz_user")),
)


def _loaded(lines: Iterable[str], modules: Path) -> Lines:
    """LoadModule for what the lines need, in the order of the table."""
    needing = [each.strip() for each in lines if not each.strip().startswith("#")]
    needed = [name for pattern, names in _NEEDED if any(re.match(pattern, each) for each in needing) for name in names]
    return [line("LoadModule", f"{name}_module", str(modules / f"mod_{name}.so")) for name in dict.fromkeys(needed)]
