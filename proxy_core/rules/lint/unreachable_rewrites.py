"""Rules that are never reached, and routes whose requests a rule has before they see them.

Both can be told only where a pattern says plainly what it takes: an anchored literal, with or without .* behind it.
Whatever is less plain is left alone, for a warning that is wrong costs more than one that is missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from proxy_core.config.model import RewriteRule, Route, Site
from proxy_core.errors import Problem
from proxy_core.http.target import as_bytes_text
from proxy_core.rules import hosts
from proxy_core.rules.lint.problems import warning
from proxy_core.rules.rewriting import flags
from proxy_core.rules.rewriting.flags import Flags
from proxy_core.rules.rewriting.urls import scheme_length
from proxy_core.rules.routing.prefixes import collapsed, takes
from proxy_core.rules.text import pattern

_WHOLE = re.compile(r"\^(?P<prefix>(?:[A-Za-z0-9/_~-]|\\\W)*)(?:\(?\.\*\)?\$?)?")


def _ends(row: RewriteRule, given: Flags) -> bool:
    """Whether nothing below is tried for a request that the rule takes."""
    return given.answers or given.proxy or given.last or given.end or given.passthrough


def tried(site: Site, host: str) -> tuple[RewriteRule, ...]:
    """The rules that a request to a host meets before it is known where it goes, in their order."""
    rows = [row for row in site.rewrites if row.enabled and not row.location]
    shared = [row for row in rows if not row.host]
    if host not in site.hosts:
        return tuple(shared)
    return hosts.rewrites_in_order(site.hosts[host], shared, [row for row in rows if row.host == host])


def _read(rows: Sequence[RewriteRule]) -> Iterator[tuple[RewriteRule, Flags, str]]:
    """Rules with their flags and what all paths begin with that they match; one that does not parse has an error of its
    own, and here it is not there."""
    for row in rows:
        try:
            given = flags.parse(row.flags)
            yield row, given, pattern.compile(row.pattern, given.nocase).prefix if row.pattern[:1] != "!" else ""
        except ValueError:
            continue


def shadows(site: Site, host: str) -> dict[str, RewriteRule]:
    """For each rule that never matches, by its id, the one above that takes all that it could."""
    found: dict[str, RewriteRule] = {}
    takers: list[tuple[str, RewriteRule]] = []
    for row, given, prefix, sure in _walk(tried(site, host)):
        above = next((taker for whole, taker in takers if prefix.startswith(whole)), None)
        if above is not None:
            found[row.id] = above
        whole = _whole(row) if sure and not given.nocase else None
        if whole is not None and _ends(row, given):
            takers.append((whole, row))
        elif given.next or not (_ends(row, given) or row.substitution == "-"):
            takers = []  # what is below may be tried for a path that was made here
    return found


def _walk(rows: Sequence[RewriteRule]) -> Iterator[tuple[RewriteRule, Flags, str, bool]]:
    """Rules as ``_read`` gives them, and whether each is tried for every path that has come so far, whatever else the
    request says: no condition, chain or skip keeps it from that."""
    chained, skipped = False, 0
    for row, given, prefix in _read(rows):
        yield row, given, prefix, not (row.conditions or given.chain or chained or skipped)
        chained, skipped = given.chain, max(skipped - 1, given.skip, 0)


def _whole(row: RewriteRule) -> str | None:
    """What all paths begin with that a rule takes, where it takes all of these; None where that is not plain."""
    found = _WHOLE.fullmatch(row.pattern)
    return None if found is None else re.sub(r"\\(\W)", r"\1", found["prefix"]) or "/"


def order(site: Site, host: str) -> Iterator[Problem]:
    """Rules that are never reached, and routes whose requests a rule takes first; each once, for rows of ``host``."""
    rows, hidden = tried(site, host), shadows(site, host)
    routes = [row for row in site.routes if row.enabled and not row.location and row.host in ("", host)]
    files = bool(hosts.options(site, site.hosts[host]).document_root if host else site.site.document_root)
    passed = False
    for number, (row, given, _, sure) in enumerate(_walk(rows)):
        if row.host == host:
            if above := hidden.get(row.id):
                what = f'rule {above.id} ("{above.pattern}") above takes all that this one could, so it never matches'
                yield warning(("rewrites", row.id, "pattern"), what, f"move it above {above.id}")
            yield from _lost(row, given, last=number == len(rows) - 1, files=files)
            if sure and not passed and above is None:
                yield from _clash(row, given, routes)
        ends = given.last or given.end or given.passthrough or (given.proxy and row.substitution == "-")
        passed = passed or ends or given.skip > 0


def redirects(row: RewriteRule, given: Flags) -> bool:
    """Whether a rule sends the client elsewhere."""
    return given.redirect or (scheme_length(row.substitution) > 0 and not (given.proxy or given.passthrough))


def _lost(row: RewriteRule, given: Flags, last: bool, files: bool) -> Iterator[Problem]:
    """A rule whose path nothing takes; with ``files`` it may be one."""
    local = not given.answers and row.substitution.startswith("/") and not (given.redirect or given.proxy)
    if local and not (files or row.folder) and not given.passthrough and (last or given.last or given.end):
        what = "the rule makes another path and that is the end: it is no file, so it is answered 404"
        yield warning(("rewrites", row.id, "flags"), what, "add PT, so that the routes see the new path")


def _clash(row: RewriteRule, given: Flags, routes: Sequence[Route]) -> Iterator[Problem]:
    """A rule that leaves nothing to a route. One for a part of the route's paths is an exception, and meant."""
    whole, elsewhere = _whole(row), row.substitution != "-" and (given.proxy or redirects(row, given))
    if whole is None or not whole.strip("/") or not (given.answers or elsewhere):
        return
    taken = as_bytes_text(whole).encode("latin-1").rstrip(b"/")
    for route in routes:
        if route.path is None or route.proxy is None or route.mapping != "decoded":
            continue
        if takes(taken, collapsed(as_bytes_text(route.path).encode("latin-1"))):
            what = f'route {route.id} ("{route.path}") is for {whole} too, but rules come first: this one has them'
            yield warning(("rewrites", row.id, "pattern"), what, "forward a path by a route or by a rule, not by both")
            return
