"""Balancers for Apache: their parameters from the importer's own tables, read the other way round.

First what Apache says in other words: weights between 1 and 100, sessions that are looked for in cookie and parameter,
whole seconds, checks by an expression; then the lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from proxy_core.apache.draft import unique
from proxy_core.apache.export_lost import Lose
from proxy_core.apache.export_words import Lines, check, number, section, span, switch, word
from proxy_core.apache.parameters import BALANCER, HEALTH, MEMBER, STICKY, Parameter
from proxy_core.config.model import Balancer, HeaderRule, HealthCheck, Member, ReverseRule, Site, Sticky
from proxy_core.errors import Address

_SPANS = {"connect_timeout"}
"""What may have milliseconds; every other span is in whole seconds."""
_STATUS = {"enabled": "", "draining": "+N", "disabled": "+D", "stopped": "+S"}
_ROLE = {"regular": "", "standby": "+H", "spare": "+R"}


def plain(site: Site, lose: Lose) -> Site:
    """Balancers in the words of Apache."""
    site = _heard(site, lose)
    names: dict[str, str] = {}
    for name in site.balancers:
        names[name] = unique(name.lower(), names.values())
    balancers = {names[name]: _group(site, name, group, lose) for name, group in site.balancers.items()}
    cookies = [_cookie(names[name], group.sticky) for name, group in site.balancers.items()
               if group.sticky is not None and group.sticky.issue]  # fmt: skip

    def renamed(text: str) -> str:
        return re.sub(
            r"^balancer://([^/$%{]+)", lambda found: f"balancer://{names.get(found[1], found[1])}", text,
            flags=re.IGNORECASE,
        )  # fmt: skip

    return replace(
        site,
        balancers=balancers,
        headers=(*cookies, *site.headers),
        routes=tuple(replace(row, proxy=renamed(row.proxy)) if row.proxy else row for row in site.routes),
        rewrites=tuple(replace(row, substitution=renamed(row.substitution)) for row in site.rewrites),
        reverse=tuple(_reverse(row, renamed(row.internal)) for row in site.reverse),
        locations=tuple(replace(row, target=renamed(row.target)) if row.target else row for row in site.locations),
    )


_GROUP = re.compile(r"2(?:2[4-9]|3\d)\.|\[ff", re.IGNORECASE)
"""Addresses of multicast."""


def _heard(site: Site, lose: Lose) -> Site:
    """Reports of members come to a group of addresses, which mod_heartmonitor joins whatever the address is."""
    if site.heartbeat is None or _GROUP.match(site.heartbeat.address):
        return site
    lose(("heartbeat", "address"), "HeartbeatListen takes the address of a multicast group alone")
    return replace(site, heartbeat=None)


def _reverse(row: ReverseRule, internal: str) -> ReverseRule:
    return replace(row, internal=internal) if row.kind == "location" else row


def _group(site: Site, name: str, group: Balancer, lose: Lose) -> Balancer:
    at: Address = ("balancers", name)
    if group.method in ("latency", "hash") or (group.method == "heartbeat" and site.heartbeat is None):
        why = "nobody hears reports" if group.method == "heartbeat" else "Apache has no such method"
        lose((*at, "method"), f"{why}: members take turns (byrequests)")
        group = replace(group, method="byrequests")
    sticky = _sticky(at, group.sticky, lose)
    issues = group.sticky is not None and group.sticky.issue
    members = {key: _member(site, (*at, "members", key), key, member, issues, lose)
               for key, member in group.members.items()}  # fmt: skip
    return replace(
        group,
        key="%{REMOTE_ADDR}",
        sticky=sticky,
        timeout=_whole((*at, "timeout"), group.timeout, lose) or 0.0,
        failonstatus=_numbers(group.failonstatus),
        health=_health((*at, "health"), group.health, lose) if members else None,
        members=_once(at, _weighed(at, members, lose), lose),
    )


def _sticky(at: Address, sticky: Sticky | None, lose: Lose) -> Sticky | None:
    """``stickysession=name`` looks in the parameter as well as in the cookie; that one of them is not to be looked at
    cannot be said. The cookie is issued by a row of [[headers]]."""
    if sticky is None:
        return None
    if not sticky.cookie and not sticky.param:
        lose((*at, "sticky"), "it names neither cookie nor parameter")
        return None
    cookie, param = sticky.cookie or sticky.param, sticky.param or sticky.cookie
    return Sticky(
        cookie=cookie, param=param, separator=sticky.separator, scolonpathdelim=sticky.scolonpathdelim,
        nofailover=sticky.nofailover,
    )  # fmt: skip


def _cookie(name: str, sticky: Sticky) -> HeaderRule:
    """mod_proxy_balancer's manual issues the cookie so."""
    flags = "; Secure" * sticky.secure + "; HttpOnly" * sticky.http_only
    return HeaderRule(
        id=f"{name}-session",
        action="add",
        name="Set-Cookie",
        value=f"{sticky.cookie}={sticky.separator}%{{BALANCER_WORKER_ROUTE}}e; Path={sticky.path}"
        f"; SameSite={sticky.same_site}{flags}",
        expr=f"reqenv('BALANCER_ROUTE_CHANGED') == '1' && reqenv('BALANCER_NAME') == 'balancer://{name}'",
    )


