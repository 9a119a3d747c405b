"""What is wrong with a balancer and its members, where one field alone does not show it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from proxy_core.config.model import Balancer, Member, Site
from proxy_core.errors import Address, Problem
from proxy_core.http.statuses import status_ranges
from proxy_core.http.target import endpoint, origin
from proxy_core.rules.lint.problems import each_refused, error, refused, unknown, warning
from proxy_core.rules.lint.texts import texts
from proxy_core.rules.lint.upstreams import escapes, host_parts, loop, upgrades
from proxy_core.rules.text import template


def lint_balance(site: Site) -> Iterator[Problem]:
    for name, group in site.balancers.items():
        address = ("balancers", name)
        yield from _method(site, address, group)
        yield from _sessions(site, address, group)
        yield from _waiting(address, group)
        todo = 'write statuses as "503" or "500-599"'
        yield from each_refused((*address, "failonstatus"), todo, status_ranges, group.failonstatus)
    if site.heartbeat is not None:
        todo = 'write host:port, as in "127.0.0.1:27999"'
        yield from refused(("heartbeat", "address"), todo, endpoint, site.heartbeat.address)


def _method(site: Site, address: Address, group: Balancer) -> Iterator[Problem]:
    if group.method == "heartbeat" and site.heartbeat is None:
        todo = 'add [heartbeat] with address = "127.0.0.1:27999"'
        yield warning((*address, "method"), "nobody listens for heartbeats, so every request is answered 503", todo)
    if group.method != "hash":
        if group.key != Balancer().key:
            yield warning((*address, "key"), f"key means nothing with method {group.method}", 'set method = "hash"')
        return
    if not template.compile(group.key).names:
        what = f'"{group.key}" is the same for every request, so one member gets them all'
        yield warning((*address, "key"), what, "put a variable into it, as in %{REMOTE_ADDR}")
    yield from texts(site, (*address, "key"), group.key)


def _sessions(site: Site, address: Address, group: Balancer) -> Iterator[Problem]:
    sticky, routes = group.sticky, {member.route for member in group.members.values()} - {""}
    if sticky is None:
        return
    where = (*address, "sticky")
    if not sticky.cookie and not sticky.param:
        yield error(where, "it says neither which cookie nor which parameter", 'write cookie = "ROUTEID"')
    if sticky.issue and not sticky.cookie:
        yield error((*where, "issue"), "a cookie is to be issued and has no name", 'write cookie = "ROUTEID"')
    if sticky.same_site == "None" and sticky.issue and not sticky.secure:
        what = "browsers refuse a cookie with same_site None that is not secure"
        yield warning((*where, "same_site"), what, "write secure = true")
    elif sticky.issue and not sticky.secure and site.listeners and all(each.tls for each in site.listeners.values()):
        what = "clients send the cookie over plain HTTP as well, though every listener speaks TLS"
        yield warning((*where, "secure"), what, "write secure = true")
    if sticky.issue:
        routes |= {name for name, member in group.members.items() if not member.route}
    elif not routes and group.members:
        todo = "give each member a route, or let sticky issue cookies"
        yield warning(where, "no member has a route, so no session stays anywhere", todo)
    for name, member in group.members.items():
        if member.redirect and member.redirect not in routes:
            yield unknown((*address, "members", name, "redirect"), "route", member.redirect, routes, warn=True)


def _waiting(address: Address, group: Balancer) -> Iterator[Problem]:
    if group.timeout and group.members and not any(member.max_connections for member in group.members.values()):
        todo = "give members a max_connections, or remove the timeout"
        yield warning((*address, "timeout"), "no member has a limit, so no request ever waits for one", todo)


def lint_members(site: Site) -> Iterator[Problem]:
    """Balancers that get no request, or have no member that takes one, and the URLs of members."""
    used = _used(site)
    for name, group in site.balancers.items():
        yield from _members(site, ("balancers", name), name, group, used(name))


def _used(site: Site) -> Callable[[str], bool]:
    """Whether a balancer may get requests: one is named, or what is filled in may name it."""
    names: set[str] = set()
    beginnings: list[str] = []
    routed = (url or "" for row in site.routes for url in (row.proxy, row.shadow))
    services = (each.url.partition("?")[0] for each in site.forward_auth.values())
    for url in (*routed, *(rule.substitution for rule in site.rewrites), *services):
        scheme, parts = host_parts(template.compile(url))
        if scheme == "balancer" and all(isinstance(part, str) for part in parts):
            names.add("".join(map(str, parts)))
        elif parts and scheme in ("", "balancer"):
            beginnings.append(parts[0] if isinstance(parts[0], str) else "")
    return lambda name: name in names or name.startswith(tuple(beginnings))


def _members(site: Site, address: Address, name: str, group: Balancer, used: bool) -> Iterator[Problem]:
    if not used:
        yield warning(address, f"no route uses balancer {name}", f'use it: proxy = "balancer://{name}", or remove it')
    if not group.members:
        todo = f'add one: [balancers.{name}.members.a] with url = "http://127.0.0.1:8000"'
        yield warning(address, f"balancer {name} has no member: its requests are answered 503", todo)
    elif not any(member.status == "enabled" and int(member.weight * 100) for member in group.members.values()):
        what = f"balancer {name} has no member that takes requests: they are answered 503"
        yield warning(address, what, "enable a member, or give one a weight")
    for key, member in group.members.items():
        yield from _member(site, (*address, "members", key, "url"), member)


def _member(site: Site, address: Address, member: Member) -> Iterator[Problem]:
    yield from upgrades((*address[:-1], "upgrade"), member.upgrade)
    try:
        upstream = origin(member.url)
    except ValueError as reason:
        yield error(address, str(reason), 'write "http://host:port"')
        return
    yield from loop(site, address, upstream)
    yield from escapes(address, upstream.path)
    if upstream.path.endswith("/"):
        what = f"the member's path ends in a slash: /x is sent as {upstream.path}/x"
        yield warning(address, what, f'write "{member.url.rstrip("/")}"')
