"""Routes for Apache: one list becomes three, which httpd asks one after the other.

mod_proxy is asked before mod_alias, and in mod_alias redirects before folders, wherever they stand. A redirect or
folder that stands above a row that forwards the same paths gets an exception in its place, which leaves the paths to
it. httpd asks a host's redirects before the main server's, a site the other way round: where both may take a path,
hosts get copies (``routing`` does the same when it imports). What reverse = "auto" does by itself becomes rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec.structs import replace

from proxy_core.apache.draft import unique
from proxy_core.apache.export_balancers import connect_timeout
from proxy_core.apache.export_lost import Lose
from proxy_core.apache.export_words import Lines, line, number, off, span, word
from proxy_core.config.destination import destination
from proxy_core.config.folders import serves_files
from proxy_core.config.model import Host, Location, Redirection, ReverseRule, Route, Site
from proxy_core.http.target import as_bytes_text, balancer, escaped, origin
from proxy_core.rules.rewriting import flags
from proxy_core.rules.rewriting.flags import is_redirect
from proxy_core.rules.routing.reverse import effective_target

DOTTED = r"/\.(?!well-known(?:/|$))"
"""Paths of files that a site never serves and Apache would."""


def plain(site: Site, lose: Lose) -> Site:
    """Routes as Apache can say them."""
    site = replace(site, routes=tuple(_row(row, lose) for row in site.routes))
    site = _reversed(site, lose)
    _order_of_last(_by_host(site, site.routes), lose)
    rows = [*site.routes]
    if serves_files(site) and not any(row.path_regex == DOTTED for row in rows):
        # it stands behind all else of the main server, so that it never takes what is forwarded
        at = max((number + 1 for number, row in enumerate(rows) if not row.host), default=0)
        rows.insert(at, Route(id="dotted", path_regex=DOTTED, redirect=Redirection(status=404)))
    return _parted(replace(site, routes=tuple(_excepted(_by_host(site, rows)))))


def _by_host(site: Site, rows: Iterable[Route]) -> list[Route]:
    """Rows in the order in which they are tried: the main server's first."""
    rows = list(rows)
    return [row for host in ("", *site.hosts) for row in rows if row.host == host]


def _row(row: Route, lose: Lose) -> Route:
    at = ("routes", row.id)
    for key in ("preserve_host", "error_override", "override_codes", "max_body"):
        if getattr(row, key) not in (None, ()):
            lose((*at, key), "Apache has it for a <Location>: write a row of [[locations]]")
    row = replace(row, preserve_host=None, error_override=None, override_codes=(), max_body=None)
    if row.redirect is not None and not is_redirect(row.redirect.status):
        row = replace(row, redirect=replace(row.redirect, to=""))
    if row.proxy is None:
        return replace(row, timeout=None, upgrade=(), nocanon=False, interpolate=False)
    if balancer(row.proxy) is not None:
        if row.timeout is not None or row.upgrade:
            lose((*at, "timeout" if row.timeout else "upgrade"), "its members have it: say it there")
        row = replace(row, timeout=None, upgrade=())
    elif row.path is not None and row.path.endswith("/") and not destination(row)[1]:
        row = replace(row, proxy=f"{row.proxy}/")
    if row.timeout is not None and not float(row.timeout).is_integer():
        row = replace(row, timeout=float(max(1, round(row.timeout))))
        lose((*at, "timeout"), "Apache counts whole seconds here")
    if len(row.upgrade) > 1:
        lose((*at, "upgrade"), "Apache takes one protocol, or ANY")
    return replace(row, upgrade=row.upgrade[:1], nocanon=row.nocanon and row.mapping == "decoded")


def _reversed(site: Site, lose: Lose) -> Site:
    """What reverse = "auto" does, as rows, behind those that are there."""
    if site.site.reverse == "off":
        return site
    rows = list(site.reverse)
    locations = list(site.locations)
    for row in site.routes:
        if row.proxy is None or not row.enabled:
            continue
        public, internal = _both(row, row.proxy)
        if not internal:
            continue
        rows.append(ReverseRule(host=row.host, internal=internal, public=public))
        path = re.sub(r"^\w+://[^/]*", "", internal)
        if row.path is not None and path != public:
            name = unique(f"{row.id}-cookies", [each.id for each in locations])
            locations.append(Location(id=name, host=row.host, path=row.path))
            inside, outside = (each.rstrip("/") or "/" for each in (path, public))
            rows.append(ReverseRule(host=row.host, location=name, kind="cookie_path", internal=inside, public=outside))
    for rule in site.rewrites:
        if not rule.enabled or not flags.parse(rule.flags).proxy:
            continue
        there = re.match(r"(?:https?|wss?|balancer)://[^/$%{\\]+(?=[/?]|\Z)", rule.substitution)
        if there is None:
            why = f"{rule.id} finds its target at each request: write a row of [[reverse]] for each that it may find"
            lose(("site", "reverse"), why)
        else:
            url = there[0] if there[0].startswith("balancer:") else _http(there[0])
            rows.append(ReverseRule(host=rule.host, internal=f"{url}/", public="/"))
    kept = {(row.host, row.location, row.kind, row.internal, row.public): row for row in reversed(rows)}
    first = tuple(reversed(kept.values()))
    return replace(site, site=replace(site.site, reverse="off"), reverse=first, locations=tuple(locations))


