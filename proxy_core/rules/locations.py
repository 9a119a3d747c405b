"""[[locations]]: settings for some paths, targets or folders, laid over those of the route that a request takes.

The order is Apache's (server/request.c, ap_directory_walk, ap_file_walk, ap_location_walk, ap_if_walk; mod_proxy.c,
proxy_walk): sections for targets first, or those for folders, the shortest path first, then those for names of files;
then those for paths, those with an expression, and last those that are final. What a later one says wins. A path
section holds for whole segments of the decoded path; a target section is a plain prefix of the URL, or a wildcard
pattern when it has * ? or [ in it. Folders are compared as they are written.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from msgspec import Struct, field
from msgspec.structs import replace

from proxy_core.config.folders import FILES, MADE
from proxy_core.config.model import Location, Site
from proxy_core.errors import Address
from proxy_core.http.statuses import error_statuses
from proxy_core.http.target import Reading, as_bytes_text
from proxy_core.rules.access import authorization
from proxy_core.rules.access.authorization import Guard
from proxy_core.rules.decision import NO_EXTRAS, BoundRoute, Forward, Redirect, Respond, Step, Trace
from proxy_core.rules.env import Setter, expression
from proxy_core.rules.extras import merged
from proxy_core.rules.rewriting.rewrite import BoundRewrite
from proxy_core.rules.routing.prefixes import collapsed, takes
from proxy_core.rules.text import pattern
from proxy_core.rules.text.variables import Scope
from proxy_core.rules.text.wildcards import regex_of


class SectionSubject(NamedTuple):
    """What sections are held against: the path of a request, and the ``url`` that it is forwarded to or the ``file``
    that answers, if any. ``behind`` are the paths that members read which take escaped slashes for slashes, where there
    are any."""

    path: str
    url: str = ""
    file: str = ""
    behind: tuple[str, ...] = ()


def subject(path: str, decision: Forward, site: Site) -> SectionSubject:
    """Where a request for a path is forwarded to, not escaped, as <Proxy> and <Directory> see it."""
    pool = decision.route.pool or ""
    target = unquote_to_bytes(decision.target.partition(b"?")[0]).decode("latin-1")
    if pool == FILES:
        key, slash, below = target.removeprefix("/").partition("/")
        if key.endswith(MADE):
            slash = below = below.rstrip("/")
        folder = decision.route.folder
        file = posixpath.join(folder, below) if slash else folder
        return SectionSubject(path, file=file[2:] if file[:2] == "./" and len(file) > 2 else file)
    return SectionSubject(path, ("balancer://" + pool if pool in site.balancers else pool) + target)


def about(decision: Forward | Respond, scope: Scope, site: Site) -> SectionSubject:
    """What a decision is about, which from here on is the request's file."""
    found = subject(scope.path, decision, site) if isinstance(decision, Forward) else SectionSubject(scope.path)
    scope.file = f"proxy:{found.url}" if found.url else found.file
    return found


Test = Callable[[SectionSubject], object]


class BoundSection(Struct, frozen=True):
    """A row as requests meet it."""

    row: Location
    """The row as configured."""
    holds: Test
    """Whether it is for what a request goes to."""
    guard: Guard
    """Who may ask there."""
    level: int = 0
    """Its kind, by how late it is laid over others: the first number of ``depth``."""
    rules: tuple[BoundRewrite, ...] = ()
    """Its rewrite rules."""
    redirects: tuple[BoundRoute, ...] = ()
    """Its redirects."""
    setters: tuple[Setter, ...] = ()
    """Its variables."""
    test: Callable[[Scope], bool] | None = None
    """Its expression, None for none."""
    methods: frozenset[bytes] = frozenset()
    """The methods that it allows, none where it says nothing."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What it says of how requests are forwarded, by the names that BoundRoute has for it."""

    @property
    def address(self) -> Address:
        return ("locations", self.row.id)


