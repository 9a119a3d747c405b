"""What is wrong with a site as a whole: everything that takes more than one field to see.

Types, ranges and spelling are checked where the file is read; here the parts are held against each other. Errors are
what cannot be compiled or bound; warnings are what works but hardly means what it says: rows that never get a request,
exceptions that except nothing, slashes that double or vanish. Each problem carries the address of the field at fault
and says what to do. Pure; the words are for operators, so they name rows by id and show what a request would become.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from itertools import combinations

from proxy_core.config.destination import destination
from proxy_core.config.log_directives import BadFormat, parsed
from proxy_core.config.model import Balancer, Member, Route, Site
from proxy_core.errors import Address, Problem
from proxy_core.http.target import Origin, as_bytes_text, balancer, endpoint, escaped, is_loopback, origin
from proxy_core.http.upgrade import is_protocol
from proxy_core.rules.lint.access import lint_access
from proxy_core.rules.lint.addresses import lint_trust
from proxy_core.rules.lint.balancers import lint_balance
from proxy_core.rules.lint.fields import lint_headers
from proxy_core.rules.lint.health_checks import lint_health
from proxy_core.rules.lint.problems import error, warning
from proxy_core.rules.lint.rewrites import balancers_used, lint_rules
from proxy_core.rules.lint.routes import spelling
from proxy_core.rules.lint.tls import lint_tls
from proxy_core.rules.routing.prefixes import collapsed, first, index, takes
from proxy_core.rules.routing.reverse import effective_target

STEMS = {"admin", "default", "home", "index", "info", "install", "login", "logout", "main", "setup", "status", "test"}
"""Names of which people think without the extension: "/service/index" for /service/index.php."""


def lint(site: Site) -> tuple[Problem, ...]:
    """Errors and warnings of a site whose single fields are valid, in the order of its parts."""
    return (
        *lint_trust(site),
        *_listeners(site),
        *_access_log(site),
        *(problem for row in site.routes for problem in (*spelling(row), *_proxy(site, row))),
        *_no_routes(site),
        *_tables(site),
        *lint_tls(site),
        *lint_rules(site),
        *lint_access(site),
        *lint_headers(site),
        *lint_health(site),
        *lint_balance(site),
        *(problem for name, group in site.balancers.items() for problem in _balancer(site, name, group)),
    )


def _listeners(site: Site) -> Iterator[Problem]:
    if not site.listeners:
        todo = 'add one: [listeners.http] with address = "127.0.0.1:8080"'
        yield warning(("listeners",), "the site has no listener, so nothing can reach it", todo)
    bound: dict[str, tuple[str, int]] = {}
    for name, listener in site.listeners.items():
        try:
            bound[name] = endpoint(listener.address)
        except ValueError as reason:
            yield error(("listeners", name, "address"), str(reason), 'write host:port, as in "127.0.0.1:8080"')
    for one, other in combinations(bound, 2):
        if _clash(bound[one], bound[other]):
            yield error(
                ("listeners", other, "address"),
                f'"{site.listeners[other].address}" is taken by listener {one} ("{site.listeners[one].address}")',
                "give each listener a port of its own, or remove one",
            )


def _access_log(site: Site) -> Iterator[Problem]:
    if site.access_log is not None and site.access_log.format != "json":
        try:
            parsed(site.access_log.format)
        except BadFormat as reason:
            yield error(("access_log", "format"), str(reason), reason.todo)


def _clash(one: tuple[str, int], other: tuple[str, int]) -> bool:
    if one[1] != other[1] or one[1] == 0:
        return False
    return one[0] == other[0] or any(_covers(a, b) for a, b in ((one[0], other[0]), (other[0], one[0])))


def _covers(host: str, other: str) -> bool:
    """Whether an address stands for every address of a family that ``other`` may be in."""
    return host == "" or (host == "0.0.0.0" and ":" not in other) or (host == "::" and (":" in other or other == ""))


def _proxy(site: Site, row: Route) -> Iterator[Problem]:
    """Where a row sends to, and how path and target join."""
    address = ("routes", row.id, "proxy")
    yield from _upgrade(("routes", row.id, "upgrade"), row.upgrade)
    if row.proxy is None:
        return
    try:
        pool, path = destination(row)
    except ValueError as reason:
        yield error(address, str(reason), 'write "http://host:port/path" or "balancer://name/path"')
        return
    if balancer(row.proxy) is None:
        yield from _loop(site, address, origin(pool or ""))
    else:
        if pool not in site.balancers:
            near = get_close_matches(pool or "", site.balancers, 1)
            todo = f"did you mean balancer://{near[0]}{path}?" if near else f"add [balancers.{pool}] with its members"
            yield error(address, f'there is no balancer "{pool}"', todo)
        if "?" in path or "#" in path:
            yield error(address, f"{row.proxy} has a query or a fragment", "only name and path count: remove it")
            return
    yield from _escapes(address, path)
    if row.path is None:
        return
    target = effective_target(row.path, path)
    asked, rest = (row.path + "x", "x") if row.path.endswith("/") else (row.path + "/x", "/x")
    if (target + rest).endswith("//x") or (row.path.endswith("/") and not target.endswith("/")):
        side, other = (row.path, target) if row.path.endswith("/") else (target, row.path)
        yield warning(
            address,
            f'"{side}" ends in a slash and "{other}" does not: {asked} is sent as {target}{rest}',
            "end both sides in a slash, or neither",
        )


def _upgrade(address: Address, names: tuple[str, ...]) -> Iterator[Problem]:
    for name in names:
        if not is_protocol(name.encode()):
            what = f'"{name}" cannot be tunnelled'
            if name.lower() in ("h2c", "h2"):
                what = "h2c cannot be tunnelled: its requests would pass every rule unread"
            yield error(address, what, 'name a protocol, as in ["websocket"], or write ["ANY"]')


def _escapes(address: Address, path: str) -> Iterator[Problem]:
    if "%" in path:
        what = f"an escape in a target is escaped again: {path} is sent as {escaped(as_bytes_text(path)).decode()}"
        yield warning(address, what, "write the characters themselves")


def _loop(site: Site, address: Address, there: Origin) -> Iterator[Problem]:
    """A target that is one of our own listeners sends a request round for ever."""
    for name, listener in site.listeners.items():
        try:
            host, port = endpoint(listener.address)
        except ValueError:
            continue
        if port == there.port and (host == there.host or (host in ("", "0.0.0.0", "::") and is_loopback(there.host))):
            what = f"{there.url} is this proxy's own listener {name}: requests would go round in a circle"
            yield warning(address, what, "name the upstream server instead")
            return


def _no_routes(site: Site) -> Iterator[Problem]:
    if not (site.routes or site.rewrites or site.site.document_root):
        todo = 'add one: [[routes]] with path = "/" and proxy = "http://127.0.0.1:8000"'
        yield warning(("routes",), "the site has no route: every request is answered 404", todo)


def _tables(site: Site) -> Iterator[Problem]:
    """The server's rows among themselves, then each host's own behind them."""
    for name in ("", *site.hosts):
        known = [row for row in site.routes if row.host in ("", name)]
        own = {row.id for row in known if row.host == name}
        rows = [row for row in known if row.path is not None and row.mapping == "decoded"]
        # What a regular expression takes nobody can tell, so an exception may be for it.
        regexes = any(row.path is None and row.enabled and not row.except_ for row in known)
        if own:
            found = (*_order(rows), *(() if regexes else _exceptions(rows)))
            yield from (each for each in found if each.address[1] in own)


def _order(routes: Sequence[Route]) -> Iterator[Problem]:
    """Rows that an earlier row leaves nothing to. A row whose prefix itself is taken is taken whole."""
    prefixes = [_prefix(row) if row.enabled else None for row in routes]
    top = index(prefixes)
    for number, (row, prefix) in enumerate(zip(routes, prefixes, strict=True)):
        if prefix is None:
            continue
        earlier = first(top, prefix)
        if earlier == number:
            continue
        above, address = routes[earlier], ("routes", row.id, "path")
        if row.except_ and not above.except_:
            yield warning(
                address,
                f'the exception stands below what it excepts: route {above.id} ("{above.path}") takes its paths first',
                f"move it above {above.id}",
            )
        elif prefixes[earlier] == prefix:
            what = f'route {above.id} above has the same path "{above.path}", so this row never gets a request'
            yield warning(address, what, "remove one of the two, or give it another path")
        else:
            what = f'route {above.id} above ("{above.path}") takes everything below "{row.path}"'
            yield warning(address, f"{what}, so this row never gets a request", f"move it above {above.id}")


def _exceptions(routes: Sequence[Route]) -> Iterator[Problem]:
    """Exceptions that except nothing, or less than their authors may think."""
    enabled = [(number, row, _prefix(row)) for number, row in enumerate(routes) if row.enabled]
    takers = {prefix.rstrip(b"/"): number for number, row, prefix in enabled if not row.except_}
    inside = sorted((prefix + b"/", number) for prefix, number in takers.items())
    excepted = sorted(_prefix(row) for _, row, _ in enabled if row.except_)
    top = index([_prefix(row) if row.enabled else None for row in routes])
    for number, row, prefix in enabled:
        if not row.except_ or first(top, prefix) != number:
            continue
        bare = prefix.rstrip(b"/")
        if not _later(takers, inside, bare, number):
            what = f'no route below takes anything of "{row.path}", so there is nothing to except'
            yield warning(("routes", row.id), what, "remove the exception, or move it above the route that it is for")
            continue
        stem = bare.rpartition(b"/")[2].decode("latin-1").lower()
        if stem in STEMS and prefix == bare and not _next_starts_with(excepted, bare + b"."):
            taker = next(
                (below for below in routes[number + 1 :] if below.enabled and takes(_prefix(below), prefix + b".php")),
                None,
            )
            if taker is not None and not taker.except_:
                yield warning(
                    ("routes", row.id, "path"),
                    f'"{row.path}" does not cover {row.path}.php or {row.path}.html: a path matches by whole segments, '
                    f"so route {taker.id} takes those",
                    "add an exception for each of them, if they are meant too",
                )


def _later(takers: dict[bytes, int], inside: list[tuple[bytes, int]], bare: bytes, number: int) -> bool:
    """Whether a forwarding row below ``number`` has paths in common with the exception: one holds the other."""
    above = bare
    while above:
        if takers.get(above, -1) > number:
            return True
        above = above.rpartition(b"/")[0]
    if takers.get(b"", -1) > number:
        return True
    place = bisect_left(inside, (bare + b"/",))
    while place < len(inside) and inside[place][0].startswith(bare + b"/"):
        if inside[place][1] > number:
            return True
        place += 1
    return False


def _next_starts_with(ordered: list[bytes], start: bytes) -> bool:
    place = bisect_left(ordered, start)
    return place < len(ordered) and ordered[place].startswith(start)


def _prefix(row: Route) -> bytes:
    return collapsed(as_bytes_text(row.path or "").encode("latin-1"))


def _balancer(site: Site, name: str, group: Balancer) -> Iterator[Problem]:
    address = ("balancers", name)
    routed = any(_names(row, name) for row in site.routes)
    if not routed and name not in balancers_used(site):
        yield warning(address, f"no route uses balancer {name}", f'use it: proxy = "balancer://{name}", or remove it')
    if not group.members:
        todo = f'add one: [balancers.{name}.members.a] with url = "http://127.0.0.1:8000"'
        yield warning(address, f"balancer {name} has no member: its requests are answered 503", todo)
    elif not any(member.status == "enabled" and int(member.weight * 100) for member in group.members.values()):
        what = f"balancer {name} has no member that takes requests: they are answered 503"
        yield warning(address, what, "enable a member, or give one a weight")
    for key, member in group.members.items():
        yield from _member(site, (*address, "members", key, "url"), member)


def _names(row: Route, name: str) -> bool:
    """Whether a row sends to the balancer."""
    if row.proxy is None or balancer(row.proxy) is None:
        return False
    return destination(row)[0] == name


def _member(site: Site, address: Address, member: Member) -> Iterator[Problem]:
    yield from _upgrade((*address[:-1], "upgrade"), member.upgrade)
    try:
        there = origin(member.url)
    except ValueError as reason:
        yield error(address, str(reason), 'write "http://host:port"')
        return
    yield from _loop(site, address, there)
    yield from _escapes(address, there.path)
    if there.path.endswith("/"):
        what = f"the member's path ends in a slash: /x is sent as {there.path}/x"
        yield warning(address, what, f'write "{member.url.rstrip("/")}"')