def _both(row: Route, proxy: str) -> tuple[str, str]:
    """The public and the internal address of a route; the internal one is empty where nobody can undo what it does."""
    if row.path is not None:
        public = row.path
    else:
        regex = row.path_regex or ""
        for whole in ("$0", "$1") if regex.startswith("^(/") and regex.endswith(")$") else ("$0",):
            proxy = proxy.removesuffix(whole)
        if {"$", "\\"} & {*proxy}:
            return "", ""
        public, proxy = "/", proxy.rstrip("/") + "/"
    named = balancer(proxy)
    if named is not None:
        base, path = f"balancer://{named[0]}", named[1]
    else:
        base, path = _http(proxy), origin(proxy).path
    return _spelled(public), base + _spelled(effective_target(public, path))


def _http(url: str) -> str:
    there = origin(url)
    return f"{there.transport}://{there.authority}"


def _spelled(path: str) -> str:
    return escaped(as_bytes_text(path)).decode("ascii")


def _is_last(row: Route) -> bool:
    return row.redirect is not None or row.folder is not None


def _overlap(one: Route, other: Route) -> bool:
    """Whether there may be paths that both rows take."""
    here, there = ((row.path or "/").rstrip("/") + "/" for row in (one, other))
    return here.startswith(there) or there.startswith(here)


def _excepted(rows: Sequence[Route]) -> list[Route]:
    """Redirects and folders behind what forwards, of each host; with exceptions where they stood above it."""
    found: list[Route] = []
    last: list[Route] = []
    names = [row.id for row in rows]
    for place, row in enumerate(rows):
        if last and last[-1].host != row.host:
            found += _redirects_first(last)
            last = []
        if not _is_last(row):
            found.append(row)
            continue
        last.append(row)
        below = (each for each in rows[place + 1 :] if each.enabled and (not row.host or each.host == row.host))
        if row.enabled and any(each.proxy is not None and _overlap(row, each) for each in below):
            name = unique(f"{row.id}-except", names)
            names.append(name)
            found.append(Route(id=name, host=row.host, path=row.path, path_regex=row.path_regex, except_=True))
    return found + _redirects_first(last)


def _redirects_first(rows: Iterable[Route]) -> list[Route]:
    return sorted(rows, key=lambda row: row.redirect is None)


def _order_of_last(rows: Sequence[Route], lose: Lose) -> None:
    folders = [row for row in rows if row.folder is not None and row.enabled]
    for folder in folders:
        for row in rows[rows.index(folder) + 1 :]:
            inside = row.path is not None and (row.path.rstrip("/") + "/").startswith(
                (folder.path or "/").rstrip("/") + "/"
            )
            if row.redirect is not None and row.host in ("", folder.host) and _overlap(folder, row) and not inside:
                lose(("routes", folder.id), f"Apache asks redirects first, so {row.id} has its paths")


def _parted(site: Site) -> Site:
    """Redirects and folders of the main server, given to the hosts where these may take the same paths."""
    last = [row for row in site.routes if _is_last(row) and not row.host]
    own = [row for row in site.routes if row.host and row.enabled]
    if not any(row.enabled and _overlap(row, each) for row in last for each in own):
        return site
    hosts = dict(site.hosts)
    alone = unreached(site)
    if alone:
        hosts[unique("main", hosts)] = Host(listeners=alone)
    names = [row.id for row in site.routes]
    routes = [row for row in site.routes if not row.host and not _is_last(row)]
    for host in hosts:
        mine = [row for row in site.routes if row.host == host]
        copies = []
        for row in last:
            names.append(unique(row.id, names))
            copies.append(replace(row, id=names[-1], host=host))
        routes += [row for row in mine if not _is_last(row)]
        routes += _redirects_first([*copies, *(row for row in mine if _is_last(row))])
    return replace(site, hosts=hosts, routes=tuple(routes))


def unreached(site: Site) -> tuple[str, ...]:
    """Listeners that lead to no host."""
    return tuple(
        name
        for name in site.listeners
        if not any(name in host.listeners or not host.listeners for host in site.hosts.values())
    )


def lines(site: Site, rows: Iterable[Route], folder: Path) -> Lines:
    """The rows of one server. Raises Unsayable."""
    rows = tuple(rows)
    found: Lines = ["ProxyPassInterpolateEnv On"] if any(row.interpolate for row in rows) else []
    for row in rows:
        said = _line(site, row, folder)
        found += [said] if row.enabled else off([said])
    return found


def _line(site: Site, row: Route, folder: Path) -> str:
    match = "Match" if row.path is None else ""
    taken = row.path if row.path is not None else row.path_regex or ""
    if row.redirect is not None:
        to = [row.redirect.to] if row.redirect.to else []
        return line(f"Redirect{match}", str(row.redirect.status), taken, *to)
    if row.folder is not None:
        place = str((folder / row.folder).absolute())
        return line("Alias", taken, place + "/" * (taken.endswith("/") and not place.endswith("/")))
    words = [word(taken), word(row.proxy or "!")]
    if row.nocanon:
        words.append("nocanon")
    if row.interpolate:
        words.append("interpolate")
    if row.mapping != "decoded":
        words.append(f"mapping={row.mapping}")
    if row.timeout is not None:
        words.append(f"timeout={number(row.timeout)}")
    if row.upgrade:
        words.append(f"upgrade={row.upgrade[0]}")
    wait = connect_timeout(site)
    if row.proxy is not None and wait is not None and balancer(row.proxy) is None:
        words.append(f"connectiontimeout={span(wait)}")
    return " ".join([f"ProxyPass{match}", *words])
