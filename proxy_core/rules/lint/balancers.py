"""What is wrong with a balancer where one field alone does not show it: sessions that no member owns, statuses that are
none, methods that lack what they go by."""

from __future__ import annotations

from collections.abc import Iterator

from proxy_core.config.model import Balancer, Site
from proxy_core.errors import Address, Problem
from proxy_core.http.statuses import status_ranges
from proxy_core.http.target import as_bytes_text, endpoint
from proxy_core.rules.lint.problems import error, unknown, warning
from proxy_core.rules.text import template, variables


def lint_balance(site: Site) -> Iterator[Problem]:
    for name, group in site.balancers.items():
        address = ("balancers", name)
        yield from _method(site, address, group)
        yield from _sessions(address, group)
        yield from _waiting(address, group)
        try:
            status_ranges(group.failonstatus)
        except ValueError as reason:
            yield error((*address, "failonstatus"), str(reason), 'write statuses as "503" or "500-599"')
    if site.heartbeat is not None:
        try:
            endpoint(site.heartbeat.address)
        except ValueError as reason:
            yield error(("heartbeat", "address"), str(reason), 'write host:port, as in "127.0.0.1:27999"')


def _method(site: Site, address: Address, group: Balancer) -> Iterator[Problem]:
    if group.method == "heartbeat" and site.heartbeat is None:
        todo = 'add [heartbeat] with address = "127.0.0.1:27999"'
        yield warning((*address, "method"), "nobody listens for heartbeats, so every request is answered 503", todo)
    if group.method != "hash":
        if group.key != Balancer().key:
            yield warning((*address, "key"), f"key means nothing with method {group.method}", 'set method = "hash"')
        return
    names = template.compile(as_bytes_text(group.key)).names
    if not names:
        what = f'"{group.key}" is the same for every request, so one member gets them all'
        yield warning((*address, "key"), what, "put a variable into it, as in %{REMOTE_ADDR}")
    for kind, name in names:
        if kind == "map" and name not in site.maps:
            yield unknown((*address, "key"), "map", name, site.maps)
        elif kind == "variable" and not variables.is_known(name):
            known = [f"%{{{each}}}" for each in variables.VARIABLES]
            yield unknown((*address, "key"), "variable", f"%{{{name}}}", known, warn=True)


def _sessions(address: Address, group: Balancer) -> Iterator[Problem]:
    sticky, routes = group.sticky, {member.route for member in group.members.values()} - {""}
    if sticky is None:
        return
    here = (*address, "sticky")
    if not sticky.cookie and not sticky.param:
        yield error(here, "it says neither which cookie nor which parameter", 'write cookie = "ROUTEID"')
    if sticky.issue and not sticky.cookie:
        yield error((*here, "issue"), "a cookie is to be issued and has no name", 'write cookie = "ROUTEID"')
    if sticky.same_site == "None" and sticky.issue and not sticky.secure:
        what = "browsers refuse a cookie with same_site None that is not secure"
        yield warning((*here, "same_site"), what, "write secure = true")
    if sticky.issue:
        routes |= {name for name, member in group.members.items() if not member.route}
    elif not routes and group.members:
        todo = "give each member a route, or let sticky issue cookies"
        yield warning(here, "no member has a route, so no session stays anywhere", todo)
    for name, member in group.members.items():
        if member.redirect and member.redirect not in routes:
            yield unknown((*address, "members", name, "redirect"), "route", member.redirect, routes, warn=True)


def _waiting(address: Address, group: Balancer) -> Iterator[Problem]:
    if group.timeout and group.members and not any(member.max_connections for member in group.members.values()):
        todo = "give members a max_connections, or remove the timeout"
        yield warning((*address, "timeout"), "no member has a limit, so no request ever waits for one", todo)
