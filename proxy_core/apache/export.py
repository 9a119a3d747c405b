"""A site as httpd.conf: ``rproxy export --to apache``.

The site is first put in the words of Apache (``export_plain``); here its parts are laid out, the main server and a
virtual host for each host, and the modules that the lines need are loaded. Paths are relative to the ServerRoot, which
is the folder of the site file, but for those of files that are served, which httpd does not take so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec.structs import asdict, replace

from proxy_core.apache import (
    export_access,
    export_balancers,
    export_fields,
    export_hosts,
    export_routes,
    export_rules,
    export_tls,
)
from proxy_core.apache.export_plain import plain
from proxy_core.apache.export_words import Lines, line, section, span, switch, word
from proxy_core.config.folders import serves_files
from proxy_core.config.log_directives import FORMATS
from proxy_core.config.model import AccessLog, Host, Limits, Location, Options, Site
from proxy_core.errors import Problem
from proxy_core.http.target import endpoint

MODULES = Path("/usr/lib/apache2/modules")
"""Where Debian has them."""


@dataclass(frozen=True, slots=True)
class Exported:
    """The text of httpd.conf, the files that it needs beside it, and what was lost."""

    text: str
    files: dict[Path, str]
    losses: tuple[Problem, ...]


def export_site(site: Site, file: Path, beside: Path, modules: Path = MODULES) -> Exported:
    """Export a sound site, which stands in ``file``. What else is needed is to stand in the folder ``beside``."""
    folder = file.parent.absolute()
    said = plain(site, folder, beside.absolute())
    inside = _main(said.site, folder)
    for name, host in said.site.hosts.items():
        inside += ["", *_virtual_host(said.site, name, host, folder)]
    text = "\n".join([f"# Exported from {file.name}.", "", *_loaded(inside, modules), "", *inside, ""])
    return Exported(text, said.files, said.losses)


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
        [f"TraceEnable {switch(site.site.trace)}", *_limits(site.limits)],
        _log(site.access_log),
        ["TypesConfig /etc/mime.types"] * serves_files(site),
        _remote(site.site),
        [*_options(site.site, Options(), folder), *export_tls.lines_of_members(site)],
        [line("HeartbeatListen", site.heartbeat.address)] if site.heartbeat is not None else [],
        export_balancers.lines(site),
        _server(site, "", folder),
    )


def _log(said: AccessLog | None) -> Lines:
    if said is None:
        return []
    name = said.format if said.format in FORMATS else "own"
    form = FORMATS.get(said.format, said.format).replace("\n", "\\n")
    return [line("LogFormat", form, name), line("CustomLog", said.file, name)]


def _remote(said: Options) -> Lines:
    """Who is believed to name the client (mod_remoteip)."""
    if not said.client_header:
        return []
    lists = (("RemoteIPTrustedProxy", said.trusted_proxies), ("RemoteIPInternalProxy", said.internal_proxies))
    found = [line("RemoteIPHeader", said.client_header)]
    found += [line("RemoteIPProxiesHeader", said.proxies_header)] * bool(said.proxies_header)
    return [*found, *(line(name, *networks) for name, networks in lists if networks)]


def _limits(said: Limits) -> Lines:
    """[limits]. KeepAliveTimeout and RequestReadTimeout are always said, for they are not httpd's defaults."""
    default = asdict(Limits())
    always = ("idle_time", "head_time", "head_rate", "body_time", "body_rate")
    found = _bounds({key: value for key, value in asdict(said).items() if value != default[key] or key in always})
    return [*found, *[f"LimitRequestBody {said.body}"] * (said.body != default["body"])]


_BOUNDS = {"request_line": "LimitRequestLine", "field": "LimitRequestFieldSize", "fields": "LimitRequestFields"}


def _bounds(said: Mapping[str, Any]) -> Lines:
    """The bounds that are not None."""
    found = [f"{name} {said[key]}" for key, name in _BOUNDS.items() if said.get(key) is not None]
    found += [f"KeepAliveTimeout {span(each)}" for each in (said.get("idle_time"),) if each is not None]
    stages = [
        (name, said.get(f"{key}_time"), said.get(f"{key}_rate")) for name, key in (("header", "head"), ("body", "body"))
    ]
    words = [f"{name}={time:.0f}" + f",MinRate={rate}" * bool(rate) for name, time, rate in stages if time is not None]
    return [*found, *[f"RequestReadTimeout {' '.join(words)}"] * bool(words)]


_SLASHES = {"refuse": "Off", "decode": "On", "keep": "NoDecode"}
_OPTIONS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "timeout": ("ProxyTimeout", span),
    "preserve_host": ("ProxyPreserveHost", switch),
    "add_forwarded": ("ProxyAddHeaders", switch),
    "canonical_name": ("UseCanonicalName", switch),
    "via": ("ProxyVia", str.title),
    "encoded_slashes": ("AllowEncodedSlashes", _SLASHES.__getitem__),
    "merge_slashes": ("MergeSlashes", switch),
    "max_body": ("LimitRequestBody", str),
}


