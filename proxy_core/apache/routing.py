"""Which row takes a path first: routes in the order in which httpd asks its modules and merges its servers.

``merge_proxy_config`` puts the main server's ProxyPass before a host's, ``merge_alias_config`` a host's Redirect and
Alias before the main server's; mod_proxy is asked before mod_alias. In a site rows without a host come before a host's
own, so where that would be another order, each host gets its own copy.
"""

from __future__ import annotations

from collections.abc import Iterable

from proxy_core.apache.draft import Block, Draft, Row, Server, block, unique


def routes(draft: Draft, uncovered: list[str]) -> tuple[list[Block], list[Block]]:
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
    itself = Server(name=unique("main", [server.name for server in draft.hosts])) if uncovered else None
    blocks = []
    for server in (*draft.hosts, *([itself] if itself is not None else [])):
        both = (main, server)
        located = [row for each in both for row in each.located]
        rows = (*reversed(located), *(row for each in both for row in each.routes), *last(*reversed(both)))
        blocks += [block("routes", server, row) for row in reached_rows(rows)]
    return blocks, [Block(("hosts", itself.name), {"listeners": uncovered})] if itself is not None else []


def last(*servers: Server) -> list[Row]:
    """Redirects and folders of servers, the more special server first."""
    return [
        *(row for server in servers for row in server.redirects),
        *(row for server in servers for row in reversed(server.located_aliases)),
        *(row for server in servers for row in server.aliases),
    ]


def _must_copy(draft: Draft) -> bool:
    """Whether rows of the main server without a host would take what is a host's."""
    main, of_hosts = draft.main, draft.hosts
    if any(server.located for server in (main, *of_hosts)) and any(
        server.routes or server.located or last(server) for server in of_hosts
    ):
        return True
    own = [row for server in of_hosts for row in (*server.routes, *last(server))]
    return any(overlap(mine, row) for mine in last(main) for row in own)


def overlap(one: Row, other: Row) -> bool:
    """Whether there may be paths that both rows take."""
    here, there = (str(row.content.get("path", "/")).rstrip("/") + "/" for row in (one, other))
    return here.startswith(there) or there.startswith(here)


def reached_rows(rows: Iterable[Row]) -> list[Row]:
    """The rows up to one that takes every path; exceptions above it leave paths to redirects and folders below."""
    kept: list[Row] = []
    for row in rows:
        if kept and kept[-1].content.get("path") == "/" and not any("except" in each.content for each in kept):
            break
        kept.append(row)
    return kept
