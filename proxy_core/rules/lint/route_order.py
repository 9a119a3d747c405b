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
