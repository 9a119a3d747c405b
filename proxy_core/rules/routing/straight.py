"""The straight way: where a target goes that no rewrite rule can take, told by the target alone.

Every path that a pattern is found in begins with what the pattern begins with. So where a path begins with none of it,
no rule matches, and what is left is httpd's way with routes (``ap_proxy_trans_match``), which asks for nothing but the
path and the query. It is the whole way of ``host_rules`` without all that such a request does not need. What it cannot
tell it leaves to that one. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from proxy_core.http.target import PLAIN, BadTarget, Reading, normalised, split
from proxy_core.rules.decision import BoundRoute, Decision, Forward, Respond
from proxy_core.rules.routing.prefixes import first
from proxy_core.rules.routing.route_table import RouteTable, decision_of
from proxy_core.rules.text.pattern import Runaway


class Beginnings(Struct, frozen=True):
    """What the paths begin with that rules may take: looked up by length, however many there are."""

    texts: frozenset[bytes]
    lengths: tuple[int, ...]

    def begin(self, path: bytes) -> bool:
        """Whether the path begins with one of them."""
        return not self.texts.isdisjoint([path[:length] for length in self.lengths])


def beginnings(prefixes: Iterable[str]) -> Beginnings | None:
    """Those of these rules; None where one of them may take any path."""
    texts = frozenset(prefix.encode("latin-1") for prefix in prefixes)
    return None if b"" in texts else Beginnings(texts, tuple(sorted(set(map(len, texts)))))


def straight(target: bytes, begun: Beginnings, tables: tuple[RouteTable, ...], reading: Reading) -> Decision | None:
    """Where the target goes; None where a rule may take it, or more of the request counts than its target. No row of
    the tables looks at the path before it is decoded."""
    plain = PLAIN(target)
    if plain is not None:
        path, query = plain.groups()
        if begun.lengths and begun.begin(path):
            return None
        for table in tables:
            if table.odd:
                break
            number = first(table.top, path)
            if number < len(table.bound):
                route = table.bound[number]
                if route.pool is None or _asks(route):
                    break
                return Forward(route, (route.target + path[len(route.path) :] or b"/") + query)
    try:
        raw_path, query = split(target)
        return _routed(normalised(raw_path, reading), query, target, begun, tables, reading)
    except BadTarget as bad:
        return Respond(bad.status, None, bad.why)
    except Runaway as runaway:
        return Respond(500, None, str(runaway))


def _routed(
    path: str, query: bytes, target: bytes, begun: Beginnings, tables: tuple[RouteTable, ...], reading: Reading
) -> Decision | None:
    """The same of a path that was read. Raises BadTarget and Runaway."""
    if begun.begin(path.encode("latin-1")):
        return None
    route = next((found for table in tables if (found := table.find(path)) is not None), None)
    if route is not None and (_asks(route) or (route.pool is None and any(table.answering for table in tables))):
        return None
    try:
        return decision_of(route, path, query, target, reading)
    except BadTarget as bad:
        return Respond(bad.status, route, bad.why)


def _asks(route: BoundRoute) -> bool:
    """Whether a route that forwards looks at more than the target: at variables, or at the method."""
    return route.interpolate or bool(route.folder)
