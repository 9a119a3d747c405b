"""[[locations]]: settings for some paths or targets, laid over those of the route that a request takes.

The order is Apache's (server/request.c, ap_location_walk; mod_proxy.c, proxy_walk): sections for targets first, then
those for paths, each kind in file order, and what a later one says wins. A path section holds for whole segments of
the decoded path; a target section is a plain prefix of the URL, or a wildcard pattern when it has * ? or [ in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fnmatch import translate
from re import compile as compile_re

from proxy_core.config.model import Location
from proxy_core.errors import Address
from proxy_core.http.target import as_bytes_text
from proxy_core.rules import pattern
from proxy_core.rules.decision import BoundRoute, Step, Trace
from proxy_core.rules.prefixes import collapsed, takes


@dataclass(frozen=True, slots=True)
class Section:
    """A row as requests meet it: whether it holds for a path and for the URL that it is forwarded to."""

    row: Location
    holds: Callable[[str, str], object]

    @property
    def address(self) -> Address:
        return ("locations", self.row.id)


def compile(rows: Sequence[Location]) -> tuple[Section, ...]:
    """The enabled rows in the order in which they are laid over each other. Raises PatternError."""
    ordered = sorted((row for row in rows if row.enabled), key=lambda row: row.target is None)
    return tuple(Section(row, _test(row)) for row in ordered)


def _test(row: Location) -> Callable[[str, str], object]:
    if row.target is not None:
        target = as_bytes_text(row.target)
        if not set("*?[").isdisjoint(target):
            fits = compile_re(translate(target)).fullmatch
            return lambda path, url: fits(url)
        return lambda path, url: url.startswith(target)
    if row.path_regex is not None:
        search = pattern.compile(row.path_regex).search
        return lambda path, url: search(path)
    prefix = collapsed(as_bytes_text(row.path or "/").encode("latin-1"))
    return lambda path, url: takes(prefix, path.encode("latin-1"))


def settled(sections: Sequence[Section], route: BoundRoute, path: str, url: str, trace: Trace | None) -> BoundRoute:
    """The route with the settings of every section that holds. Raises Runaway."""
    for section in sections:
        held = section.holds(path, url)
        if trace is not None:
            verdict, shown = ("match", "holds") if held else ("no match", "does not hold")
            what = section.row.target or section.row.path_regex or section.row.path
            trace.append(Step(section.address, "match" if verdict == "match" else "no match", f'"{what}" {shown}'))
        if held:
            said = {
                name: value
                for name in ("timeout", "error_override", "preserve_host")
                if (value := getattr(section.row, name)) is not None
            }
            route = replace(route, **said)
    return route
