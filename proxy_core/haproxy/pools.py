"""Members: whether HAProxy can choose among them as the site says, and the lines that name them.

A balancer is one backend, whoever forwards to it, so that its members have their shares, bounds and state in common. A
member that refuses a connection is passed over for that request alone: HAProxy remembers nobody's fault but that of
checks. Servers have the name that members are told in Host, for HAProxy knows no other way to say whom it chose. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from proxy_core.config.model import Balancer, HealthCheck, Member, Site, Sticky
from proxy_core.errors import Address
from proxy_core.haproxy.spoken import unspoken
from proxy_core.haproxy.words import HandOver, Lines, fixed, name, quoted
from proxy_core.http.target import Origin, origin

_METHODS = {"byrequests": "roundrobin", "bybusyness": "leastconn", "hash": "source"}
_HEAVIEST = 256
"""The greatest weight of a server."""


def address_of(there: Origin) -> str:
    """An origin as the address of a server."""
    if there.host.startswith("unix:"):
        return f"unix@{there.host[5:]}"
    return f"[{there.host}]:{there.port}" if ":" in there.host else f"{there.host}:{there.port}"


def members(site: Site, pool: str) -> tuple[tuple[Member, Origin], ...]:
    """The members of a balancer, or the one origin of a URL."""
    if "://" in pool:
        return ((Member(url=pool), origin(pool)),)
    return tuple((each, origin(each.url)) for each in site.balancers[pool].members.values())


def checked(site: Site, pool: str, preserves: bool) -> str:
    """The path that each member has before requests' own. Raises HandOver for members that cannot be said."""
    found = members(site, pool)
    if "://" not in pool:
        group, at = site.balancers[pool], ("balancers", pool)
        _refuse(at, group)
        for key, table in (("sticky", group.sticky), ("health", group.health)):
            if table is not None:
                _refuse((*at, key), table)
        for key, member in group.members.items():
            _refuse((*at, "members", key), member)
        _chosen(pool, group)
    if any(there.transport != "http" or there.scheme != "http" for _, there in found):
        raise HandOver("members of https, ws and wss are not proven")
    names = [there.authority for _, there in found]
    if not preserves and len(set(names)) not in (1, len(names)):
        raise HandOver(f"members of {pool} share a name")
    paths = {there.path for _, there in found}
    if len(paths) != 1:
        raise HandOver(f"members of {pool} have different paths")
    return paths.pop()


def _refuse(address: Address, table: Balancer | Member | HealthCheck | Sticky) -> None:
    for where, _ in unspoken(table, address):
        raise HandOver(f"HAProxy has nothing that is the same as {'.'.join(where)}")


def _chosen(pool: str, group: Balancer) -> None:
    """Raises HandOver where HAProxy chooses in another way."""
    roles = {member.role for member in group.members.values()}
    asked = group.health is not None and group.health.method != "none"
    if group.method not in _METHODS or (group.method == "hash" and group.key != "%{REMOTE_ADDR}"):
        raise HandOver(f"HAProxy has no method {group.method} of this kind ({pool})")
    if "spare" in roles or ("standby" in roles and not asked):
        raise HandOver(f"without checks HAProxy never turns to a standby, and it has no spares ({pool})")
    if group.sticky is not None and any(member.status != "enabled" for member in group.members.values()):
        raise HandOver(f"sessions of members that are not enabled ({pool})")
    if group.timeout and any(member.max_connections for member in group.members.values()) and group.queue != 100:
        raise HandOver(f"HAProxy's queue has a bound for each member alone ({pool})")


def near(site: Site, pool: str) -> Iterator[tuple[Address, str]]:
    """What HAProxy does in another way that no answer shows while all members are well."""
    if "://" in pool:
        return
    group, at = site.balancers[pool], ("balancers", pool)
    if group.health is None:
        yield at, "HAProxy remembers no refused connection without checks: it tries such a member anew each time"
    if group.method == "hash":
        yield (*at, "method"), "HAProxy's ring is another one: each client moves once"
    if any(member.weight != int(member.weight) for member in group.members.values()):
        yield at, f"weights are rounded to parts of {_HEAVIEST}"