def compile(
    rows: Sequence[Location],
    guard: Callable[[Location], Guard],
    rules: Sequence[BoundRewrite] = (),
    setters: Sequence[Setter] = (),
    redirects: Sequence[tuple[str, BoundRoute]] = (),
) -> tuple[BoundSection, ...]:
    """The enabled rows in the order in which they are laid over each other. ``redirects`` are routes, each with the
    id of its row. Raises PatternError and ExprError."""
    ordered = sorted((row for row in rows if row.enabled), key=depth)
    return tuple(
        BoundSection(
            row,
            _test(row),
            guard(row),
            depth(row)[0],
            tuple(rule for rule in rules if rule.row.location == row.id),
            tuple(route for place, route in redirects if place == row.id),
            tuple(setter for setter in setters if setter.row.location == row.id),
            expression(row.expr) if row.expr else None,
            frozenset(b"GET" if each == "HEAD" else each.encode() for each in row.methods),
            _settings(row),
        )
        for row in ordered
    )


def depth(row: Location) -> tuple[int, ...]:
    """How late a row is laid over the others; expressions for folders go by their slashes (``reorder_sorter`` in
    server/core.c), <Files> and <If> by what they stand in, a server first (``merge_core_dir_configs``)."""
    if row.final:
        return (6,)
    if row.expr:
        return (5, 0) if row.path == "/" else (5, *depth(replace(row, expr="")))
    if row.path is not None or row.path_regex is not None:
        return 4, 0
    if row.files is not None:
        return 3, *depth(replace(row, files=None))
    if row.folder_regex is not None:
        return 2, row.folder_regex.count("/")
    return (1, len(_segments(row.folder))) if row.folder is not None else (0, 0)


def _segments(folder: str) -> list[str]:
    return [part for part in posixpath.normpath(folder).split("/") if part not in ("", ".")]


def _test(row: Location) -> Test:
    if row.folder is not None or row.folder_regex is not None or row.files is not None:
        return _of_files(row.folder or "/", row.folder_regex, row.files)
    if row.target is not None:
        target = as_bytes_text(row.target)
        if not set("*?[").isdisjoint(target):
            fits = re.compile(regex_of(target, "."), re.DOTALL).fullmatch
            return lambda subject: subject.url and fits(subject.url)
        return lambda subject: subject.url.startswith(target)
    if row.target_regex is not None:
        found = pattern.compile(row.target_regex).search
        return lambda subject: subject.url and found(subject.url)
    if row.path_regex is not None:
        search = pattern.compile(row.path_regex).search
        return lambda subject: search(subject.path)
    prefix = collapsed(as_bytes_text(row.path or "/").encode("latin-1"))
    return lambda subject: takes(prefix, collapsed(subject.path.encode("latin-1")))


def _of_files(folder: str, regex: str | None, name: str | None) -> Test:
    """Whether a file is in a folder, or below it, or an expression is found in its whole name; and whether another one
    is found in the name that it has there. The root of the file system has every file, "." those that are named
    relative to the site file."""
    parts = [regex_of(as_bytes_text(part), "[^/]") for part in _segments(folder)]
    start = "/" if posixpath.isabs(folder) else ""
    whole = r"(?!/|\.\./)" if not start else ""
    below = re.compile(f"{start}{'/'.join(parts)}(?:/|\\Z)" if parts else whole).match
    inside: Callable[[str], object] = below if regex is None else pattern.compile(regex).search
    search = pattern.compile(name).search if name is not None else None
    if search is None:
        return lambda subject: subject.file and inside(subject.file)
    return lambda subject: subject.file and inside(subject.file) and search(posixpath.basename(subject.file))


