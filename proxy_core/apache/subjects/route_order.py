"""Which row takes a path first: routes in the order in which httpd asks its modules and merges its servers.

``merge_proxy_config`` puts the main server's ProxyPass before a host's, ``merge_alias_config`` a host's Redirect and
Alias before the main server's; mod_proxy is asked before mod_alias. In a site rows without a host come before a host's
own, so where that would be another order, each host gets its own copy, on the way in and on the way out.

On the way out one list becomes three. A redirect or folder that stands above a row that forwards the same paths gets an
exception in its place, which leaves the paths to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from proxy_core.apache.blocks import Block, block
from proxy_core.apache.draft import DraftRow, DraftServer, SiteDraft, below, overlap, unique
from proxy_core.apache.report import Lose
from proxy_core.apache.subjects import reverse
from proxy_core.apache.subjects.hosts import by_host, unreached
from proxy_core.apache.subjects.routes import forwarded
from proxy_core.config.folders import serves_files
from proxy_core.config.model import Host, Redirection, Route, Site


def routes(draft: SiteDraft, uncovered: list[str]) -> tuple[list[Block], list[Block]]:
    """What takes a path, in httpd's order: a <Location>'s ProxyPass, the last <Location> first, the host's before the
    main server's; then ProxyPass, the main server's before the host's; then redirects and folders, the host's before
    the main server's. Where rows without a host, which come first, would say otherwise, each host gets all of them,
    and a host is made (the second list) of the main server for listeners that lead to no host."""
    main = draft.main
    if not draft.hosts or not _must_copy(draft):
        rows = (*reversed(main.located), *main.routes, *last(main))
        blocks = [block("routes", main, row) for row in rows]
        for server in draft.hosts:
            rows = (*reversed(server.located), *server.routes, *last(server))
            blocks += [block("routes", server, row) for row in rows]
        return blocks, []
    itself = DraftServer(name=unique("main", [server.name for server in draft.hosts])) if uncovered else None
    blocks = []
    for server in (*draft.hosts, *([itself] if itself is not None else [])):
        both = (main, server)
        located = [row for each in both for row in each.located]
        rows = (*reversed(located), *(row for each in both for row in each.routes), *last(*reversed(both)))
        blocks += [block("routes", server, row) for row in reached_rows(rows)]
    return blocks, [Block(("hosts", itself.name), {"listeners": uncovered})] if itself is not None else []


def last(*servers: DraftServer) -> list[DraftRow]:
    """Redirects and folders of servers, the more special server first."""
    return [
        *(row for server in servers for row in server.redirects),
        *(row for server in servers for row in reversed(server.located_aliases)),
        *(row for server in servers for row in server.aliases),
    ]


def _must_copy(draft: SiteDraft) -> bool:
    """Whether rows of the main server without a host would take what is a host's."""
    main, of_hosts = draft.main, draft.hosts
    if any(server.located for server in (main, *of_hosts)) and any(
        server.routes or server.located or last(server) for server in of_hosts
    ):
        return True
    own = [row for server in of_hosts for row in (*server.routes, *last(server))]
    return any(overlap(mine.content.get("path"), row.content.get("path")) for mine in last(main) for row in own)


def reached_rows(rows: Iterable[DraftRow]) -> list[DraftRow]:
    """The rows up to one that takes every path; exceptions above it leave paths to redirects and folders below."""
    kept: list[DraftRow] = []
    for row in rows:
        if kept and kept[-1].content.get("path") == "/" and not any("except" in each.content for each in kept):
            break
        kept.append(row)
    return kept


DOTTED = r"/\.(?!well-known(?:/|$))"
"""Paths of files that a site never serves and Apache would."""


def plain(site: Site, lose: Lose) -> Site:
    """Routes as Apache can say them; those of sections, which have an order of their own, stand behind the others."""
    inside = tuple(forwarded(row, lose) for row in site.routes if row.location)
    site = replace(site, routes=tuple(forwarded(row, lose) for row in site.routes if not row.location))
    site = reverse.plain(site, lose)
    _order_of_last(by_host(site, site.routes), lose)
    rows = [*site.routes]
    if serves_files(site) and not any(row.path_regex == DOTTED for row in rows):
        # it stands behind all else of the main server, so that it never takes what is forwarded
        at = max((number + 1 for number, row in enumerate(rows) if not row.host), default=0)
        rows.insert(at, Route(id="dotted", path_regex=DOTTED, redirect=Redirection(status=404)))
    site = _parted(replace(site, routes=tuple(_excepted(by_host(site, rows)))))
    return replace(site, routes=(*site.routes, *inside))


def _is_last(row: Route) -> bool:
    return row.redirect is not None or row.folder is not None


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
        if row.enabled and any(each.proxy is not None and overlap(row.path, each.path) for each in below):
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
            inside = row.path is not None and below(row.path, folder.path or "/")
            if (
                row.redirect is not None
                and row.host in ("", folder.host)
                and overlap(folder.path, row.path)
                and not inside
            ):
                lose(("routes", folder.id), f"Apache asks redirects first, so {row.id} has its paths")


def _parted(site: Site) -> Site:
    """Redirects and folders of the main server, given to the hosts where these may take the same paths."""
    last = [row for row in site.routes if _is_last(row) and not row.host]
    own = [row for row in site.routes if row.host and row.enabled]
    if not any(row.enabled and overlap(row.path, each.path) for row in last for each in own):
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
