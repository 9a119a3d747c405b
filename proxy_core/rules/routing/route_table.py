"""The compiled route table: where a request goes that no rewrite rule has decided.

Deciding follows ProxyPass (``ap_proxy_trans_match`` in modules/proxy/mod_proxy.c). The path is normalised. The first
row in file order whose prefix takes it wins, never the longest. What the prefix did not match is appended to the
target; the query goes along untouched. The result is spelled from the decoded path, never copied from the client's
spelling; a plain path is its own spelling and is decided without the detour. Rows that are no plain prefix are tried
one by one, but only those above the prefix that takes the path. ``mapping`` says what a row makes of a path. Deciding
is pure. Compiling is done outside the request path and reuses every row that has not changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import is_

from msgspec import Struct
from msgspec.structs import replace

from proxy_core.config.destination import destination, shadow_pool
from proxy_core.config.model import Route, Site
from proxy_core.http.statuses import error_statuses
from proxy_core.http.target import (
    Reading,
    as_bytes_text,
    escaped,
    readable,
    readings_behind,
    readings_of_kept,
    undecoded,
)
from proxy_core.http.upgrade import protocols
from proxy_core.rules.decision import BoundRoute, Extras, Forward, Respond, Shadow, Step, Trace
from proxy_core.rules.hosts import NO_OWN, Own
from proxy_core.rules.routing import mapping
from proxy_core.rules.routing.files import in_place, served
from proxy_core.rules.routing.prefixes import Spot, collapsed, first, index
from proxy_core.rules.routing.reverse import cookie_rows, reverse_rows
from proxy_core.rules.rule_state import RuleState
from proxy_core.rules.text import pattern


class Basis(Struct, frozen=True):
    """What rows are worked out from besides themselves: where it is equal, an equal row is compiled already."""

    timeout: float
    """[site] timeout, in seconds."""
    error_override: bool
    """[site] error_override."""
    reverse: str
    """[site] reverse."""
    preserve_host: bool
    """[site] preserve_host."""
    override_codes: tuple[str, ...]
    """[site] override_codes."""
    reading: Reading
    """How paths are read."""
    folders: tuple[tuple[str, ...], str, bool, tuple[str, ...], str]
    """[site] directory_index, fallback_resource, autoindex, index_ignore and follow_links."""
    members: tuple[tuple[str, tuple[str, ...]], ...]
    """The URLs of the members of each balancer, by its name."""
    own: Own
    """What the host says that [site] has no word for."""


class RouteTable(Struct, frozen=True, eq=False):
    """The rows of a site or a host, and the quick ways to the first that takes a path."""

    rows: tuple[Route, ...]
    """All rows in file order, as configured."""
    bound: tuple[BoundRoute, ...]
    """The same rows as requests meet them."""
    basis: Basis
    """What they were worked out from besides."""
    top: Spot
    """Finds the first enabled plain prefix that takes a path."""
    odd: tuple[int, ...] = ()
    """The numbers of the enabled rows with a regular expression."""
    early: tuple[int, ...] = ()
    """The numbers of the enabled rows that look at the path before it is decoded."""
    answering: tuple[int, ...] = ()
    """The numbers of the enabled rows that answer here: redirects and folders."""

    def takes_undecoded(self, path: str, trace: Trace | None = None) -> BoundRoute | None:
        """The first row that takes the undecoded path, of those that look at it. Raises Runaway."""
        if trace is None:
            return next((self.bound[each] for each in self.early if mapping.takes(self.bound[each], path)), None)
        taken: BoundRoute | None = None
        for route, row in ((self.bound[each], self.rows[each]) for each in self.early):
            address = ("routes", route.id)
            if taken is not None:
                trace.append(Step(address, "skipped", f"route {taken.id} above has decided"))
                continue
            taken = route if mapping.takes(route, path) else None
            verb = "does not take" if taken is None else "excepts" if row.except_ else "takes"
            what = f'"{row.taken}" {verb} "{readable(path)}", which is not decoded yet'
            trace.append(Step(address, "no match" if taken is None else "match", what))
        return taken

    def find(self, path: str, trace: Trace | None = None, decided: str = "") -> BoundRoute | None:
        """The first enabled row that takes the path. With a trace it is looked for by the plain rule, row after row,
        in words; ``decided`` is the row of another table that has decided already. Raises Runaway."""
        taken = self._explained(path, trace, decided) if trace is not None else self._find(path)
        if taken is None or taken.pool is None:
            return taken
        # A member that takes a kept escape for a slash must not come to read what a row above excepts.
        for behind in readings_of_kept(path, self.basis.reading):
            read = self._find(behind)
            if read is not None and read.pool is None and read.redirect is None:
                return read
        return taken

    def _find(self, path: str) -> BoundRoute | None:
        number = first(self.top, collapsed(path.encode("latin-1")))
        for odd in self.odd:
            if odd > number:
                break
            if mapping.takes(self.bound[odd], path):
                number = odd
                break
        return self.bound[number] if number < len(self.bound) else None

    def below(self, exception: BoundRoute, path: str) -> BoundRoute | None:
        """The first row below an exception (or in another table) that answers here. Raises Runaway."""
        above = next((number for number, bound in enumerate(self.bound) if bound is exception), -1)
        rows = (self.bound[number] for number in self.answering if number > above)
        return next((bound for bound in rows if mapping.takes(bound, path)), None)

    def _explained(self, path: str, trace: Trace, decided: str) -> BoundRoute | None:
        taken: BoundRoute | None = None
        for row, route in zip(self.rows, self.bound, strict=True):
            address = ("routes", row.id)
            if row.location or (row.enabled and row.mapping != "decoded"):
                continue
            if decided:
                trace.append(Step(address, "skipped", f"route {decided} above has decided"))
            elif not row.enabled:
                trace.append(Step(address, "skipped", "the row is not enabled"))
            elif mapping.takes(route, path):
                taken, decided = route, row.id
                what = "excepts" if row.except_ else "takes"
                trace.append(Step(address, "match", f'"{row.taken}" {what} "{readable(path)}"'))
            elif row.path_regex is not None:
                trace.append(Step(address, "no match", f'"{row.path_regex}" is not found in "{readable(path)}"'))
            else:
                trace.append(Step(address, "no match", _why_not(route.path, path)))
        return taken


def before_decoding(
    tables: Iterable[RouteTable], raw_path: bytes, query: bytes, reading: Reading, trace: Trace | None = None
) -> Forward | None:
    """What rows that look at the undecoded path make of it; None where they leave it to rewriting and the other rows,
    as an exception among them does. Raises BadTarget and Runaway."""
    path = undecoded(raw_path, reading)
    tables = tuple(tables)
    taken = next((row for table in tables if (row := table.takes_undecoded(path, trace)) is not None), None)
    if taken is None or taken.pool is None:
        return None
    if "%" in path or ";" in path:
        # A member that decodes what this row leaves as it is must not come to read what another row excepts.
        for behind in readings_behind(raw_path, reading, taken.mapping == "servlet"):
            read = next((row for table in tables if (row := table.takes_undecoded(behind)) is not None), None)
            if read is not None and read.pool is None:
                return None
    return Forward(taken, mapping.target(taken, path, query, b"", reading))


def decision_of(
    route: BoundRoute | None, path: str, query: bytes, raw: bytes, reading: Reading, extras: Extras | None = None
) -> Forward | Respond:
    """What becomes of a normalised path and a query (with its ?) that this route takes, or none. ``raw`` is the
    request's target as it came. Raises Runaway."""
    if route is None:
        return Respond(404, None, f"no route takes {readable(path)}", extras, local=True)
    if route.pool is None:
        return Respond(404, route, f"{readable(path)} is excepted by route {route.id}", extras, local=True)
    if route.folder and route.regex is not None:
        return Forward(*in_place(route, path, mapping.target(route, path, b"", raw, reading), query, reading), extras)
    return Forward(route, mapping.target(route, path, query, raw, reading), extras)


