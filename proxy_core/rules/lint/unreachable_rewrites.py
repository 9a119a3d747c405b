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


def tried(site: Site, host: str) -> list[RewriteRule]:
    """The rules that a request to a host meets before it is known where it goes."""
    return [row for row in site.rewrites if row.enabled and row.host in ("", host) and not row.location]


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
    chained = False
    for row, given, prefix in _read(tried(site, host)):
        above = next((taker for whole, taker in takers if prefix.startswith(whole)), None)
        if above is not None:
            found[row.id] = above
        alone = not row.conditions and not given.chain and not chained
        whole = _WHOLE.fullmatch(row.pattern)
        if _ends(row, given) and alone and whole is not None and not given.nocase:
            takers.append((re.sub(r"\\(\W)", r"\1", whole["prefix"]) or "/", row))
        chained = given.chain
    return found


def order(site: Site, host: str) -> Iterator[Problem]:
    """Rules that are never reached, and routes whose requests a rule takes first; each once, for rows of ``host``."""
    rows, hidden = tried(site, host), shadows(site, host)
    routes = [row for row in site.routes if row.enabled and row.host in ("", host)]
    files = bool(hosts.options(site, site.hosts[host]).document_root if host else site.site.document_root)
    for number, (row, given, prefix) in enumerate(_read(rows)):
        if row.host == host:
            if above := hidden.get(row.id):
                what = f'rule {above.id} ("{above.pattern}") above takes all that this one could, so it never matches'
                yield warning(("rewrites", row.id, "pattern"), what, f"move it above {above.id}")
            yield from _clash(row, given, prefix, routes, last=number == len(rows) - 1, files=files)


def _clash(
    row: RewriteRule, given: Flags, prefix: str, routes: Sequence[Route], last: bool, files: bool
) -> Iterator[Problem]:
    """A rule that ends the way of requests that a route is for; with ``files`` what it makes may be one."""
    local = not given.answers and row.substitution.startswith("/") and not (given.redirect or given.proxy)
    if local and not (files or row.folder) and not given.passthrough and (last or given.last or given.end):
        what = "the rule makes another path and that is the end: it is no file, so it is answered 404"
        yield warning(("rewrites", row.id, "flags"), what, "add PT, so that the routes see the new path")
    if not prefix.strip("/") or not (given.proxy or given.answers or scheme_length(row.substitution)):
        return
    asked = as_bytes_text(prefix).encode("latin-1")
    for route in routes:
        if route.path is None:
            continue
        path = collapsed(as_bytes_text(route.path).encode("latin-1"))
        if not route.except_ and takes(path, asked.rstrip(b"/")) and path.strip(b"/"):
            what = f'route {route.id} ("{route.path}") is for {prefix} too, but rules come first: this one has them'
            yield warning(("rewrites", row.id, "pattern"), what, "forward a path by a route or by a rule, not by both")
            return
