"""How one row of the route table takes a path, and what it makes of it: mod_proxy's ``ap_proxy_trans_match``.

A prefix is compared by whole segments, and a run of slashes matches any other (``alias_match``). A regular expression
is searched in the path and its groups go into the target; a target without any of them has the whole path appended.
``nocanon`` sends the client's own spelling, but only where what was matched is spelled plainly. Rows with a ``mapping``
other than "decoded" look at the path before it is decoded, and what they send is never spelled anew
(``alias_match_servlet`` and the pre_translate_name hook). Texts have one character for each byte. Pure.
"""

from __future__ import annotations

import re

from msgspec.structs import replace

from proxy_core.config.destination import destination
from proxy_core.config.model import Route
from proxy_core.http.escaping import sendable
from proxy_core.http.target import CLIMBS, BadTarget, Reading, as_bytes_text, climbs, escaped
from proxy_core.rules.decision import BoundRoute
from proxy_core.rules.routing.reverse import effective_target
from proxy_core.rules.text.pattern import Groups, filled
from proxy_core.rules.text.variables import Env


def replacement(row: Route) -> str:
    """What takes the place of the matched prefix, or the whole path with $N in it, not escaped yet."""
    path = destination(row)[1]
    return as_bytes_text(path if row.path is None else effective_target(row.path, path))


def prefix_length(prefix: str, path: str) -> int:
    """How much of ``path`` a collapsed prefix takes, 0 for not at all."""
    if "//" not in path:
        whole = path == prefix or path.startswith(prefix if prefix.endswith("/") else prefix + "/")
        return len(prefix) if whole else 0
    at = 0
    for character in prefix:
        if path[at : at + 1] != character:
            return 0
        at += 1
        while character == "/" and path[at : at + 1] == "/":
            at += 1
    return at if prefix.endswith("/") or path[at : at + 1] in ("", "/") else 0


def takes(route: BoundRoute, path: str) -> bool:
    """Whether a row takes a path. Raises Runaway."""
    if route.regex is not None:
        return route.regex.search(path) is not None
    return _cut(route, path) > 0


def _cut(route: BoundRoute, path: str) -> int:
    return servlet_cut(route.path, path) if route.mapping == "servlet" else prefix_length(route.path, path)


_VARIABLE = re.compile(r"\$\{([^}]*)\}")


def interpolated(route: BoundRoute, env: Env) -> BoundRoute | None:
    """The route with each ``${NAME}`` in its target replaced (``proxy_interpolate``); None where a variable would lead
    out of the path that the site names."""
    values = {name: env.get(name.lower(), ("", ""))[1] for name in _VARIABLE.findall(route.replacement)}
    if any(map(climbs, values.values())):
        return None
    made = _VARIABLE.sub(lambda found: values[found[1]].replace("$", "\\$"), route.replacement)
    plain = made.replace("\\$", "$")
    return replace(route, replacement=made, target=escaped(plain) if route.regex is None else route.target)


def target(route: BoundRoute, path: str, query: bytes, raw: bytes, reading: Reading) -> bytes:
    """The origin-form that a row which takes ``path`` is forwarded with; ``raw`` is the request's target as it came,
    query and all. Raises Runaway, and BadTarget where a pattern makes a path that leads elsewhere."""
    exact = route.mapping != "decoded"
    as_it_came = route.nocanon and not exact and not _hides(raw, reading.merge)
    if route.regex is not None:
        spelled = raw.decode("latin-1")
        found = route.regex.search(path) or ()
        whole = filled(route.replacement, found) if route.folder else _substituted(route.replacement, found, path)
        if climbs(whole.partition("?")[0]):
            raise BadTarget(400, CLIMBS)
        groups = route.regex.search(spelled) if as_it_came else None
        if groups is not None:
            return _rooted(sendable(_substituted(route.replacement, groups, spelled)))
        return _rooted(sendable(whole) if exact else escaped(whole, reading)) + query
    cut = _cut(route, path)
    if as_it_came and prefix_length(route.path, raw.decode("latin-1")) == cut:
        return _rooted(route.target + raw[cut:])
    rest = path[cut:].encode("latin-1") if exact else escaped(path[cut:], reading)
    return (route.target + rest or b"/") + query


_GOES_UP = re.compile(rb"(?i)/(?:\.|%2e){2}(?=/|\Z)").search
_GOES_UP_ESCAPED = re.compile(rb"(?i)/(?:%2e(?:\.|%2e)|\.%2e)(?=/|\Z)").search


def _hides(raw: bytes, merge: bool) -> bool:
    """Whether ".." is escaped, or takes away a segment that holds an escaped slash, or none: who goes up before or
    after decoding, or merges slashes before it, reads another path."""
    path = raw.partition(b"?")[0]
    if _GOES_UP_ESCAPED(path) is not None:
        return True
    return (b"%2f" in path.lower() or (b"//" in path and not merge)) and _GOES_UP(path) is not None


def _rooted(path: bytes) -> bytes:
    """What does not begin with a slash would become part of the host or port, so it gets one."""
    return path if path[:1] == b"/" else b"/" + path


def _substituted(template: str, groups: Groups, path: str) -> str:
    whole = filled(template, groups)
    return whole + path if whole == template else whole


def servlet_cut(prefix: str, path: str) -> int:
    """How much of an undecoded path a prefix takes when parameters of its segments (";v=1") do not count and "..;"
    goes up; 0 for not at all. Parameters of the last matched segment belong to the rest, where there is one."""
    wanted = prefix.strip("/").split("/") if prefix.strip("/") else []
    segments: list[tuple[str, int, int]] = []
    at = 0
    for segment in path.split("/"):
        name = segment.partition(";")[0]
        if name == "..":
            if not segments:
                return 0
            segments.pop()
        elif name not in ("", "."):
            segments.append((name, at, at + len(name)))
        at += len(segment) + 1
    if [name for name, _, _ in segments[: len(wanted)]] != wanted:
        return 0
    bare = not prefix.endswith("/")
    if len(segments) > len(wanted):
        end = segments[len(wanted) - 1][2] if wanted else 0
        return end if bare and path[end : end + 1] == ";" else segments[len(wanted)][1] - bare
    if not bare and not path.endswith("/"):
        return 0
    return len(path) - (bare and path.endswith("/"))
