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
from proxy_core.rules import access, pattern
from proxy_core.rules.access import Guard
from proxy_core.rules.decision import NO_EXTRAS, BoundRoute, Decision, Forward, Respond, Step, Trace
from proxy_core.rules.endings import merged
from proxy_core.rules.prefixes import collapsed, takes
from proxy_core.rules.scope import Scope


@dataclass(frozen=True, slots=True)
class Section:
    """A row as requests meet it: whether it holds for a path and for the URL that it is forwarded to, and who may ask
    there."""

    row: Location
    holds: Callable[[str, str], object]
    guard: Guard

    @property
    def address(self) -> Address:
        return ("locations", self.row.id)


def compile(rows: Sequence[Location], guard: Callable[[Location], Guard]) -> tuple[Section, ...]:
    """The enabled rows in the order in which they are laid over each other. Raises PatternError."""
    ordered = sorted((row for row in rows if row.enabled), key=lambda row: row.target is None)
    return tuple(Section(row, _test(row), guard(row)) for row in ordered)


def _test(row: Location) -> Callable[[str, str], object]:
    if row.target is not None:
        target = as_bytes_text(row.target)
        if not set("*?[").isdisjoint(target):
            fits = compile_re(translate(target)).fullmatch
            return lambda path, url: url and fits(url)
        return lambda path, url: url.startswith(target)
    if row.path_regex is not None:
        search = pattern.compile(row.path_regex).search
        return lambda path, url: search(path)
    prefix = collapsed(as_bytes_text(row.path or "/").encode("latin-1"))
    return lambda path, url: takes(prefix, path.encode("latin-1"))


def settle(
    sections: Sequence[Section], guard: Guard, decision: Decision, scope: Scope, url: str, trace: Trace | None
) -> Decision:
    """What sections say to where a request goes, and whether it is admitted there. ``guard`` is what holds without
    them. What rules have answered themselves is not held against them: in httpd names are translated before access is
    checked. Raises Runaway and Unknown."""
    if not (isinstance(decision, Forward) or (isinstance(decision, Respond) and decision.local)):
        return decision
    held = _holding(sections, scope.path, url, trace)
    for section in held:
        guard = guard.under(section.guard)
    refused = access.admitted(guard, scope, trace)
    if refused is not None:
        return refused._replace(extras=merged(decision.extras, refused.extras))
    if scope.user:
        extras = decision.extras or NO_EXTRAS
        decision = decision._replace(extras=extras._replace(user=scope.user, auth=scope.auth))
    return decision._replace(route=_laid_over(held, decision.route)) if isinstance(decision, Forward) else decision


def _holding(sections: Sequence[Section], path: str, url: str, trace: Trace | None) -> list[Section]:
    """The sections that hold for a path and the URL that it is forwarded to."""
    held = []
    for section in sections:
        holds = section.holds(path, url)
        if holds:
            held.append(section)
        if trace is not None:
            what = section.row.target or section.row.path_regex or section.row.path
            shown = f'"{what}" {"holds" if holds else "does not hold"}'
            trace.append(Step(section.address, "match" if holds else "no match", shown))
    return held


def _laid_over(held: Sequence[Section], route: BoundRoute) -> BoundRoute:
    """The route with the settings of every section that holds."""
    for section in held:
        said = {
            name: value
            for name in ("timeout", "error_override", "preserve_host", "max_body")
            if (value := getattr(section.row, name)) is not None
        }
        if said:
            route = replace(route, **said)
    return route
