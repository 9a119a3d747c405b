"""Routes that never get a request, and exceptions that except nothing or less than their authors may think.

Rows are tried in file order and match by whole segments, so an earlier row may leave nothing to a later one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from proxy_core.config.model import Route, Site
from proxy_core.errors import Problem
from proxy_core.http.target import as_bytes_text
from proxy_core.rules.lint.problems import warning
from proxy_core.rules.routing.prefixes import collapsed, first, index, takes

STEMS = {"admin", "default", "home", "index", "info", "install", "login", "logout", "main", "setup", "status", "test"}
"""Names of which people think without the extension: "/service/index" for /service/index.php."""


def lint_order(site: Site) -> Iterator[Problem]:
    """The server's rows among themselves, then each host's own behind them, as requests to the host meet them."""
    rows = [row for row in site.routes if not row.location]
    shared = [row for row in rows if row.host == ""]
    yield from _order(shared, "")
    # What the server's rows except, they may except for a host.
    yield from _exceptions([*shared, *(row for row in rows if row.host)], "")
    for name in site.hosts:
        if own := [row for row in rows if row.host == name]:
            yield from _order([*shared, *own], name)
            yield from _exceptions([*shared, *own], name)


def _plain(rows: Sequence[Route]) -> list[Route]:
    return [row for row in rows if row.path is not None and row.mapping == "decoded"]


def _order(rows: Sequence[Route], host: str) -> Iterator[Problem]:
    """Rows of a host that an earlier row leaves nothing to. A row whose prefix itself is taken is taken whole."""
    routes = _plain(rows)
    prefixes = [_prefix(row) if row.enabled else None for row in routes]
    top = index(prefixes)
    takers = index([None if row.except_ else prefix for row, prefix in zip(routes, prefixes, strict=True)])
    answering = index([prefix if _answers(row) else None for row, prefix in zip(routes, prefixes, strict=True)])
    unclear = any(row.except_ and row.path is None and row.enabled for row in rows)
    for number, (row, prefix) in enumerate(zip(routes, prefixes, strict=True)):
        if prefix is None or row.host != host:
            continue
        earlier = first(takers if _answers(row) else top, prefix)
        if _answers(row) and routes[earlier].proxy is not None:
            # What is excepted goes on to the first row below that answers here.
            excepted = (each for row, each in zip(routes[:earlier], prefixes, strict=False) if row.except_ and each)
            if unclear or any(takes(each, prefix) or takes(prefix, each) for each in excepted):
                earlier = first(answering, prefix)
        if earlier == number:
            continue
        above, address = routes[earlier], ("routes", row.id, "path")
        if row.except_ and not above.except_:
            where = f'route {above.id} ("{above.path}") takes its paths first'
            if above.proxy is None:
                what = f"only what is forwarded can be excepted: {where}, and forwards nothing"
                yield warning(address, what, "remove the exception")
            else:
                what = f"the exception stands below what it excepts: {where}"
                yield warning(address, what, f"move it above {above.id}")
        elif prefixes[earlier] == prefix:
            what = f'route {above.id} above has the same path "{above.path}", so this row never gets a request'
            yield warning(address, what, "remove one of the two, or give it another path")
        else:
            what = f'route {above.id} above ("{above.path}") takes everything below "{row.path}"'
            yield warning(address, f"{what}, so this row never gets a request", f"move it above {above.id}")


def _answers(row: Route) -> bool:
    """Whether it answers here: no exception keeps requests from it."""
    return row.redirect is not None or row.folder is not None


def _exceptions(rows: Sequence[Route], host: str) -> Iterator[Problem]:
    """Exceptions of a host that except nothing, or less than their authors may think."""
    if any(row.path is None and row.enabled and not row.except_ for row in rows):
        return  # what a regular expression takes nobody can tell, so an exception may be for it
    routes = _plain(rows)
    enabled = [(number, row, _prefix(row)) for number, row in enumerate(routes) if row.enabled]
    takers = {prefix.rstrip(b"/"): number for number, row, prefix in enabled if not row.except_}
    inside = sorted((prefix + b"/", number) for prefix, number in takers.items())
    excepted = sorted(_prefix(row) for _, row, _ in enabled if row.except_)
    top = index([_prefix(row) if row.enabled else None for row in routes])
    for number, row, prefix in enabled:
        if not row.except_ or row.host != host or first(top, prefix) != number:
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
