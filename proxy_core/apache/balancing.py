"""mod_proxy_balancer and mod_proxy_hcheck: balancers, their members, and how these are checked."""

from __future__ import annotations

import re
from typing import Any

from proxy_core.apache.draft import Balancer, Here, Row, Unsupported
from proxy_core.apache.lexer import Directive
from proxy_core.apache.parameters import BALANCER, HEALTH, MEMBER, ROUTE, STICKY, left_over, parameters, taken
from proxy_core.apache.table import Handler, span, text


def balancer(here: Here, said: Directive, name: str) -> Balancer:
    """The balancer of this name in the server at hand; it is there from the first time that it is named."""
    server = here.server
    main = here.draft.main
    if name not in server.balancers and name in main.balancers:
        return main.balancers[name]
    return server.balancers.setdefault(name.lower(), Balancer([said]))


def balancer_member(here: Here, said: Directive) -> None:
    """BalancerMember [balancerurl] url [key=value …]"""
    here.unconditional()
    args = list(said.args)
    if here.section is not None and here.section.kind == "proxy":
        group = here.section.argument
    else:
        group = args.pop(0) if args else ""
    if not group.lower().startswith("balancer://") or not args:
        raise Unsupported("it belongs to no balancer://")
    url, *words = args
    if re.match(r"(?:https?|wss?|unix):", url, re.IGNORECASE) is None:
        raise Unsupported("members are http, https, ws, wss and unix: URLs")
    given = parameters(tuple(words))
    row: dict[str, Any] = {"url": url}
    status = given.pop("status", "")
    row |= taken(here, given, MEMBER) | flags(here, status)
    health = taken(here, given, {name: each for name, each in HEALTH.items() if name != "hctemplate"})
    template = given.pop("hctemplate", "")
    acquire = given.pop("acquire", "")
    left_over(here, given)
    balanced = own_balancer(here, said, group)
    if template:
        health = taken(here, dict(here.draft.templates.get(template.lower(), {})), HEALTH) | health
    if acquire:
        balanced.settings["timeout"] = span(acquire, "ms")
    if health:
        if health.get("method") == "options":
            health["uri"] = "*"
        expression = health.get("expr")
        if expression is not None:
            health["expr"] = here.draft.expressions.get(expression.lower(), expression)
        known = balanced.settings.setdefault("health", health)
        if known != health:
            here.lose("a balancer has one health check for all its members: its first member's")
    for name in [name for name in ("timeout", "connect_timeout", "ttl") if row.get(name) == 0]:
        del row[name]
    balanced.members.append(Row(row, [said]))


def own_balancer(here: Here, said: Directive, url: str) -> Balancer:
    name = re.match(r"balancer://([^/]*)", url, re.IGNORECASE)
    assert name is not None
    origin = here.section.directive if here.section is not None else said
    return here.server.balancers.setdefault(name[1].lower(), Balancer([origin]))


_FLAGS: dict[str, tuple[str, Any]] = {
    "D": ("status", "disabled"),
    "S": ("status", "stopped"),
    "N": ("status", "draining"),
    "H": ("role", "standby"),
    "R": ("role", "spare"),
    "I": ("ignore_errors", True),
}


def flags(here: Here, status: str) -> dict[str, Any]:
    """status=+H-E: each letter sets, or after a minus unsets."""
    found: dict[str, Any] = {}
    sign = "+"
    for letter in status.upper():
        if letter in "+-":
            sign = letter
        elif letter in _FLAGS:
            key, value = _FLAGS[letter]
            if sign == "+":
                found[key] = value
            else:
                found.pop(key, None)
        elif letter not in "EC":
            here.lose(f"the status {letter} is not known")
    return found


def configure(here: Here, said: Directive, group: Balancer, given: dict[str, str]) -> None:
    """Parameters of a balancer."""
    group.settings |= taken(here, given, BALANCER)
    sticky = taken(here, given, STICKY)
    if sticky:
        group.settings["sticky"] = group.settings.get("sticky", {}) | sticky
    left_over(here, given)
    group.origins.append(said)


def proxy_set(here: Here, said: Directive) -> None:
    """ProxySet [url] key=value …"""
    here.unconditional()
    args = list(said.args)
    url = args.pop(0) if here.section is None else here.section.argument
    if here.section is not None and here.section.kind == "proxymatch":
        raise Unsupported("it is for one URL or balancer, not for an expression")
    given = parameters(tuple(args))
    if url.lower().startswith("balancer://"):
        configure(here, said, own_balancer(here, said, url), given)
        return
    found = taken(here, given, {"timeout": ROUTE["timeout"]})
    left_over(here, given)
    if found.get("timeout"):
        if here.section is None:
            here.server.locations.append(Row({"target": url, **found}, [said]))
        else:
            row = here.location(said)
            row.content |= found
            row.origins.append(said)


def template(here: Here, said: Directive) -> None:
    """ProxyHCTemplate name key=value …"""
    name, *words = said.args
    here.draft.templates[name.lower()] = parameters(tuple(words))


def expression(here: Here, said: Directive) -> None:
    """ProxyHCExpr name {expression}"""
    name, _, found = said.raw.partition(" ")
    here.draft.expressions[name.lower()] = found.strip().strip("\"'").removeprefix("{").removesuffix("}").strip()


def heartbeat(here: Here, said: Directive) -> None:
    """HeartbeatListen address:port"""
    here.server_only()
    here.draft.heartbeat = Row({"address": text(said)}, [said])


HANDLERS: dict[str, Handler] = {
    "balancermember": balancer_member,
    "proxyset": proxy_set,
    "proxyhctemplate": template,
    "proxyhcexpr": expression,
    "heartbeatlisten": heartbeat,
}
