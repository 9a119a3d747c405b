"""mod_remoteip: which proxies in front are believed, and the field in which they name the client.

The lists of addresses become ``trusted_proxies`` and ``internal_proxies``; those in files are read now, as httpd reads
them once when it starts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_network
from typing import Any

from msgspec.structs import replace

from proxy_core import regular_files
from proxy_core.apache.draft import DraftServer, SiteDraft
from proxy_core.apache.import_context import ImportContext, Unsupported
from proxy_core.apache.lexer import Directive, Lines, line
from proxy_core.apache.options import REMOTE_IP, Handler, directives, first, handlers
from proxy_core.config.model import Options, Site

_KINDS = {"remoteiptrustedproxy": "trusted_proxies", "remoteipinternalproxy": "internal_proxies"}


def proxies(context: ImportContext, directive: Directive) -> None:
    """RemoteIPTrustedProxy address …, RemoteIPInternalProxy address …, and each with List and a file."""
    context.server_only()
    words: Iterable[str] = directive.args
    key = directive.key.removesuffix("list")
    if key != directive.key:
        file = context.draft.folder / context.draft.path(first(directive))
        try:
            lines = regular_files.content(file).decode().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            context.draft.doubt(context.server, ADDRESSES, directive)
            raise Unsupported(f"{file} cannot be read: {error}") from None
        words = [word for line in lines for word in line.partition("#")[0].split()]
    networks = list(context.server.option(_KINDS[key]) or ())
    for word in words:
        try:
            networks.append(str(ip_network(word, strict=False) if "/" in word else ip_network(word).network_address))
        except ValueError:
            context.draft.doubt(context.server, ADDRESSES, directive)
            context.lose(f"{word} is no address or network; names are not looked up")
    context.set(directive, _KINDS[key], networks)


def believed(draft: SiteDraft, answers: bool) -> None:
    """Who is believed is said for the whole site here: where all servers that go by it agree, what they say is that of
    the site. Else it is lost in the hosts that say otherwise, and what goes by the client's address there with it.
    ``answers`` says that the main server has requests of its own."""
    main, servers = draft.main, [*draft.hosts, *([draft.main] if answers else [])]
    ways = {server: _way(main, server) for server in servers}
    concerned = [server for server in servers if _goes_by_it(main, server)] or servers
    said = [{key: value for key, (value, _) in ways[server].items()} for server in concerned]
    if all(each == said[0] for each in said):
        main.options = {key: each for key, each in main.options.items() if key not in _KEYS} | ways[concerned[0]]
        return
    for server, own in zip(concerned, said, strict=True):
        if own != {key: main.option(key) for key in _KEYS if key in main.options}:
            lost = [server.options[key][1] for key in _KEYS if key in server.options]
            draft.lose(lost, "who is believed is said for the whole site here, and another host says otherwise")
            draft.doubt(server, ADDRESSES, lost[0])


_KEYS = ("client_header", "proxies_header", *_KINDS.values())


def _way(main: DraftServer, server: DraftServer) -> dict[str, tuple[Any, Directive]]:
    """What a server says of it, with what it has of the main one (``merge_remoteip_server_config``): the lists are
    one."""
    own = {key: server.options[key] for key in _KEYS if key in server.options}
    lists = _KINDS.values() if own.keys().isdisjoint(_KINDS.values()) else ()
    return {key: main.options[key] for key in (*_KEYS[:2], *lists) if key in main.options} | own


def _goes_by_it(main: DraftServer, server: DraftServer) -> bool:
    """Whether the client's address makes a difference there: it forwards, or looks at it."""
    tables = ("routes", "located", "rewrites", "inner", "env", "headers", "locations", "errors")
    rows = [row.content for each in (main, server) for table in tables for row in getattr(each, table)]
    forwards = any("proxy" in row or {"P", "PROXY"} & {flag.upper() for flag in row.get("flags", ())} for row in rows)
    return forwards or any(re.search(f"{ADDRESSES}|'(?:not )?(?:ip|local|access) ?", repr(row)) for row in rows)


ADDRESSES = r"REMOTE_(?:ADDR|HOST|PORT)|(?<!\S)-R\b|require (?:ip|local)\b"
"""Texts that go by the client's address, as a regular expression (see ``doubts``)."""
HANDLERS: dict[str, Handler] = {
    **handlers(REMOTE_IP),
    **{name + kind: proxies for name in _KINDS for kind in ("", "list")},
}


def plain(site: Site) -> Site:
    """Networks as Apache spells them; nothing where nobody is believed."""
    options = site.site
    trusted, internal = (
        tuple(str(ip_network(each)) if "/" in each else each for each in networks)
        for networks in (options.trusted_proxies, options.internal_proxies)
    )
    if options.client_header and (trusted or internal):
        return replace(site, site=replace(options, trusted_proxies=trusted, internal_proxies=internal))
    options = replace(options, client_header="", proxies_header="", trusted_proxies=(), internal_proxies=())
    return replace(site, site=options)


def lines(options: Options) -> Lines:
    """Who is believed to name the client. Raises Unsayable."""
    lists = (("RemoteIPTrustedProxy", options.trusted_proxies), ("RemoteIPInternalProxy", options.internal_proxies))
    found = [*directives(REMOTE_IP, options, Options()), *(line(name, *nets) for name, nets in lists if nets)]
    return found if options.client_header else []
