"""Reverse mapping: an upstream's own address in its answers becomes the address that the client used.

Without it a redirect from an upstream leads the client round the proxy, or nowhere. The rows are what an Apache
operator would write as ProxyPassReverse, one for each way that an upstream may spell its own address; the mapping is
``ap_proxy_location_reverse_map`` in modules/proxy/proxy_util.c. It is meant for Location, Content-Location, URI and
Destination; relative values mean the same on both sides and pass as they are.
"""

from __future__ import annotations

from functools import lru_cache

from proxy_core.config.model import Balancer, Route, Site
from proxy_core.http.target import PORTS, Origin, as_bytes_text, balancer, escaped, origin
from proxy_core.rules.decision import ReverseRow


def reverse_rows(site: Site, route: Route) -> tuple[ReverseRow, ...]:
    """The rows for answers to this route: one origin for a plain URL, every member's for a balancer.

    Empty for exceptions and where the site says reverse = "off". URLs that do not parse are left to ``lint``.
    """
    if site.site.reverse == "off" or route.proxy is None:
        return ()
    prefix, proxy = (route.path, route.proxy) if route.path is not None else _whole_paths(route, route.proxy)
    if prefix is None:
        return ()
    pool = balancer(proxy)
    if pool is None:
        there = origin(proxy)
        targets = [(there, effective_target(prefix, there.path))]
    else:
        name, path = pool
        group = site.balancers.get(name, Balancer())
        below = effective_target(prefix, path)
        targets = [(there, there.path + below) for there in (origin(member.url) for member in group.members.values())]
    public = _spelled(prefix)
    rows = [ReverseRow(start + _spelled(target), public) for there, target in targets for start in _spellings(there)]
    return tuple(dict.fromkeys(rows))


def rule_rows(site: Site, pool: str) -> tuple[ReverseRow, ...]:
    """The rows for answers to a rewrite rule that forwards to ``pool`` (a balancer's name or an origin): its members'
    own roots become ours, for nothing says which path of theirs stands for which of ours. An Apache operator writes
    ``ProxyPassReverse / http://member/`` for it."""
    if site.site.reverse == "off":
        return ()
    urls = [member.url for member in site.balancers[pool].members.values()] if pool in site.balancers else [pool]
    theirs = [(there, _spelled(there.path + "/")) for there in map(origin, urls)]
    return tuple(dict.fromkeys(ReverseRow(start + path, "/") for there, path in theirs for start in _spellings(there)))


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
def _spellings(there: Origin) -> tuple[str, ...]:
    """The ways to write an origin, as http or https even where it is ws or wss; the longer comes first, for the shorter
    is a prefix of it."""
    url = f"{there.transport}://{there.authority}"
    if there.port == PORTS[there.scheme]:
        return f"{url}:{there.port}", url
    return (url,)


def mapped(value: str, rows: tuple[ReverseRow, ...], base: str) -> str:
    """The value of a Location and the like as the client must see it; ``base`` is ``scheme://host`` that it used.

    The first row whose ``internal`` the value starts with counts, compared without case and without regard to
    segments, as in Apache; the rest of the value is appended to ``public``. What no row takes stays as it is.
    """
    folded = value.lower()
    for internal, public in rows:
        if folded.startswith(internal.lower()):
            return base + public + value[len(internal) :]
    return value