def settle(
    held: Sequence[BoundSection], guard: Guard, decision: Forward | Respond, scope: Scope, subject: SectionSubject,
    reading: Reading, trace: Trace | None,
) -> Forward | Redirect | Respond:  # fmt: skip
    """What the sections that hold for a subject say to where a request goes, and whether it is admitted there.
    ``guard`` is what holds without them. Raises Runaway and Unknown."""
    guard = _guarded(held, guard)
    limiting = next((section for section in reversed(held) if section.methods), None)
    if limiting is not None and not _allows(limiting.methods, scope.view.method):
        return _not_allowed(limiting, decision, trace)
    paths = (subject.path, *subject.behind) if guard.service is not None else ()
    refused = authorization.admitted(guard, scope, paths, reading, trace)
    if refused is not None:
        return refused._replace(extras=merged(decision.extras, refused.extras))
    if scope.user or scope.given or scope.told:
        extras = decision.extras or NO_EXTRAS
        decision = decision._replace(extras=extras._replace(
            user=scope.user, auth=scope.auth, given=scope.given, fields=extras.fields + scope.told,
        ))  # fmt: skip
    return laid_over(held, decision) if isinstance(decision, Forward) else decision


SEQUENTIAL = 2
"""Sections up to this level, those for targets and folders, are laid over what holds one by one."""


def _guarded(held: Sequence[BoundSection], guard: Guard) -> Guard:
    """What is required. The sections for files, those for paths, and those with expressions are laid over each other
    before they are laid over what holds without them, with the merging of the last (``ap_file_walk`` and its like)."""
    own: Guard | None = None
    level = 0
    for section in held:
        if own is not None and (section.level != level or level <= SEQUENTIAL):
            guard, own = guard.under(own), None
        level = section.level
        own = section.guard if own is None else own.under(section.guard)
    return guard if own is None else guard.under(own)


def _allows(methods: frozenset[bytes], method: bytes) -> bool:
    """HEAD is GET to httpd."""
    return b"*" in methods or (b"GET" if method == b"HEAD" else method) in methods


def _not_allowed(section: BoundSection, decision: Forward | Respond, trace: Trace | None) -> Respond:
    """A method that the section does not allow, before anybody is asked who it is (``am_check_access``)."""
    allowed = sorted(section.methods | ({b"HEAD"} if b"GET" in section.methods else set()))
    cause = f"methods of locations {section.row.id} has {', '.join(section.row.methods)} alone"
    if trace is not None:
        trace.append(Step(section.address, "no match", cause))
    extras = decision.extras or NO_EXTRAS
    fields = (*extras.fields, b"Allow: " + b",".join(allowed))
    return Respond(405, decision.route, cause, extras._replace(fields=fields))


def holding(
    sections: Sequence[BoundSection], subject: SectionSubject, scope: Scope, trace: Trace | None = None
) -> list[BoundSection]:
    """The sections that hold for a place and a request. Raises Runaway and Unknown."""
    held = []
    for section in sections:
        holds = _is_for(section, subject) and (section.test is None or section.test(scope))
        if holds:
            held.append(section)
        if trace is not None:
            row = section.row
            said = (row.target, row.target_regex, row.path_regex, row.path, row.folder, row.folder_regex, row.files,
                    row.expr)  # fmt: skip
            what = " ".join(filter(None, said))
            shown = f'"{what}" is {"" if holds else "not "}for this request{", over all others" * row.final}'
            trace.append(Step(section.address, "match" if holds else "no match", shown))
    return held


def _is_for(section: BoundSection, subject: SectionSubject) -> bool:
    """No spelling of a path may lead past a section to a member that reads it as the section's."""
    if section.holds(subject):
        return True
    return any(section.holds(subject._replace(path=path)) for path in subject.behind)


def laid_over(held: Sequence[BoundSection], decision: Forward) -> Forward:
    """With the settings of every section that holds laid over those of its route."""
    said: dict[str, Any] = {}
    for section in held:
        said |= section.settings
    return decision._replace(route=replace(decision.route, **said)) if said else decision


def _settings(row: Location) -> dict[str, Any]:
    """What the row says of how requests are forwarded, by the names that BoundRoute has for it."""
    names = ("timeout", "error_override", "preserve_host", "max_body", "cache", "directory_index", "fallback_resource",
             "autoindex", "index_ignore", "follow_links")  # fmt: skip
    said = {name: value for name in names if (value := getattr(row, name)) is not None}
    return said | ({"codes": frozenset(error_statuses(row.override_codes))} if row.override_codes else {})
