"""What is wrong with the paths that a route says it takes, with where it sends them, and with what it makes of them.

A prefix is compared with decoded paths that have neither query nor dot segments, so some prefixes never match. A
regular expression may not compile, or its target may name groups that it does not have.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from proxy_core.config.destination import destination
from proxy_core.config.folders import parted
from proxy_core.config.model import Route, Site
from proxy_core.errors import Problem, nearest
from proxy_core.http.target import as_bytes_text, balancer, origin
from proxy_core.rules.lint.climbing import climbing
from proxy_core.rules.lint.problems import error, warning
from proxy_core.rules.lint.texts import patterns
from proxy_core.rules.lint.upstreams import escapes, loop, upgrades
from proxy_core.rules.rewriting.flags import is_redirect
from proxy_core.rules.routing.prefixes import collapsed, takes
from proxy_core.rules.routing.reverse import effective_target
from proxy_core.rules.text import pattern

_REFERENCE = re.compile(r"(?<!\\)\$([0-9])")


def lint_routes(site: Site) -> Iterator[Problem]:
    for row in site.routes:
        yield from _spelling(row)
        yield from _proxy(site, row)


def _spelling(row: Route) -> Iterator[Problem]:
    """Warnings and errors of one row by itself."""
    if row.path_regex is not None:
        yield from _regex(row, row.path_regex)
    elif row.path is not None and row.enabled:
        yield from _prefix(row, row.path)
    yield from _answering(row)
    if row.interpolate and (row.mapping != "decoded" or row.proxy is None):
        why = "forwards nothing" if row.proxy is None else "is matched before variables are set"
        yield error(("routes", row.id, "interpolate"), f"there is nothing to replace: the route {why}", "remove it")
    if row.interpolate and "${" in "/".join((row.proxy or "").split("/")[:3]):
        what = "a variable in the host or port would let clients choose where their requests go"
        yield error(("routes", row.id, "proxy"), what, "choose among known places: a RewriteRule with P and a map")
    if row.nocanon and (row.mapping != "decoded" or row.proxy is None):
        why = "forwards nothing" if row.proxy is None else f"sends its paths as they are by its mapping, {row.mapping}"
        yield warning(("routes", row.id, "nocanon"), f"nocanon says nothing here: the route {why}", "remove it")


def _answering(row: Route) -> Iterator[Problem]:
    """Rows that redirect or serve files."""
    address = ("routes", row.id)
    if row.folder is not None and not parted(row)[0]:
        todo = "begin with the name of the folder that all of them are in"
        yield error((*address, "folder"), "a client would choose the folder whose files it gets", todo)
    if (row.folder is not None or row.redirect is not None) and row.mapping != "decoded":
        what = "only what is forwarded can be matched before it is decoded"
        yield error((*address, "mapping"), what, "remove it, or forward the path")
    redirection = row.redirect
    if redirection is None:
        if row.location:
            yield error((*address, "location"), "only redirects may be for a location", "remove it, or say it there")
        return
    where, moves = (*address, "redirect", "to"), is_redirect(redirection.status)
    if moves and not redirection.to:
        yield error(where, f"a {redirection.status} has to say where to", 'add to = "https://…"')
    if redirection.to and not moves:
        yield warning(where, f"a {redirection.status} does not say where to", "remove it")
    if redirection.to and not re.match(r"/|[A-Za-z][A-Za-z0-9+.-]*:|\$", redirection.to):
        yield error(where, f'"{redirection.to}" is neither a URL nor a path', 'write "https://host/path" or "/path"')


def _prefix(row: Route, path: str) -> Iterator[Problem]:
    address = ("routes", row.id, "path")
    if "%" in path and row.mapping == "decoded":
        todo = "write the characters themselves"
        yield warning(address, f'"{path}" is compared with decoded paths', todo)
    elif "?" in path or "#" in path:
        todo = "end the path before it"
        yield warning(address, f'"{path}" never meets a query or a fragment: only the path is compared', todo)
    elif not {".", ".."}.isdisjoint(path.split("/")):
        what = f'"{path}" never matches: . and .. are removed from paths before they are compared'
        yield warning(address, what, "write the path without them")


def _regex(row: Route, regex: str) -> Iterator[Problem]:
    address = ("routes", row.id, "path_regex")
    yield from patterns(address, regex)
    try:
        compiled = pattern.compile(regex)
    except pattern.PatternError:
        return
    if row.mapping == "servlet":
        todo = 'give it a path, or mapping = "encoded"'
        yield error(("routes", row.id, "mapping"), "servlet mapping compares prefixes, not regular expressions", todo)
    if row.proxy is not None:
        yield from climbing(address, regex, row.proxy)
    key, target = ("redirect", row.redirect.to) if row.redirect is not None else ("proxy", row.proxy or "")
    key, target = (key, target) if row.folder is None else ("folder", row.folder)
    numbers = {int(number) for number in _REFERENCE.findall(target)}
    if missing := sorted(number for number in numbers if number > compiled.groups):
        what = f"${missing[0]} is always empty: {regex} has {compiled.groups or 'no'} groups"
        yield warning(("routes", row.id, key), what, "put parentheses round what is meant, or name another group")


def _takes_again(row: Route, path: str) -> bool:
    """Whether the row may take what it has sent."""
    sent = as_bytes_text(path or "/").encode("latin-1")
    return row.path is None or takes(collapsed(as_bytes_text(row.path).encode("latin-1")), collapsed(sent))


def _proxy(site: Site, row: Route) -> Iterator[Problem]:
    """Where a row sends to, and how path and target join."""
    address = ("routes", row.id, "proxy")
    yield from upgrades(("routes", row.id, "upgrade"), row.upgrade)
    if row.proxy is None:
        return
    try:
        pool, path = destination(row)
    except ValueError as reason:
        yield error(address, str(reason), 'write "http://host:port/path" or "balancer://name/path"')
        return
    if balancer(row.proxy) is None:
        if _takes_again(row, path):
            yield from loop(site, address, origin(pool or ""))
    else:
        if pool not in site.balancers:
            near = nearest(pool or "", site.balancers)
            todo = f"did you mean balancer://{near}{path}?" if near else f"add [balancers.{pool}] with its members"
            yield error(address, f'there is no balancer "{pool}"', todo)
        if "?" in path or "#" in path:
            yield error(address, f"{row.proxy} has a query or a fragment", "only name and path count: remove it")
            return
    yield from escapes(address, path)
    if row.path is None:
        return
    target = effective_target(row.path, path)
    asked, rest = (row.path + "x", "x") if row.path.endswith("/") else (row.path + "/x", "/x")
    if (target + rest).endswith("//x") or (row.path.endswith("/") and not target.endswith("/")):
        side, other = (row.path, target) if row.path.endswith("/") else (target, row.path)
        yield warning(
            address,
            f'"{side}" ends in a slash and "{other}" does not: {asked} is sent as {target}{rest}',
            "end both sides in a slash, or neither",
        )
