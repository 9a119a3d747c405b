"""Reverse mapping: an upstream's own address in its answers becomes the address that the client used.

Without it a redirect from an upstream leads the client round the proxy, or nowhere. The rows are what an Apache
operator would write as ProxyPassReverse, one for each way in which an upstream may spell its own address. The mapping
is ``ap_proxy_location_reverse_map`` in modules/proxy/proxy_util.c. It is for Location, Content-Location, URI and
Destination; relative values mean the same on both sides and pass as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

from proxy_core.config.destination import destination
from proxy_core.config.model import Balancer, ReverseRule, Route, Site
from proxy_core.http.target import PORTS, Origin, as_bytes_text, balancer, escaped, origin
from proxy_core.rules.decision import CookieRow, ReverseRow


def reverse_rows(site: Site, route: Route) -> tuple[ReverseRow, ...]:
    """The rows for answers to this route: one origin for a plain URL, every member's for a balancer.

    Empty for exceptions and where the site says reverse = "off". URLs that do not parse are left to ``lint``.
    """
    if site.site.reverse == "off" or route.proxy is None:
        return ()
    prefix, proxy = (route.path, route.proxy) if route.path is not None else _whole_paths(route, route.proxy)
    if prefix is None:
        return ()
    named = balancer(proxy)
    pool, path = named if named is not None else (proxy, origin(proxy).path)
    # balancer://name/ stands for its members as they are (ap_proxy_location_reverse_map drops the lone slash).
    lone = named is not None and path == "/" and not prefix.endswith("/")
    target = "" if lone else effective_target(prefix, path)
    public = _spelled(prefix)
    return _rows(_upstreams(site, pool), lambda upstream: (upstream.path if named is not None else "") + target, public)


def _upstreams(site: Site, pool: str) -> list[Origin]:
    """The members of a balancer, by its name, or the one origin of a URL."""
    group = site.balancers.get(pool, Balancer())
    return [origin(pool)] if "://" in pool else [origin(member.url) for member in group.members.values()]


def _rows(upstreams: Iterable[Origin], path: Callable[[Origin], str], public: str) -> tuple[ReverseRow, ...]:
    """A row for each spelling of each upstream, with the path that it has there."""
    rows = [ReverseRow(start + _spelled(path(each)), public) for each in upstreams for start in _spellings(each)]
    return tuple(dict.fromkeys(rows))


def rule_rows(site: Site, pool: str) -> tuple[ReverseRow, ...]:
    """The rows for answers to a rewrite rule that forwards to ``pool`` (a balancer's name or an origin): its members'
    own roots become ours, for nothing says which path of theirs stands for which of ours. An Apache operator writes
    ``ProxyPassReverse / http://member/`` for it."""
    if site.site.reverse == "off":
        return ()
    return _rows(_upstreams(site, pool), lambda upstream: upstream.path + "/", "/")


def _whole_paths(route: Route, proxy: str) -> tuple[str | None, str]:
    """Prefix and URL that stand for a regular expression which forwards the whole path; (None, "") where it changes
    the path, which nobody can undo."""
    regex = route.path_regex or ""
    for whole in ("$0", "$1") if regex.startswith("^(/") and regex.endswith(")$") else ("$0",):
        proxy = proxy.removesuffix(whole)
    return ("", proxy) if not {"$", "\\"} & {*proxy} else (None, "")


def effective_target(path: str, target: str) -> str:
    """What really replaces the prefix ``path`` when a URL's path is ``target``.

    A URL without any path stands for the root below a prefix that ends in a slash: "/" to "http://host" sends /x to
    /x. (Apache joins "http://host" and "x" and asks for the host "hostx"; nobody means that.)
    """
    return "/" if not target and path.endswith("/") else target


def _spelled(path: str) -> str:
    return escaped(as_bytes_text(path)).decode("ascii")


@lru_cache(4096)
def _spellings(upstream: Origin) -> tuple[str, ...]:
    """The ways to write an origin, as http or https even where it is ws or wss; the longer comes first, for the shorter
    is a prefix of it."""
    url = f"{upstream.transport}://{upstream.authority}"
    if upstream.port == PORTS[upstream.scheme]:
        return f"{url}:{upstream.port}", url
    return (url,)


def mapped(value: str, rows: tuple[ReverseRow, ...], base: str) -> str:
    """The value of a Location and the like as the client must see it; ``base`` is ``scheme://host`` that it used.

    The first row whose ``internal`` the value starts with counts, compared without case and without regard to
    segments, as in Apache; the rest of the value is appended to ``public``. What no row takes stays as it is.
    """
    folded = value.lower()
    path_at = _path_at(value)
    for internal, public in rows:
        at = path_at if internal.startswith("/") else 0
        if folded.startswith(internal.lower(), at):
            made = public + value[at + len(internal) :]
            return made if "://" in public else base + made
    return value


def _path_at(url: str) -> int:
    """Where the path of a URL begins; 0 for what is a path itself."""
    mark = url.find("://")
    slash = url.find("/", mark + 3) if mark >= 0 else 0
    return max(slash, 0)


def mapped_cookie(value: str, rows: tuple[CookieRow, ...]) -> str:
    """A Set-Cookie as the client must see it (``ap_proxy_cookie_reverse_map``): of two attributes of one name the last
    one counts, as it does for clients (RFC 6265 §5.3)."""
    attributes = value.split(";")
    counts = {attribute.partition("=")[0].lstrip(" \t").lower(): at for at, attribute in enumerate(attributes)}
    kept: list[str] = []
    for at, attribute in enumerate(attributes):
        name, equals, old = attribute.partition("=")
        kind = name.lstrip(" \t").lower()
        new = _cookie(kind, old, rows) if equals and kind in ("path", "domain") and counts[kind] == at else old
        if new or not old:
            kept.append(name + equals + new)
    return ";".join(kept)


def _cookie(kind: str, value: str, rows: tuple[CookieRow, ...]) -> str:
    for row in rows:
        if row.attribute != kind:
            continue
        if not row.rest:
            compared = (value, row.internal) if kind == "path" else (value.lower(), row.internal.lower())
            if compared[0].startswith(compared[1]):
                return row.public
        elif kind == "domain":
            if value.removeprefix(".").lower() == row.internal:
                return row.public
        elif value == row.internal or value.startswith(row.internal + "/"):
            return row.public + value[len(row.internal) :] or "/"
    return value


def explicit_rows(site: Site, rules: Iterable[ReverseRule]) -> tuple[tuple[ReverseRow, ...], tuple[CookieRow, ...]]:
    """What rows of [[reverse]] say, in their order."""
    addresses: list[ReverseRow] = []
    cookies: list[CookieRow] = []
    for rule in rules:
        internal, public = as_bytes_text(rule.internal), as_bytes_text(rule.public)
        named = balancer(internal)
        if rule.kind != "location":
            cookies.append(CookieRow("path" if rule.kind == "cookie_path" else "domain", internal, public))
        elif named is None:
            addresses.append(ReverseRow(internal, public))
        else:
            addresses += _of_members(site.balancers.get(named[0], Balancer()), named[1], public)
    return tuple(addresses), tuple(cookies)


def _of_members(group: Balancer, path: str, public: str) -> Iterator[ReverseRow]:
    """A balancer stands for the URL of each of its members, with the path behind it."""
    for member in group.members.values():
        url = as_bytes_text(member.url)
        if len(path) > 1:
            yield ReverseRow(url.removesuffix("/") + path, public)
            continue
        if public == "/":  # or its slash would be doubled
            yield ReverseRow(url + "/", public)
        yield ReverseRow(url, public)


def cookie_rows(site: Site, route: Route) -> tuple[CookieRow, ...]:
    """How the cookies of answers to a route are mapped back by reverse = "auto": a Path below its target to one below
    its prefix, a Domain that is the upstream's own to none, which stands for the name that the client used."""
    if site.site.reverse == "off" or route.proxy is None:
        return ()
    pool, path = destination(route)
    upstreams = _upstreams(site, pool or "")
    rows = [CookieRow("domain", each.host, "", rest=True) for each in upstreams]
    if route.path is not None:
        public = _spelled(route.path).rstrip("/")
        for each in upstreams:
            base = each.path if balancer(route.proxy) is not None else ""
            internal = _spelled(base + effective_target(route.path, path)).rstrip("/")
            if internal != public:
                rows.append(CookieRow("path", internal, public, rest=True))
    return tuple(dict.fromkeys(rows))