def _why_not(prefix: str, path: str) -> str:
    quoted, shown = f'"{readable(prefix)}"', f'"{readable(path)}"'
    if prefix == path + "/":
        return f"{quoted} takes only what is below it, not {shown} itself"
    if path.startswith(prefix):
        return f"{quoted} is not a whole-segment prefix of {shown}"
    if path.lower().startswith(prefix.lower()):
        return f"{quoted} is not a prefix of {shown}: upper and lower case differ"
    return f"{quoted} is not a prefix of {shown}"


def compile_routes(
    site: Site,
    rows: tuple[Route, ...],
    state: Callable[[str, str], RuleState],
    previous: RouteTable | None = None,
    own: Own = NO_OWN,
) -> RouteTable:
    """Compile these rows of a site that ``lint`` found no error in. ``state`` finds a row's counters by (list, id);
    ``own`` is what their host says.

    What is equal in ``previous`` and bound to the same state is reused: all of it, or single rows.
    """
    basis = Basis(
        site.site.timeout,
        site.site.error_override,
        site.site.reverse,
        site.site.preserve_host,
        site.site.override_codes,
        Reading(site.site.encoded_slashes, site.site.merge_slashes),
        (
            site.site.directory_index,
            site.site.fallback_resource,
            site.site.autoindex,
            site.site.index_ignore,
            site.site.follow_links,
        ),
        tuple((name, tuple(m.url for m in group.members.values())) for name, group in site.balancers.items()),
        own,
    )
    states = [state("routes", row.id) for row in rows]
    known = previous if previous is not None and previous.basis == basis else None
    if known and known.rows == rows and all(map(is_, (b.state for b in known.bound), states)):
        return known
    ready = {bound.id: (row, bound) for row, bound in zip(known.rows, known.bound, strict=True)} if known else {}
    bound = tuple(
        _reused(ready.get(row.id), row, its) or _bind(site, row, its, own)
        for row, its in zip(rows, states, strict=True)
    )
    enabled = [(number, row) for number, row in enumerate(rows) if row.enabled and not row.location]
    early = tuple(number for number, row in enabled if row.mapping != "decoded")
    odd = tuple(number for number, row in enabled if row.path is None and row.mapping == "decoded")
    plain = {number for number, _ in enabled}.difference(early, odd)
    prefixes = [each.path.encode("latin-1") if number in plain else None for number, each in enumerate(bound)]
    answering = tuple(number for number, row in enabled if row.redirect is not None or row.folder is not None)
    return RouteTable(rows, bound, basis, index(prefixes), odd, early, answering)