def servers(site: Site, pool: str, preserves: bool) -> Lines:
    """The lines of a backend that say who its members are."""
    found = members(site, pool)
    if "://" in pool:
        return [*_host(found, preserves), "retries 0", f"server {_named(found[0][1])} {address_of(found[0][1])}"]
    group = site.balancers[pool]
    lines = [f"balance {_METHODS[group.method]}", *(["hash-type consistent"] * (group.method == "hash"))]
    lines += [*_host(found, preserves), f"retries {_retries(group)}", "option redispatch 1", "option allbackups"]
    lines += [f"timeout queue {_milliseconds(group.timeout)}"] if group.timeout else []
    lines += _check(group.health)
    unique = len({there.authority for _, there in found}) == len(found)
    labels = [_named(there) if unique and not preserves else name(key)
              for key, (_, there) in zip(group.members, found, strict=True)]  # fmt: skip
    lines += _sticky(group, labels)
    top = max([member.weight for member, _ in found] + [1.0])
    whole = top <= _HEAVIEST and all(member.weight == int(member.weight) for member, _ in found)
    scale = 1.0 if whole else _HEAVIEST / top
    for label, (member, there) in zip(labels, found, strict=True):
        lines.append(" ".join(["server", label, address_of(there), *_options(group, member, scale)]))
    return lines


def _host(found: tuple[tuple[Member, Origin], ...], preserves: bool) -> Lines:
    names = {there.authority for _, there in found}
    if preserves:
        return []
    return [f"http-request set-header Host {names.pop()}"] if len(names) == 1 else ["http-send-name-header Host"]


def _named(there: Origin) -> str:
    return there.authority.replace("[", "").replace("]", "")


def _retries(group: Balancer) -> int:
    others = len(group.members) - 1
    return others if group.maxattempts is None else min(group.maxattempts, others)


def _sticky(group: Balancer, labels: list[str]) -> Iterator[str]:
    """What keeps sessions with their members, and ties clients to one (``balance.sticky``)."""
    sticky = group.sticky
    if sticky is None or not sticky.cookie:
        return
    separator = re.escape(sticky.separator)
    start = f"^[^{separator}]*{separator}" if separator else "^"
    flags = [f"Path={sticky.path}", f"SameSite={sticky.same_site}", *["Secure"] * sticky.secure]
    flags += ["HttpOnly"] * sticky.http_only
    yield f"http-request set-var(txn.session) req.cook({sticky.cookie})"
    for label, (key, member) in zip(labels, group.members.items(), strict=True):
        route = member.route or (key if sticky.issue else "")
        if not route:
            continue
        here = f"{{ var(txn.session) -m reg {quoted(f'{start}{re.escape(route)}$')} }}"
        yield f"use-server {label} if {here}"
        if sticky.issue:
            cookie = quoted(fixed("; ".join([f"{sticky.cookie}={sticky.separator}{route}", *flags])))
            yield f"http-response add-header Set-Cookie {cookie} if {{ srv_name {label} }} !{here}"


def _check(health: HealthCheck | None) -> Lines:
    if health is None or health.method in ("none", "tcp"):
        return []
    expected = ",".join(health.expect)
    return [
        "option httpchk",
        f"http-check send meth {health.method.upper()} uri {quoted(health.uri)} ver HTTP/1.1 hdr Host health",
        f"http-check expect status {expected}",
        f"timeout check {_milliseconds(health.timeout)}",
    ]


def _options(group: Balancer, member: Member, scale: float) -> Iterator[str]:
    weight = 0.0 if member.status == "draining" else member.weight * scale
    yield f"weight {max(1, round(weight)) if weight else 0}"
    if member.status in ("disabled", "stopped"):
        yield "disabled"
    if member.role == "standby":
        yield "backup"
    if member.max_connections:
        yield f"maxconn {member.max_connections}"
    if group.slow_start:
        yield f"slowstart {_milliseconds(group.slow_start)}"
    health = group.health
    if health is not None and health.method != "none":
        yield f"check inter {_milliseconds(health.interval)} fall {health.fails} rise {health.passes}"


def _milliseconds(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000))}ms"
