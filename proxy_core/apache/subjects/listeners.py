"""Where requests come in: Listen, and what httpd says by virtual host of connections: bounds, TLS, the PROXY header.

Bounds of what a client may send, and how slowly, are [limits], and those of a listener: they hold for whoever comes to
an address. On the way out ``subjects.hosts`` sees to that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from proxy_core.apache.blocks import Block, table
from proxy_core.apache.draft import DraftRow, DraftServer, SiteDraft, unique
from proxy_core.apache.import_context import ImportContext, Unsupported
from proxy_core.apache.lexer import Directive, Lines
from proxy_core.apache.options import COUNT, LIMITS, SWITCH, Handler, ValueKind, directives, first, option
from proxy_core.apache.report import Lose
from proxy_core.apache.subjects import member_tls, tls
from proxy_core.config.model import Limits, ListenerLimits, Site

_LEAST = {"request_line": 64, "field": 64, "fields": 1}


def bound(key: str, kind: ValueKind) -> Handler:
    """A directive that is a bound in [limits], or of a listener."""

    def handler(context: ImportContext, directive: Directive) -> None:
        context.server_only()
        value, least = kind.read(first(directive)), _LEAST.get(key, 0)
        if value < least:
            raise Unsupported(f"{value} is less than the {least} that [limits] takes")
        context.server.limits.content[key] = value
        context.server.limits.origins.append(directive)

    return handler


def limit_request_body(context: ImportContext, directive: Directive) -> None:
    """LimitRequestBody bytes: of the site, a host, or a section."""
    of_the_site = context.server is context.draft.main and context.section is None
    (bound("body", COUNT) if of_the_site else option("max_body", COUNT))(context, directive)


def request_read_timeout(context: ImportContext, directive: Directive) -> None:
    """RequestReadTimeout header=20-40,MinRate=500 body=20,MinRate=500"""
    context.server_only()
    limits = context.server.limits
    for word in directive.args:
        stage, _, values = word.lower().partition("=")
        found = re.fullmatch(r"(\d+)(?:-\d+)?(?:,minrate=(\d+))?", values)
        if stage not in ("header", "body") or found is None:
            context.lose(f"{word} is not known")
            continue
        kind = "head" if stage == "header" else "body"
        if int(found[1]):
            limits.content[f"{kind}_time"] = int(found[1])
        limits.content[f"{kind}_rate"] = int(found[2] or 0)
    limits.origins.append(directive)


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
    **{name.lower(): bound(key, kind) for name, (key, kind) in LIMITS.items()},
    "requestreadtimeout": request_read_timeout,
    "remoteipproxyprotocol": option("proxy_protocol", SWITCH),
}
UNSUPPORTED = {"remoteipproxyprotocolexceptions": "who need not send a PROXY header needs a listener of its own"}
_FIREWALL = "Apache does not count clients; let a firewall do it, or mod_qos"
_QUEUE = "Apache queues connections, in the system"
_FIELDS = "Apache bounds fields one by one"
LOST = {
    "Listener.proxy_protocol": "RemoteIPProxyProtocol believes every peer",
    "Limits.head": _FIELDS,
    "ListenerLimits.head": _FIELDS,
    "Limits.connections": "MaxRequestWorkers belongs to the settings of its processes",
    **dict.fromkeys(("Limits.client_connections", "Limits.client_rate", "Limits.client_burst"), _FIREWALL),
    **dict.fromkeys(("Limits.in_flight", "Limits.queue", "Limits.queue_time"), _QUEUE),
}


def lines(limits: Limits) -> Lines:
    """[limits]. KeepAliveTimeout and RequestReadTimeout are always said, for they are not httpd's defaults."""
    default = Limits()
    httpds = ListenerLimits(request_line=default.request_line, field=default.field, fields=default.fields)
    return [*bounds(limits, httpds), *[f"LimitRequestBody {limits.body}"] * (limits.body != default.body)]


def bounds(limits: Limits | ListenerLimits, default: ListenerLimits | None = None) -> Lines:
    """The bounds that are said, and not the default."""
    stages = (("header", limits.head_time, limits.head_rate), ("body", limits.body_time, limits.body_rate))
    words = [f"{name}={time:.0f}" + f",MinRate={rate}" * bool(rate) for name, time, rate in stages if time is not None]
    return [*directives(LIMITS, limits, default), *[f"RequestReadTimeout {' '.join(words)}"] * bool(words)]


def plain(site: Site, lose: Lose) -> Site:
    """Bounds of time in whole seconds."""
    changed: dict[str, float] = {"idle_time": milliseconds(site.limits.idle_time)}
    for key in ("head_time", "body_time"):
        changed[key] = whole_seconds(value := getattr(site.limits, key))
        if changed[key] != value:
            lose(("limits", key), f"RequestReadTimeout counts whole seconds: {changed[key]:g}")
    return replace(site, limits=replace(site.limits, **changed))


def milliseconds(seconds: float) -> float:
    """The nearest time in whole milliseconds."""
    return max(0.001, round(seconds, 3))


def whole_seconds(seconds: float) -> float:
    """The nearest time in whole seconds."""
    return float(max(1, round(seconds)))


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
    if upstream := member_tls.upstream(draft):
        yield Block(("upstream_tls",), upstream, member_tls.origins(draft.main))


def _origins(servers: Iterable[DraftServer], *names: str) -> tuple[Directive, ...]:
    return tuple(server.options[name][1] for server in servers for name in names if name in server.options)