def _reused(known: tuple[Route, BoundRoute] | None, row: Route, state: RuleState) -> BoundRoute | None:
    if known is None or known[0] != row or known[1].state is not state:
        return None
    return known[1]


def _bind(site: Site, row: Route, state: RuleState, own: Own) -> BoundRoute:
    own = own if row.max_body is None else own._replace(max_body=row.max_body)
    files = served(site.site, row, state, own)
    if files is not None:
        return files
    prefix = row.path
    replacement = mapping.replacement(row)
    return BoundRoute(
        id=row.id,
        path="" if prefix is None else collapsed(as_bytes_text(prefix).encode("latin-1")).decode("latin-1"),
        pool=destination(row)[0],
        target=escaped(replacement) if prefix is not None else b"",
        timeout=site.site.timeout if row.timeout is None else row.timeout,
        error_override=site.site.error_override if row.error_override is None else row.error_override,
        reverse=reverse_rows(site, row),
        state=state,
        upgrades=protocols(row.upgrade),
        codes=frozenset(error_statuses(row.override_codes or site.site.override_codes)),
        cookies=cookie_rows(site, row),
        preserve_host=site.site.preserve_host if row.preserve_host is None else row.preserve_host,
        regex=None if row.path_regex is None else pattern.compile(row.path_regex),
        replacement=replacement,
        nocanon=row.nocanon,
        interpolate=row.interpolate,
        mapping=row.mapping,
        redirect=row.redirect,
        max_body=own.max_body,
        canonical=own.canonical,
        tls=own.upstream_tls,
        cache=row.cache,
        shadow=_shadow(site, row),
    )


def _shadow(site: Site, row: Route) -> Shadow | None:
    pool = shadow_pool(row)
    if pool is None or not row.shadow_share:
        return None
    where = f"{pool if '://' in pool else f'balancer://{pool}'}{destination(row)[1]}"
    names = tuple(name.lower().encode("latin-1") for name in row.shadow_fields)
    return Shadow(pool, row.shadow_share, names, reverse_rows(site, replace(row, proxy=where)))


def skip(tables: Iterable[RouteTable], trace: Trace | None, why: str) -> None:
    """Tell that no row is tried, and why."""
    if trace is not None:
        trace += [Step(("routes", row.id), "skipped", why) for table in tables for row in table.rows]
