"""mod_proxy_hcheck and mod_heartmonitor: how members are checked, and where their reports are heard."""

from __future__ import annotations

import re
from typing import Any

from msgspec.structs import replace

from proxy_core.apache.draft import DraftRow
from proxy_core.apache.import_context import ImportContext
from proxy_core.apache.lexer import Directive, Lines, check, word
from proxy_core.apache.options import HEALTH, HEALTH_REQUEST, by_name, first, parameters, taken, words
from proxy_core.apache.report import Lose
from proxy_core.config.model import HealthCheck, Site
from proxy_core.errors import Address


def template(context: ImportContext, directive: Directive) -> None:
    """ProxyHCTemplate name key=value …"""
    name, *rest = directive.args
    context.draft.templates[name.lower()] = parameters(rest)


def expression(context: ImportContext, directive: Directive) -> None:
    """ProxyHCExpr name {expression}"""
    name, _, text = directive.raw.partition(" ")
    context.draft.expressions[name.lower()] = text.strip().strip("\"'").removeprefix("{").removesuffix("}").strip()


def heartbeat(context: ImportContext, directive: Directive) -> None:
    """HeartbeatListen address:port"""
    context.server_only()
    context.draft.heartbeat = DraftRow({"address": first(directive)}, [directive])


HANDLERS = {"proxyhctemplate": template, "proxyhcexpr": expression, "heartbeatlisten": heartbeat}
IGNORED = by_name({"as many are kept as report": "heartbeatmaxservers"})
UNSUPPORTED = by_name({"reports of members come over the network": "heartbeatstorage heartbeataddress"})
LOST = {"HealthCheck.timeout": "a check has the member's own timeout"}


def taken_check(context: ImportContext, given: dict[str, str]) -> dict[str, Any]:
    """The health check that a member's parameters say, taken out of ``given``; its template lies under it."""
    own = taken(context, given, HEALTH | HEALTH_REQUEST)
    shared = dict(context.draft.templates.get(given.pop("hctemplate", "").lower(), {}))
    health = taken(context, shared, HEALTH | HEALTH_REQUEST) | own
    if health.get("method") == "options":
        health["uri"] = "*"
    if name := health.get("expr"):
        health["expr"] = context.draft.expressions.get(name.lower(), name)
    return health


_GROUP = re.compile(r"2(?:2[4-9]|3\d)\.|\[ff", re.IGNORECASE)
"""Addresses of multicast."""


def heard(site: Site, lose: Lose) -> Site:
    """Reports of members come to a group of addresses, which mod_heartmonitor joins whatever the address is."""
    if site.heartbeat is None or _GROUP.match(site.heartbeat.address):
        return site
    lose(("heartbeat", "address"), "HeartbeatListen takes the address of a multicast group alone")
    return replace(site, heartbeat=None)


def plain(at: Address, health: HealthCheck | None, lose: Lose) -> HealthCheck | None:
    """A check as Apache can do it."""
    if health is None or health.method == "none":
        return None
    if health.interval < 2 or not float(health.interval * 1000).is_integer():
        lose((*at, "interval"), "Apache checks every two seconds at most, and counts milliseconds")
        health = replace(health, interval=max(2.0, round(health.interval, 3)))
    uri = {"tcp": "/", "options": "*"}.get(health.method, health.uri)
    if health.method == "options" and health.uri != "*":
        lose((*at, "uri"), "Apache asks OPTIONS of the server as a whole")
    health = replace(health, uri=uri)
    if health.method == "tcp" or (health.expr is None and health.expect == type(health)().expect):
        return replace(health, expect=type(health)().expect, expr=health.expr if health.method != "tcp" else None)
    return replace(health, expr=health.expr or _expected(health.expect), expect=type(health)().expect)


def _expected(statuses: tuple[str, ...]) -> str:
    parts = []
    for each in statuses:
        first, dash, last = each.partition("-")
        between = f"(%{{REQUEST_STATUS}} -ge {first} && %{{REQUEST_STATUS}} -le {last})"
        parts.append(between if dash else f"%{{REQUEST_STATUS}} -eq {first}")
    return " || ".join(parts)


def spelled(name: str, health: HealthCheck | None) -> tuple[Lines, list[str]]:
    """What a check needs above the members of a balancer, and what it says at each. Raises Unsayable."""
    if health is None:
        return [], []
    request = [f"hcmethod={health.method.upper()}"]
    request += [word(f"hcuri={health.uri}")] * (health.method != "tcp" and health.uri != "*")
    request += words(HEALTH, health, HealthCheck())
    if health.expr is None:
        return [], request
    check(health.expr)
    return [f"ProxyHCExpr {name}-check {{{health.expr}}}"], [*request, f"hcexpr={name}-check"]
