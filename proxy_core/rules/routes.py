"""The compiled route table: where a request goes that no rewrite rule has decided.

Deciding follows ProxyPass (``ap_proxy_trans_match`` in modules/proxy/mod_proxy.c): the path is normalised, the first
row in file order whose prefix takes it wins, never the longest, and what the prefix did not match is appended to the
target as it is. The query takes no part and goes along untouched. The result is spelled from the decoded path, never
copied from the client's spelling; a plain path is its own spelling and is decided without the detour. Deciding is
pure; compiling is done outside the request path and reuses every row that has not changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import is_

from proxy_core.config.model import Route, Site
from proxy_core.http.target import (
    PLAIN,
    BadTarget,
    as_bytes_text,
    balancer,
    escaped,
    normalised,
    origin,
    readable,
    split,
)
from proxy_core.http.upgrade import protocols
from proxy_core.http.view import RequestView
from proxy_core.rules.decision import BoundRoute, Decision, Extras, Forward, Respond, RuleState, Step, Trace
from proxy_core.rules.facts import Facts
from proxy_core.rules.prefixes import Spot, collapsed, first, index, takes
from proxy_core.rules.reverse import effective_target, reverse_rows


@dataclass(frozen=True, slots=True)
class Basis:
    """What rows are worked out from besides themselves: where it is equal, an equal row is compiled already."""

    timeout: float
    error_override: bool
    reverse: str
    members: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Routes:
    """All rows in file order, as configured and as bound; ``top`` finds the first enabled one that takes a path."""

    rows: tuple[Route, ...]
    bound: tuple[BoundRoute, ...]
    basis: Basis
    top: Spot

    def decide(self, view: RequestView, facts: Facts, trace: Trace | None = None) -> Decision:
        """Where the request goes, for sites that have nothing but routes; ``facts`` are not looked at. With a trace
        every row is tried in order and says why it takes the path or not."""
        plain = PLAIN(view.target)
        if plain is not None and trace is None:
            path, query = plain.groups()
            number = first(self.top, path)
            if number < len(self.bound):
                route = self.bound[number]
                if route.pool is not None:
                    rest = path[len(route.path) :]
                    return Forward(route, (route.target + rest or b"/") + (query or b""))
            return outcome(self.find(path), path, b"")
        try:
            raw_path, query = split(view.target)
            path = normalised(raw_path).encode("latin-1")
        except BadTarget as bad:
            return Respond(bad.status, None, bad.why)
        return outcome(self.find(path, trace), path, query)

    def find(self, path: bytes, trace: Trace | None = None, decided: str = "") -> BoundRoute | None:
        """The first enabled row that takes the path. With a trace it is looked for by the plain rule, row after row,
        in words; ``decided`` is the row of another table that has decided already."""
        if trace is not None:
            return self._explained(path, trace, decided)
        number = first(self.top, path)
        return self.bound[number] if number < len(self.bound) else None

    def _explained(self, path: bytes, trace: Trace, decided: str) -> BoundRoute | None:
        taken: BoundRoute | None = None
        for row, route in zip(self.rows, self.bound, strict=True):
            prefix = route.path.encode("latin-1")
            address = ("routes", row.id)
            if decided:
                trace.append(Step(address, "skipped", f"route {decided} above has decided"))
            elif not row.enabled:
                trace.append(Step(address, "skipped", "the row is not enabled"))
            elif takes(prefix, path):
                taken, decided = route, row.id
                what = "excepts" if row.proxy is None else "takes"
                trace.append(Step(address, "match", f'"{row.path}" {what} "{readable(path)}"'))
            else:
                trace.append(Step(address, "no match", _why_not(prefix, path)))
        return taken


def outcome(route: BoundRoute | None, path: bytes, query: bytes, extras: Extras | None = None) -> Forward | Respond:
    """What becomes of a normalised path and a query (with its ?) that this route takes, or none."""
    if route is None:
        return Respond(404, None, f"no route takes {readable(path)}", extras)
    if route.pool is None:
        return Respond(404, route, f"{readable(path)} is excepted by route {route.id}", extras)
    rest = escaped(path[len(route.path) :].decode("latin-1"))
    return Forward(route, (route.target + rest or b"/") + query, extras)


def _why_not(prefix: bytes, path: bytes) -> str:
    quoted, shown = f'"{readable(prefix)}"', f'"{readable(path)}"'
    if prefix == path + b"/":
        return f"{quoted} takes only what is below it, not {shown} itself"
    if path.startswith(prefix):
        return f"{quoted} is not a whole-segment prefix of {shown}"
    if path.lower().startswith(prefix.lower()):
        return f"{quoted} is not a prefix of {shown}: upper and lower case differ"
    return f"{quoted} is not a prefix of {shown}"


def compile_routes(
    site: Site, rows: tuple[Route, ...], state: Callable[[str, str], RuleState], previous: Routes | None = None
) -> Routes:
    """Compile these rows of a site that ``lint`` found no error in. ``state`` finds a row's counters by (list, id).

    What is equal in ``previous`` and bound to the same state is reused: all of it, or single rows.
    """
    basis = Basis(
        site.site.timeout,
        site.site.error_override,
        site.site.reverse,
        tuple((name, tuple(m.url for m in group.members.values())) for name, group in site.balancers.items()),
    )
    states = [state("routes", row.id) for row in rows]
    known = previous if previous is not None and previous.basis == basis else None
    if known and known.rows == rows and all(map(is_, (b.state for b in known.bound), states)):
        return known
    ready = {bound.id: (row, bound) for row, bound in zip(known.rows, known.bound, strict=True)} if known else {}
    bound = tuple(
        _reused(ready.get(row.id), row, its) or _bind(site, row, its) for row, its in zip(rows, states, strict=True)
    )
    prefixes = [b.path.encode("latin-1") if row.enabled else None for row, b in zip(rows, bound, strict=True)]
    return Routes(rows, bound, basis, index(prefixes))


def _reused(known: tuple[Route, BoundRoute] | None, row: Route, state: RuleState) -> BoundRoute | None:
    if known is None or known[0] != row or known[1].state is not state:
        return None
    return known[1]


def _bind(site: Site, row: Route, state: RuleState) -> BoundRoute:
    pool, target = _destination(row.proxy)
    return BoundRoute(
        id=row.id,
        path=collapsed(as_bytes_text(row.path).encode("latin-1")).decode("latin-1"),
        pool=pool,
        target=escaped(as_bytes_text(effective_target(row.path, target))),
        timeout=site.site.timeout if row.timeout is None else row.timeout,
        error_override=site.site.error_override if row.error_override is None else row.error_override,
        reverse=reverse_rows(site, row),
        state=state,
        upgrades=protocols(row.upgrade),
    )


def _destination(proxy: str | None) -> tuple[str | None, str]:
    """Name of the pool and the path put before the rest; (None, "") for an exception."""
    if proxy is None:
        return None, ""
    named = balancer(proxy)
    if named is not None:
        return named
    there = origin(proxy)
    return there.url, there.path
