"""Virtual hosts: which listeners lead to them, their names, and the options that they have of their own.

Apache has by virtual host what a site has by listener: certificates, and bounds. So out, a listener that has any and
leads to no host gets hosts of its own, one for each certificate; and a host that is reached through listeners that
differ in them becomes several, with the same rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import asdict, replace

from proxy_core.apache.blocks import Block
from proxy_core.apache.draft import DraftServer, SiteDraft, slug, unique
from proxy_core.apache.import_context import ImportContext
from proxy_core.apache.lexer import Directive
from proxy_core.apache.options import first
from proxy_core.apache.subjects import error_pages, member_tls, tls
from proxy_core.apache.subjects.listeners import milliseconds, whole_seconds
from proxy_core.config.model import Host, Limits, Listener, ListenerLimits, Options, Site
from proxy_core.http.syntax import host_name
from proxy_core.http.target import endpoint
from proxy_core.rules import hosts as hosts_of

_Row = TypeVar("_Row", bound=Any)


def server_name(context: ImportContext, directive: Directive) -> None:
    """ServerName [scheme://]name[:port]"""
    context.unconditional()
    context.server.server_name = re.sub(r"^\w+://", "", first(directive))
    context.set(directive, "servername", context.server.server_name)


def server_alias(context: ImportContext, directive: Directive) -> None:
    """ServerAlias name …"""
    context.server.names += directive.args


HANDLERS = {"servername": server_name, "serveralias": server_alias}


def virtual_host(context: ImportContext, directive: Directive) -> ImportContext:
    """<VirtualHost address …>"""
    server = DraftServer(directive=directive)
    context.draft.hosts.append(server)
    return ImportContext(context.draft, server)


SECTIONS = {"virtualhost": virtual_host}


def reached(draft: SiteDraft) -> dict[DraftServer, list[str]]:
    """The virtual hosts that a listener leads to, each with the names of its listeners. One that httpd would never
    choose, for there is no Listen for it, is left out."""
    found: dict[DraftServer, list[str]] = {}
    for row in draft.listeners:
        bound, _, port = row.content["address"].rpartition(":")
        every = bound in ("", "0.0.0.0", "[::]")
        fits: list[tuple[DraftServer, bool]] = []
        for server in draft.hosts:
            assert server.directive is not None
            given = [address(word) for word in server.directive.args or ("*",)]
            addresses = [host for host, wanted in given if wanted in ("", "*", port)]
            exact = not every and bound in addresses
            if exact or (every and addresses) or "*" in addresses:
                fits.append((server, exact))
        exactly = any(exact for _, exact in fits)
        for server, exact in fits:
            if exact or not exactly:
                found.setdefault(server, []).append(row.content["name"])
    for server in draft.hosts:
        if server not in found and server.directive is not None:
            draft.note(server.directive, "ignored", "no Listen leads to it, so httpd never chooses it")
    return {server: found[server] for server in draft.hosts if server in found}


def address(word: str) -> tuple[str, str]:
    """Host and port of <VirtualHost host:port>; names of hosts are taken for every address."""
    host, colon, port = word.rpartition(":") if not word.endswith("]") else (word, "", "")
    if not colon:
        host, port = word, ""
    literal = re.fullmatch(r"[\d.]+|\[.*\]", host)
    return (host if literal else "*"), port


def name_hosts(draft: SiteDraft, hosts: Mapping[DraftServer, list[str]]) -> None:
    """Each gets the first label of its name where that tells it apart, else the whole, else a number behind it. One
    without ServerName calls itself what the main server does (``ap_fini_vhost_config``)."""
    bare = {server: without_port(server.server_name or (server.names or ["default"])[0]) for server in hosts}
    labels = [name.partition(".")[0] for name in bare.values()]
    taken: set[str] = set()
    for server, name in bare.items():
        label = name.partition(".")[0]
        short = label if labels.count(label) == 1 and label not in ("www", "*") and not label.isdigit() else name
        server.name = unique(slug(short.replace("*", "any").replace(".", "-")), taken)
        taken.add(server.name)
        if not all(map(hosts_of.is_wild, server.names)):  # such a one is called so anyway
            server.server_name = server.server_name or draft.main.server_name


OF_SERVERS = ("timeout", "error_override", "override_codes", "preserve_host", "encoded_slashes", "merge_slashes", "via",
              "add_forwarded", "expires_active", "default_charset", "canonical_name")  # fmt: skip
"""Options that [site] and [hosts] have alike."""
OF_FILES = ("document_root", "directory_index", "fallback_resource", "autoindex", "index_ignore", "follow_links")


def host(draft: SiteDraft, server: DraftServer, listeners: list[str], inherits: Mapping[DraftServer, str]) -> Block:
    """The table of a host."""
    names = [without_port(name) for name in (server.server_name, *server.names) if name]
    content: dict[str, Any] = {"names": list(dict.fromkeys(names))} if names else {}
    if len(listeners) != len(draft.listeners):
        content["listeners"] = listeners
    if without_port(server.server_name) != server.server_name:
        content["server_name"] = server.server_name
    if server in inherits:
        content["rewrites"] = inherits[server]
    origins = [server.directive] if server.directive is not None else []
    for key in (*OF_SERVERS, "max_body", *OF_FILES):
        if key in server.options and server.option(key) != draft.main.option(key):
            content[key], origin = server.options[key]
            origins.append(origin)
    if tls_to_members := member_tls.of_host(draft, server):
        content["upstream_tls"] = tls_to_members
        origins += member_tls.origins(server)
    if server.file_types.content:
        content["file_types"] = server.file_types.content
        origins += server.file_types.origins
    if server.compress.content:
        content["compress"] = server.compress.content
        origins += server.compress.origins
    return Block(("hosts", server.name), content, tuple(origins))


def without_port(name: str) -> str:
    return re.sub(r":\d+$", "", name)


def plain(site: Site, folder: Path) -> Site:
    """Hosts each of which is reached through listeners that are alike."""
    site = _halves(_hosted(site, folder))
    listeners = {name: replace(each, limits=_bounds(site.limits, each.limits)) for name, each in site.listeners.items()}
    hosts = {}
    for name, host in site.hosts.items():
        body = next((site.listeners[each].limits.body for each in host.listeners or site.listeners), None)
        hosts[name] = replace(host, max_body=body) if host.max_body is None else host
    return replace(site, listeners=listeners, hosts=hosts)


def _bounds(whole: Limits, own: ListenerLimits) -> ListenerLimits:
    """Bounds of a listener: a time with its rate, for RequestReadTimeout says both; hosts have that of bodies."""
    both = asdict(own.over(whole))
    changed: dict[str, Any] = {"body": None}
    for time, rate in (("head_time", "head_rate"), ("body_time", "body_rate")):
        if getattr(own, time) is not None or getattr(own, rate) is not None:
            changed |= {time: whole_seconds(both[time]), rate: both[rate]}
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
            names = tls.named(row, folder) or (site.site.server_name,)
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
            for others_of in others if key == name else ():
                made = unique(f"{name}-{others_of[0]}", {**site.hosts, **hosts})
                hosts[made] = replace(host, listeners=tuple(others_of))
                site = _copied(site, name, made)
        site = replace(site, hosts=hosts)
    return site


def _copied(site: Site, host: str, made: str) -> Site:
    """All rows of a host for another one too. A row of all hosts with a location of this one is this one's."""
    own = {row.id: f"{row.id}-{made}" for row in site.locations if row.host == host}

    def copied(row: Any) -> Any:
        place = getattr(row, "location", "")
        moved = {"location": own.get(place, place)} if place else {}
        return replace(row, host=made, id=f"{row.id}-{made}", **moved)

    def twice(rows: tuple[Any, ...]) -> tuple[Any, ...]:
        return (*rows, *(copied(row) for row in rows if row.host == host or getattr(row, "location", "") in own))

    tables = ("env", "rewrites", "routes", "locations", "headers", "expires", "errors", "reverse")
    return replace(site, **{table: twice(getattr(site, table)) for table in tables})


def own_options(site: Site) -> Site:
    """What a host says as the site does is not said."""
    return replace(site, hosts={name: _own_options(site.site, host) for name, host in site.hosts.items()})


def _own_options(options: Options, host: Host) -> Host:
    if host.timeout is not None:
        host = replace(host, timeout=milliseconds(host.timeout))
    overrides = options.error_override if host.error_override is None else host.error_override
    codes = options.override_codes if host.override_codes is None else error_pages.codes(host.override_codes)
    if options.override_codes and not codes:
        codes = tuple(map(str, range(400, 600)))
    host = replace(host, override_codes=codes if overrides else None)
    same = [key for key in (*OF_SERVERS, *OF_FILES) if getattr(host, key) == getattr(options, key)]
    return replace(host, **dict.fromkeys(same))


def named_first(site: Site) -> Site:
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


def address_of(address: str) -> str:
    """An address to listen on as <VirtualHost> has it: literal where it is one and stands for itself alone."""
    host, port = endpoint(address)
    literal = re.fullmatch(r"[0-9.]+|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*", host)
    if host in ("", "0.0.0.0", "::") or literal is None:
        return f"*:{port}"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def by_host(site: Site, rows: Iterable[_Row]) -> list[_Row]:
    """Rows in the order in which they are tried: the main server's first."""
    order = ["", *site.hosts]
    return sorted(rows, key=lambda row: order.index(row.host))


def unreached(site: Site) -> tuple[str, ...]:
    """Listeners that lead to no host."""
    return tuple(
        name
        for name in site.listeners
        if not any(name in host.listeners or not host.listeners for host in site.hosts.values())
    )