def _options(said: Any, default: Any, folder: Path) -> Lines:
    """What [site], a host or a location sets by one directive each."""
    found = []
    for key, (name, spelled) in _OPTIONS.items():
        value = getattr(said, key, None)
        if value is not None and value != getattr(default, key, None):
            found.append(line(name, spelled(value)))
    overrides, codes = getattr(said, "error_override", None), getattr(said, "override_codes", None)
    if codes or (overrides is not None and overrides != default.error_override):
        found.append(" ".join(["ProxyErrorOverride", switch(overrides is not False), *(codes or ())]))
    root, index = getattr(said, "document_root", None), getattr(said, "directory_index", None)
    if root:
        found.append(line("DocumentRoot", str((folder / root).absolute())))
    if index is not None and index != getattr(default, "directory_index", None):
        found.append(line("DirectoryIndex", *index))
    return found


def _server(site: Site, host: str, folder: Path) -> Lines:
    """The rows of the main server or of a host, in the order of the site file."""
    sections = [_section(site, row, folder) for row in site.locations if row.host == host]
    return _parts(
        export_fields.variables(row for row in site.env if row.host == host and not row.location),
        export_rules.lines(site, host),
        export_routes.lines(site, (row for row in site.routes if row.host == host), folder),
        export_fields.reverse(row for row in site.reverse if row.host == host and not row.location),
        export_fields.headers(row for row in site.headers if row.host == host and not row.location),
        export_fields.errors(row for row in site.errors if row.host == host and not row.location),
        [each for lines in sections for each in lines],
    )


def _section(site: Site, row: Location, folder: Path) -> Lines:
    inside = [
        *_options(replace(row, timeout=None), Location(), folder),
        *(f"ProxySet timeout={each:g}" for each in (row.timeout,) if each is not None),
        *export_access.lines(site, row),
        *export_fields.variables(each for each in site.env if each.location == row.id),
        *export_rules.lines_of_section(each for each in site.rewrites if each.location == row.id),
        *export_fields.headers(each for each in site.headers if each.location == row.id),
        *export_fields.reverse((each for each in site.reverse if each.location == row.id), row),
        *export_fields.errors(each for each in site.errors if each.location == row.id),
    ]
    if row.expr:
        inside = section("If", word(row.expr), inside)
        if row.path == "/":
            return inside
    if row.files is not None:
        inside = section("FilesMatch", word(row.files), inside)
    if row.folder is not None:
        return section("Directory", word(str((folder / row.folder).absolute())), inside)
    for name, argument in (("Location", row.path), ("LocationMatch", row.path_regex), ("ProxyMatch", row.target_regex)):
        if argument is not None:
            return section(name, word(argument), inside)
    if row.target is None:
        return inside
    alone = bool(set("*?[") & set(row.target)) or row.timeout is not None
    return section("Proxy", word(row.target if alone else f"{row.target}*"), inside)


def _virtual_host(site: Site, name: str, host: Host, folder: Path) -> Lines:
    addresses = " ".join(_address(site.listeners[each].address) for each in host.listeners or site.listeners)
    names = list(host.names)
    if host.server_name:
        names[0] = host.server_name
    plain_first = bool(names) and not set("*?") & set(names[0])
    inside = [line("ServerName", names[0])] if plain_first else []
    aliases = names[1:] if plain_first else names
    inside += [line("ServerAlias", *aliases)] if aliases else []
    inside += _bounds(asdict(export_hosts.bounds(site, name)))
    inside += [*export_tls.lines_of_host(site, host, folder), *_options(host, Host(), folder)]
    lines = _parts(inside, _server(site, name, folder))
    return [f"# {name}", *section("VirtualHost", addresses or "*", lines or ["# as the main server"])]


def _address(address: str) -> str:
    """An address to listen on as <VirtualHost> has it: literal where it is one and stands for itself alone."""
    host, port = endpoint(address)
    literal = re.fullmatch(r"[0-9.]+|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*", host)
    if host in ("", "0.0.0.0", "::") or literal is None:
        return f"*:{port}"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


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
    (r"SetEnvIf", ("setenvif",)),
    (r"SetEnv |UnsetEnv", ("env",)),
    (r"Redirect|Alias", ("alias",)),
    (r"DocumentRoot|Alias|TypesConfig|DirectoryIndex", ("mime", "dir")),
    (r"RemoteIP", ("remoteip",)),
    (r"Require (?:not )?(?:ip|local)", ("authz_host",)),
    (r"Require (?:not )?(?:user|valid-user)", ("authz_user",)),
    (r"Auth", ("authn_core", "authn_file", "auth_basic", "authz_user")),
)


def _loaded(lines: Iterable[str], modules: Path) -> Lines:
    """LoadModule for what the lines need, in the order of the table."""
    said = [each.strip() for each in lines if not each.strip().startswith("#")]
    needed = [name for pattern, names in _NEEDED if any(re.match(pattern, each) for each in said) for name in names]
    return [line("LoadModule", f"{name}_module", str(modules / f"mod_{name}.so")) for name in dict.fromkeys(needed)]
