"""The requests that a site is asked with, made of its own rules: for each row what it takes, what it just does not, and
every spelling in which its path has ever walked round a guard.

They are the same for the same site. A request is in one line, as ``asking.raw`` reads it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from proxy_core.config.destination import destination
from proxy_core.config.model import RewriteRule, Route, Site
from proxy_core.control.conform.examples import example
from proxy_core.control.conform.moving import NOBODY
from proxy_core.http.target import origin
from proxy_core.rules.hosts import is_wild
from proxy_core.rules.rewriting.flags import FlagError, parse

MOST = 5000
"""Requests for one site."""


class Asking(Struct, frozen=True):
    """One request."""

    listener: str
    """The name of the listener that is asked."""
    name: str
    """The host that it names, over TLS too."""
    line: str
    """The request without Host."""

    @property
    def request(self) -> str:
        """The whole request."""
        line, *fields = self.line.split(" | ")
        named = any(each.lower().startswith(("host:", "!host")) for each in fields)
        return " | ".join([line, *([] if named else [f"Host: {self.name}"]), *fields])


_HIT = ("", "/", "/x", "/x?y=1&z=%2F..%2f")
_BOUNDARY = ("x", ".html", "/x/", "-x/y")
_SPELLED = (
    "//x", "/./x", "/x/../y", "/x/%2e%2e/y", "/%2e%2e/x", "/../x", "/..%2fx", "/a%2Fb", "/a%20b", "/a%00b", "/x;v=1",
    "/%7Eme", "/\\x", "/x%5Cy", "/%C3%A4", "/%c3%a4", "/x%3Fy", "/%25", "/[x]", "/..;/x", "/.", "/..", "/%zz", "/x?",
    "/.hidden", "/x%0ay", "/a|b^c", "/x..y", "/x./y", "/x/" + "a/" * 1500,
)  # fmt: skip
_UPGRADE = (
    "Upgrade: websocket | Connection: upgrade | Sec-WebSocket-Version: 13 | Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
)
_REQUESTS = (
    "HEAD {0}/x", "POST {0}/x | > a=b", "PUT {0}/x | > {{}}", "OPTIONS {0}/x", "DELETE {0}/x", "TRACE {0}/x",
    "PATCH {0}/x | > {{}}", "X-OWN {0}/x", "GET http://{1}{0}/x", "GET {0}/x HTTP/1.0", "GET {0}/x | Host: {1}:8080",
    "GET {0}/x | X-Forwarded-For: 6.6.6.6 | X-Real-IP: 6.6.6.6 | Forwarded: for=6.6.6.6",
    "GET {0}/x | X-Forwarded-Proto: https | X-Forwarded-Host: evil | X-Forwarded-Port: 1",
    "GET {0}/x | X_Forwarded_For: 6.6.6.6", "GET {0}/x | Proxy: evil | Keep-Alive: 5 | TE: trailers",
    "GET {0}/x | Connection: X-Mine | X-Mine: 1", "GET {0}/x | Accept: a | Accept: b", "GET {0}/x | Max-Forwards: 0",
    f"GET {{0}}/x | {_UPGRADE}",
    "GET {0}/x | Cookie: a=1; b=2 | Referer: http://x/",
    "POST {0}/x | Transfer-Encoding: chunked | > 3⏎abc⏎0⏎⏎", "POST {0}/x | Expect: 100-continue | > abc",
)  # fmt: skip
_ANSWERS = (
    "X-Status: 404 No", "X-Status: 500 Oh", "X-Status: 503 Busy",
    "X-Status: 401 Who | X-Say-1: WWW-Authenticate: Basic",
    "X-Status: 302 Found | X-Say-1: Location: {0}{1}/there?a=b", "X-Status: 302 Found | X-Say-1: Location: {0}/else",
    "X-Status: 302 Found | X-Say-1: Location: http://other.example{1}/there",
    "X-Status: 301 Moved | X-Say-1: Location: {1}/there", "X-Say-1: Content-Location: {0}{1}/there",
    "X-Say-1: Set-Cookie: a=b; Path={1}; HttpOnly", "X-Say-1: Set-Cookie: a=b; Path={1}/x; Domain={2}",
    "X-Say-1: Set-Cookie: a=b; path=/; Max-Age=9", "X-Say-1: Set-Cookie: a=b; Path=/other; Path={1}",
    "X-Say-1: Keep-Alive: timeout=5 | X-Say-2: X-Frame-Options: SAMEORIGIN | X-Say-3: X-Powered-By: y",
    "X-Status: 204 None", "X-Status: 304 Same | X-Say-1: ETag: \"x\"",
)  # fmt: skip


_TARGET = re.compile(r"[A-Z-]+ (?:/|\*|http://)").match
"""What asks for something that a site could have: no slash in front is refused before anything is decided."""


def questions(site: Site, most: int = MOST) -> tuple[list[Asking], int]:
    """The requests, evenly taken where there are more than ``most``, and how many were left out."""
    made = list(dict.fromkeys(each for each in _all(site) if _TARGET(each.line)))
    if len(made) <= most:
        return made, 0
    step = len(made) / most
    return [made[int(number * step)] for number in range(most)], len(made) - most


_FEWER = 9
"""One in so many is asked again by another name of a host, and at another listener."""


def _all(site: Site) -> Iterator[Asking]:
    known = set[str]()
    for listener in site.listeners:
        for name, host in _names(site, listener):
            lines = list(_lines(site, host, name))
            yield from (Asking(listener, name, line) for line in (lines[::_FEWER] if host in known else lines))
            known.add(host)


def _names(site: Site, listener: str) -> Iterator[tuple[str, str]]:
    """Names that requests may have, each with the host that it is for; the first of a host is asked everything."""
    reached = [key for key, host in site.hosts.items() if not host.listeners or listener in host.listeners]
    if not reached:
        yield "a.test", ""
    for key in reached:
        host = site.hosts[key]
        for number, each in enumerate(dict.fromkeys((*host.names, *([host.server_name] if host.server_name else [])))):
            plain = each.partition(":")[0].replace("*", "x").replace("?", "a").strip(".")
            yield (plain if number == 0 or is_wild(each) else plain.upper()), key
    if reached:
        yield "nobody.test", reached[0]


def _lines(site: Site, host: str, name: str) -> Iterator[str]:
    yield from (f"GET {path}" for path in ("/", "/index.html", "/nowhere", "/.well-known/x", "//", "/%2e%2e", "*"))
    yield from ("OPTIONS *", "GET / | !Host", "GET / | Host: ", f"GET / | Host: {name}.")
    for row in site.routes:
        if row.enabled and row.host in ("", host) and (path := _path_of(row.path, row.path_regex)) is not None:
            yield from _of_path(path, row.path_regex is None, name)
            if row.proxy is not None:
                yield from _answers(site, row, path)
    for place in site.locations:
        if place.enabled and place.host in ("", host) and (path := _path_of(place.path, place.path_regex)) is not None:
            yield from _of_path(path, place.path_regex is None, name)
    for rule in site.rewrites:
        if rule.enabled and rule.host in ("", host):
            yield from _of_rule(rule, name)
    yield from _of_variables(site, host)


def _of_variables(site: Site, host: str) -> Iterator[str]:
    """A path of each route, with each field that some row of [[env]] or [[headers]] looks for."""
    routes = [each for each in site.routes if each.enabled and each.host in ("", host) and each.path is not None]
    said: list[str] = []
    for row in site.env:
        field, found = _FIELD(row.from_), example(row.capture or "x", row.nocase)
        if field is not None and found is not None and re.fullmatch(r"[ -~]*", found):
            said.append(f" | {_NAMES.get((field[1] or '').upper(), field[2])}: {found}")
    for header in site.headers:
        of_query = re.search(r"%\{QUERY_STRING\} =~ /(.*)/", header.expr)
        if of_query is not None and (found := example(of_query[1].replace(r"\/", "/"))) is not None:
            said.append("?" + re.sub(r"[^!-~]|\#", "", found))
    for start in ((each.path or "").rstrip("/") for each in routes):
        yield from (f"GET {start}/x{each}" for each in dict.fromkeys(said))


def _path_of(prefix: str | None, regex: str | None) -> str | None:
    if prefix is not None:
        return prefix if prefix.isascii() and prefix.isprintable() and " " not in prefix else None
    found = example(regex or "")
    if found is None or re.search(r"[^!-~]|[?#]", found):
        return None
    return found if found.startswith("/") else f"/{found}"


def _of_path(path: str, below: bool, name: str) -> Iterator[str]:
    start = path.rstrip("/")
    yield f"GET {path}"
    yield from (f"GET {start}{each}" for each in (*_HIT, *_BOUNDARY, *_SPELLED) if start + each)
    yield from (f"GET {path}{each}" for each in _BOUNDARY)
    yield from (
        f"GET {each}" for each in (start.upper(), f"/{path}", f"/x/..{path}", f"/.{path}", f"/x//..{path}") if each
    )
    if len(start) > 1:
        yield f"GET /%{ord(start[1]):02x}{start[2:]}/x"
        yield f"GET {start[:-1]}%{ord(start[-1]):02X}"
        yield f"GET {start[:-1]}"
    yield from (each.format(start, name) for each in _REQUESTS)


def _answers(site: Site, row: Route, path: str) -> Iterator[str]:
    """What members may say that is mapped back, or hidden."""
    pool, inside = destination(row)
    start = path.rstrip("/") or ""
    group = site.balancers.get(pool or "")
    if group is not None and group.sticky is not None:
        routes = [each.route or name for name, each in group.members.items() if each.status == "enabled"]
        values = [f"x{group.sticky.separator or '.'}{each}" for each in (*routes, NOBODY)]
        yield from (f"GET {start}/x | Cookie: a=b; {group.sticky.cookie or 'x'}={each}" for each in (*values, "odd"))
    urls = [pool] if pool and "://" in pool else [each.url for each in site.balancers[pool or ""].members.values()]
    inside = re.sub(r"[$\\].*", "", inside).rstrip("/")
    for url in urls[:2]:
        there = origin(url)
        base = "" if there.host.startswith("unix:") else f"http://{there.authority}"
        host = "app" if there.host.startswith("unix:") else there.host
        yield from (f"GET {start}/x | {each.format(base, inside, host)}" for each in _ANSWERS)


def _of_rule(rule: RewriteRule, name: str) -> Iterator[str]:
    """A path that a rule takes, with and without what its conditions ask for."""
    try:
        nocase = parse(rule.flags).nocase
    except FlagError:
        return
    path = example(rule.pattern.removeprefix("!"), nocase)
    if path is None or re.search(r"[^!-~]|[?#]", path):
        path = "/rule"
    path = path if path.startswith("/") else f"/{path}"
    fields: list[str] = []
    query, method = "", "GET"
    for condition in rule.conditions:
        found = example(condition.pattern.removeprefix("!").removeprefix("="))
        if found is None or re.search(r"[^ -~]", found) or condition.pattern.startswith("!"):
            continue
        test = condition.test.upper()
        if test == "%{QUERY_STRING}":
            query = "?" + found.replace(" ", "+").replace("#", "")
        elif test == "%{REQUEST_METHOD}" and re.fullmatch(r"[A-Z]+", found):
            method = found
        elif field := _FIELD(condition.test):
            fields.append(f"{_NAMES.get((field[1] or '').upper(), field[2])}: {found}")
    said = "".join(f" | {each}" for each in fields)
    host = next((each for each in fields if each.lower().startswith("host:")), "")
    yield from (f"{method} {path}{query}{said}", f"GET {path}", f"GET {path}{said}", f"GET {path}{query}")
    yield from (f"GET {path}{each}" for each in ("x", "/x", "/", "?a=b", "/../x", "%2e", "//x", "/..x", "..", "/a%20b"))
    yield from (f"POST {path}{query}{said} | > a=b", f"HEAD {path}{query}{said}", f"GET {path.upper()}{query}{said}")
    if not host:
        yield f"GET {path}?a=%20b&c=/..{said}"


_FIELD = re.compile(r"%\{(?:(HTTP_\w+)|HTTP:([\w-]+))\}", re.IGNORECASE).fullmatch
_NAMES = {"HTTP_HOST": "Host", "HTTP_COOKIE": "Cookie", "HTTP_USER_AGENT": "User-Agent", "HTTP_REFERER": "Referer",
          "HTTP_ACCEPT": "Accept"}  # fmt: skip
