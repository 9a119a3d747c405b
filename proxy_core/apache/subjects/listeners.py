"""Where requests come in: Listen, and what httpd says by virtual host of connections: bounds, TLS, the PROXY header."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from proxy_core.apache.draft import Block, DraftRow, DraftServer, SiteDraft, table
from proxy_core.apache.import_context import ImportContext, Unsupported
from proxy_core.apache.lexer import Directive
from proxy_core.apache.names import unique
from proxy_core.apache.options import SWITCH, lost, option
from proxy_core.apache.subjects import tls


def listen(context: ImportContext, directive: Directive) -> None:
    """Listen [address:]port [protocol]"""
    context.server_only()
    address, *protocol = directive.args or ("",)
    host, _, port = address.rpartition(":")
    if not port.isdigit():
        raise Unsupported("an address to listen on is [address:]port")
    host = "" if host == "*" else host
    stem = "https" if protocol[:1] == ["https"] or port == "443" else "http"
    taken = [row.content["name"] for row in context.draft.listeners]
    name = stem if stem not in taken else unique(f"{stem}-{port}", taken)
    context.draft.listeners.append(DraftRow({"name": name, "address": f"{host}:{port}"}, [directive]))


HANDLERS = {
    "listen": listen,
    "remoteipproxyprotocol": option("proxy_protocol", SWITCH),
    "remoteipproxyprotocolexceptions": lost("who need not send a PROXY header needs a listener of its own"),
}
LOST = {"Listener.proxy_protocol": "RemoteIPProxyProtocol believes every peer"}


def _proxy_protocol(draft: SiteDraft, servers: Sequence[DraftServer]) -> dict[str, Any]:
    """Whether connections begin with a PROXY header: what any server says that is reached there. Somebody must be
    trusted to send one."""
    asking = [each.options["proxy_protocol"][1] for each in (draft.main, *servers) if each.option("proxy_protocol")]
    if not asking:
        return {}
    if {"trusted_proxies", "internal_proxies"} & draft.main.options.keys():
        return {"proxy_protocol": True}
    why = "nobody is believed: name the balancer in front in trusted_proxies, and set proxy_protocol = true"
    draft.lose(asking, why)
    return {}


def listeners(draft: SiteDraft, hosts: Mapping[DraftServer, list[str]]) -> Iterator[Block]:
    """Tables of [listeners], then [upstream_tls]; ``hosts`` have the names of their listeners."""
    firsts = set[DraftServer]()
    for row in draft.listeners:
        name = row.content["name"]
        servers = [server for server, names in hosts.items() if name in names] or [draft.main]
        first = servers[0]
        secure = tls.listener(draft, servers)
        content = {"address": row.content["address"]}
        yield Block(("listeners", name), content | _proxy_protocol(draft, servers), tuple(row.origins))
        if first is not draft.main and first.limits.content:
            yield table(("listeners", name, "limits"), first.limits)
        firsts.add(first)
        if secure is not None:
            yield Block(("listeners", name, "tls"), secure, _origins(servers, "ssl_engine", "ssl_cert", "ssl_key"))
    for server in draft.hosts:
        if server not in firsts:
            why = "bounds are kept for whoever comes to an address: those of its first host count"
            draft.lose(server.limits.origins, why)
    upstream = tls.upstream(draft, [target for server in draft.servers() for target in _targets(server)])
    if upstream:
        yield Block(("upstream_tls",), upstream, _origins(draft.servers(), "ssl_proxy", "ssl_proxy_verify"))


def _targets(server: DraftServer) -> Iterator[str]:
    """Whom a server forwards to."""
    yield from (row.content["url"] for group in server.balancers.values() for row in group.members)
    yield from (row.content.get("proxy", "") for row in (*server.routes, *server.located))
    for row in (*server.rewrites, *server.inner):
        if {"P", "PROXY"} & {*map(str.upper, row.content.get("flags", ()))}:
            yield row.content["substitution"]


def _origins(servers: Iterable[DraftServer], *names: str) -> tuple[Directive, ...]:
    return tuple(server.options[name][1] for server in servers for name in names if name in server.options)