def _member(site: Site, at: Address, key: str, member: Member, issues: bool, lose: Lose) -> Member:
    if member.weight * 100 < 1 and member.status == "enabled":  # no turns, but its sessions: that is draining
        member = replace(member, status="draining")
    if member.weight * 100 < 1:
        member = replace(member, weight=1.0)
    upgrade = member.upgrade
    if len(upgrade) > 1:
        lose((*at, "upgrade"), "Apache takes one protocol, or ANY")
        upgrade = upgrade[:1]
    return replace(
        member,
        route=member.route or key * issues,
        retry=_whole((*at, "retry"), member.retry, lose) or 0.0,
        timeout=_whole((*at, "timeout"), member.timeout, lose),
        ttl=_whole((*at, "ttl"), member.ttl, lose),
        connect_timeout=member.connect_timeout or connect_timeout(site),
        upgrade=upgrade,
    )


def connect_timeout(site: Site) -> float | None:
    """The site's own where it says one: Apache has it by member."""
    return None if site.site.connect_timeout == type(site.site)().connect_timeout else site.site.connect_timeout


def _weighed(at: Address, members: Mapping[str, Member], lose: Lose) -> dict[str, Member]:
    """Weights in the same proportion between 1 and 100, with two decimals."""
    least = min((member.weight for member in members.values()), default=1.0)
    factor = 1 / least if least < 1 else 1.0
    found = {}
    for key, member in members.items():
        weight = min(round(member.weight * factor, 2), 100.0)
        if abs(weight - member.weight * factor) > 0.005 * factor:
            lose((*at, "members", key, "weight"), "Apache's weights are 1 to 100, with two decimals")
        found[key] = replace(member, weight=weight)
    return found


def _once(at: Address, members: Mapping[str, Member], lose: Lose) -> dict[str, Member]:
    found: dict[str, Member] = {}
    urls: set[str] = set()
    for key, member in members.items():
        if member.url in urls:
            lose((*at, "members", key), "Apache takes two members with one URL for one")
            continue
        urls.add(member.url)
        found[key] = member
    return found


def _whole(at: Address, seconds: float | None, lose: Lose) -> float | None:
    """Whole seconds."""
    if seconds is None or seconds == round(seconds):
        return seconds
    made = float(max(1, round(seconds)))
    lose(at, f"Apache counts whole seconds: {made:g}")
    return made


def _numbers(statuses: tuple[str, ...]) -> tuple[str, ...]:
    """Statuses one by one: Apache has no ranges."""
    found: list[str] = []
    for each in statuses:
        first, _, last = each.partition("-")
        found += map(str, range(int(first), int(last or first) + 1))
    return tuple(dict.fromkeys(found))


def _health(at: Address, health: HealthCheck | None, lose: Lose) -> HealthCheck | None:
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
        here = f"%{{REQUEST_STATUS}} -ge {first} && %{{REQUEST_STATUS}} -le {last}"
        parts.append(f"({here})" if dash else f"%{{REQUEST_STATUS}} -eq {first}")
    return " || ".join(parts)


def lines(site: Site) -> Lines:
    """The balancers. Raises Unsayable."""
    found: Lines = []
    for name, group in site.balancers.items():
        checks, more = _checked(name, group.health)
        found += checks
        members = [
            " ".join(["BalancerMember", word(member.url), *_given(member, Member, MEMBER), *_status(member), *more])
            for member in group.members.values()
        ]
        settings = [*_given(group, Balancer, BALANCER), *_session(group.sticky)]
        if settings or not members:
            members.append(" ".join(["ProxySet", *(settings or ["lbmethod=byrequests"])]))
        found += section("Proxy", word(f"balancer://{name}"), members)
    return found


_OF_CHECKS = ("hcmethod", "hcuri", "hcexpr")


def _checked(name: str, health: HealthCheck | None) -> tuple[Lines, list[str]]:
    """What a check needs above the members, and what it says at each."""
    if health is None:
        return [], []
    words = [f"hcmethod={health.method.upper()}"]
    words += [word(f"hcuri={health.uri}")] * (health.method != "tcp" and health.uri != "*")
    words += _given(health, HealthCheck, {name: each for name, each in HEALTH.items() if name not in _OF_CHECKS})
    if health.expr is None:
        return [], words
    check(health.expr)
    return [f"ProxyHCExpr {name}-check {{{health.expr}}}"], [*words, f"hcexpr={name}-check"]


def _status(member: Member) -> list[str]:
    said = _STATUS[member.status] + _ROLE[member.role] + "+I" * member.ignore_errors
    return [f"status={said}"] if said else []


def _session(sticky: Sticky | None) -> Iterator[str]:
    if sticky is None:
        return
    both = sticky.cookie if sticky.cookie == sticky.param else f"{sticky.cookie}|{sticky.param}"
    yield word(f"stickysession={both}")
    for each in _given(sticky, Sticky, STICKY):
        yield "stickysessionsep=Off" if each == "stickysessionsep=" else each


def _given(said: Any, kind: type[Any], table: Mapping[str, Parameter]) -> Iterator[str]:
    """Parameters that are not at their defaults, by the importer's table."""
    default = kind(url="x") if kind is Member else kind()
    told: set[str] = set()
    for name, (key, _) in table.items():
        if key and key not in told and getattr(said, key) != getattr(default, key):
            told.add(key)
            yield word(f"{name}={_value(key, getattr(said, key))}")


def _value(key: str, value: Any) -> str:
    match value:
        case bool():
            return switch(value)
        case tuple():
            return ",".join(value)
        case float():
            return span(value) if key in _SPANS | {"interval"} else number(value)
        case _:
            return str(value)
