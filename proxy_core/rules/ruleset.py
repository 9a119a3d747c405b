"""All rules of a site in Apache's order: host, then environment, then rewriting, then routes, then locations.

``Program.decide`` is what the proxy does with a request, as a pure function of what was read of it and of the facts
that rules asked for. A site that has nothing but routes is decided by its route table alone. For the rest this module
is httpd's translate_name phase: mod_rewrite's hook runs before mod_proxy's, so [P] beats a route, a rule that makes
another path without [PT] ends it (nothing is served from files: 404), and what no rule changed goes to the routes.
Rows without a host come before a host's own, as Apache merges a server into its virtual hosts.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from msgspec.structs import replace

from proxy_core.config.model import Host, Location, Options, Site
from proxy_core.errors import Address
from proxy_core.http.target import PLAIN, BadTarget, Reading, balancer, normalised, origin, readable, split, undecoded
from proxy_core.http.target import escaped as escaped_upstream
from proxy_core.http.view import RequestView
from proxy_core.rules import access, env, hosts, locations, rewrite
from proxy_core.rules.access import Guard
from proxy_core.rules.decision import BoundRoute, Decision, Extras, Forward, Respond, RuleState, Step, Trace
from proxy_core.rules.endings import extras_of, redirect
from proxy_core.rules.facts import Facts, Need, Unknown
from proxy_core.rules.pattern import Runaway
from proxy_core.rules.program import Program
from proxy_core.rules.reverse import rule_rows
from proxy_core.rules.rewrite import Effects, Ending, Rule
from proxy_core.rules.routes import Routes, compile_routes, outcome
from proxy_core.rules.scope import Scope
from proxy_core.rules.settings import compile_scopes
from proxy_core.rules.urls import BAD, scheme_length

States = Callable[[str, str], RuleState]

_SLASHES = re.compile(r"^/{2,}")
_MOST_BOUND = 1024


@dataclass(slots=True, eq=False)
class Server:
    """The rules of one host, or of the server where no host answers (its name is ""). ``bound`` remembers the
    BoundRoutes made for what rules forward to."""

    name: str
    site: Site
    server_name: str
    late: tuple[env.Setter, ...]
    env: tuple[env.Setter, ...]
    rules: tuple[Rule, ...]
    routes: tuple[Routes, ...]
    sections: tuple[locations.Section, ...]
    ours: Callable[[str], bool]
    port: int
    reading: Reading
    guard: Guard = access.OPEN
    bound: dict[tuple[str, str], BoundRoute] = field(default_factory=dict)

    @property
    def settles(self) -> bool:
        """Whether anything is still to be said when it is known where a request goes."""
        return bool(self.sections) or self.guard.rule is not None

    @property
    def early(self) -> bool:
        """Whether some row looks at the path before it is decoded."""
        return any(table.early for table in self.routes)

    def decide(self, view: RequestView, facts: Facts, trace: Trace | None = None) -> Decision:
        """Where the request goes. Raises Unknown and Runaway, which ``Program.decide`` turns into decisions."""
        plain = None if self.early else PLAIN(view.target)
        if plain is not None:
            raw_path, query = plain.groups()
            path = raw_path.decode("latin-1")
        else:
            try:
                raw_path, query = split(view.target)
                for table in self.routes if self.early else ():
                    taken = table.before(raw_path, query, self.reading, trace)
                    if taken is not None:
                        return self._settled(taken, self._scope(view, facts, self._decoded(raw_path), query), trace)
                path = normalised(raw_path, self.reading)
            except BadTarget as bad:
                return Respond(bad.status, None, bad.why)
        scope = self._scope(view, facts, path, query)
        args = scope.args
        env.run(self.env, scope, trace)
        effects = Effects()
        ending = rewrite.run(self.rules, scope, effects, trace) if self.rules else Ending("nothing")
        env.run(self.late, scope, trace)
        decision = self._ended(ending, scope, args, extras_of(scope, effects), trace)
        return self._settled(decision, scope, trace)

    def _scope(self, view: RequestView, facts: Facts, path: str, query: bytes) -> Scope:
        args = query[1:].decode("latin-1") if query else None
        return Scope(view, facts, path, args, self.server_name, self.port, uri=path, ahead=self._ahead, ours=self.ours)

    def _decoded(self, raw_path: bytes) -> str:
        """The path that sections are held against where a row took the undecoded one: no spelling escapes them."""
        try:
            return normalised(raw_path, self.reading)
        except BadTarget:
            return undecoded(raw_path, self.reading)

    def _ended(
        self, ending: Ending, scope: Scope, args: str | None, extras: Extras | None, trace: Trace | None
    ) -> Decision:
        """What came of rewriting (``hook_uri2file``), and the routes where it leaves the request to them."""
        uri = scope.uri
        remote = scheme_length(uri) if ending.kind == "changed" else 0
        escapes = remote and not ending.raw
        if ending.kind != "nothing" and scope.args and BAD(scope.args) and not escapes:
            return Respond(403, None, "the rewritten query holds a blank or a control character", extras)
        match ending.kind:
            case "status":
                return Respond(ending.status, None, ending.why, extras)
            case "proxy":
                assert ending.rule is not None
                return self._forward(ending.rule, uri, scope.args, ending.raw, extras)
            case "changed" if remote:
                return redirect(ending, uri, remote, scope.args, args, extras)
            case "changed":
                what = f"rewritten to {readable(uri)}, which is no URL, and nothing is served from files"
                _skip(self.routes, trace, f"rule {ending.rule.id if ending.rule else ''} has decided")
                return Respond(404, None, what, extras, local=True)
            case "pass":
                scope.path = _SLASHES.sub("/", uri)
        if "no-proxy" in scope.env:
            return Respond(404, None, "the variable no-proxy keeps it from the routes", extras, local=True)
        query = b"" if scope.args is None else b"?" + scope.args.encode("latin-1")
        route: BoundRoute | None = None
        for table in self.routes:
            found = table.find(scope.path, trace, route.id if route is not None else "")
            route = route or found
            if route is not None and trace is None:
                break
        return outcome(route, scope.path, query, scope.view.target, self.reading, extras)

    def _forward(self, rule: Rule, uri: str, args: str | None, raw: bool, extras: Extras | None) -> Decision:
        """[P]: the path is spelled as for a route, but for [NE], which sends it as it is (mod_proxy_http's canon)."""
        cut = uri.find("/", uri.find("://") + 3)
        there, path = (uri, "") if cut < 0 else (uri[:cut], uri[cut:])
        try:
            route = self.bound.get((rule.id, there)) or self._bind(rule, there)
        except ValueError as why:
            return Respond(500, None, f"rule {rule.id} forwards to no upstream: {readable(str(why))}", extras)
        if raw and BAD(path):
            return Respond(403, None, "the path to be forwarded holds a blank or a control character", extras)
        spelled = path.encode("latin-1") if raw else escaped_upstream(path, self.reading)
        query = b"" if args is None else b"?" + args.encode("latin-1")
        if extras is not None:
            extras = extras._replace(hits=tuple(state for state in extras.hits if state is not rule.state))
        return Forward(route, (spelled or b"/") + query, extras)

    def _bind(self, rule: Rule, there: str) -> BoundRoute:
        """The route of a rule to an origin or a balancer. Raises ValueError, with a sentence, for what is neither."""
        named = balancer(there)
        pool = named[0] if named is not None else origin(there).url
        if named is not None and pool not in self.site.balancers:
            raise ValueError(f"there is no balancer {pool}")
        if len(self.bound) >= _MOST_BOUND:
            self.bound.clear()
        options = self.site.site
        route = self.bound[rule.id, there] = BoundRoute(
            id=rule.id,
            path="",
            pool=pool,
            target=b"",
            timeout=options.timeout,
            error_override=options.error_override,
            reverse=rule_rows(self.site, pool),
            state=rule.state,
            rows="rewrites",
        )
        return route

    def located(self, view: RequestView, decision: Decision) -> tuple[str, ...]:
        """The ids of the locations that hold for a request, in the order in which they are laid over each other."""
        try:
            path = normalised(split(view.target)[0], self.reading)
        except BadTarget:
            return ()
        url = self._url(decision) if isinstance(decision, Forward) else ""
        return tuple(section.row.id for section in self.sections if section.holds(path, url))

    def _url(self, decision: Forward) -> str:
        """Where a request is forwarded to, as <Proxy> sees it."""
        pool = decision.route.pool or ""
        url = ("balancer://" + pool if pool in self.site.balancers else pool) + decision.target.decode("latin-1")
        return url.partition("?")[0]

    def _settled(self, decision: Decision, scope: Scope, trace: Trace | None) -> Decision:
        if not self.settles:
            return decision
        url = self._url(decision) if isinstance(decision, Forward) else ""
        return locations.settle(self.sections, self.guard, decision, scope, url, trace)

    def _ahead(self, scope: Scope, uri: str) -> tuple[Scope, int]:
        """What a path would become as a request of its own (``ap_sub_req_lookup_uri``)."""
        path, mark, args = uri.partition("?")
        try:
            path = normalised(escaped_upstream(path, self.reading), self.reading) if path.startswith("/") else path
        except BadTarget as bad:
            return scope, bad.status
        ahead = Scope(
            scope.view,
            scope.facts,
            path,
            args if mark else None,
            self.server_name,
            self.port,
            dict(scope.env),
            path,
            subrequest=True,
            ours=self.ours,
        )
        ending = rewrite.run(self.rules, ahead, Effects())
        if ending.kind == "pass":
            ahead.path = ahead.uri
        return ahead, ending.status if ending.kind == "status" else 200


def _skip(tables: tuple[Routes, ...], trace: Trace | None, why: str) -> None:
    if trace is not None:
        trace += [Step(("routes", row.id), "skipped", why) for table in tables for row in table.rows]


def compile_rules(site: Site, state: States, previous: Program | None = None) -> Program:
    """Compile the rules of a site that ``lint`` found no error in; ``previous`` lends the parts that are equal.

    Raises ValueError, with a sentence, for what does not parse."""
    rules = {row.id: rewrite.compile(row, state("rewrites", row.id)) for row in site.rewrites if row.enabled}
    setters = [env.compile(row, state("env", row.id)) for row in site.env if row.enabled]

    def guard(address: Address, said: Options | Host | Location) -> Guard:
        return access.compile(site, address, said.require, said.auth)

    def guarded(row: Location) -> Guard:
        return guard(("locations", row.id), row)

    base = guard(("site",), site.site)

    def server(name: str, host: Host, known: Server | None) -> Server:
        own = [rules[row.id] for row in site.rewrites if row.enabled and row.host == name]
        before = [rules[row.id] for row in site.rewrites if row.enabled and row.host == ""] if name else []
        ordered = {"before": [*before, *own], "after": [*own, *before], "own": own, "off": []}[host.rewrites]
        names = hosts.names(host)
        variables = [setter for setter in setters if setter.row.host in ("", name)]
        mine = replace(site, site=hosts.options(site, host)) if name else site
        tables = compiled(mine, name, known)
        return Server(
            name=name,
            site=mine,
            server_name=hosts.server_name(host, site.site.server_name),
            late=tuple(setter for setter in variables if setter.row.late),
            env=tuple(setter for setter in variables if not setter.row.late),
            rules=tuple(ordered),
            routes=tables,
            sections=locations.compile([row for row in site.locations if row.host in ("", name)], guarded),
            guard=base.under(guard(("hosts", name), host)) if name else base,
            ours=names,
            port=hosts.own_port(host),
            reading=tables[0].basis.reading,
        )

    common = compile_routes(
        site,
        tuple(row for row in site.routes if row.host == ""),
        state,
        previous.server.routes[0] if previous is not None else None,
    )

    def compiled(mine: Site, name: str, known: Server | None) -> tuple[Routes, ...]:
        """The server's routes and the host's own; both as the host's options have it, where it has its own."""
        if not name:
            return (common,)
        own = tuple(row for row in site.routes if row.host == name)
        routes = compile_routes(mine, own, state, known.routes[1] if known is not None else None)
        if routes.basis == common.basis:
            return common, routes
        return compile_routes(mine, common.rows, state, known.routes[0] if known is not None else None), routes

    whole = server("", Host(server_name=site.site.server_name), None)
    known = previous.hosts if previous is not None else {}
    virtual = {name: server(name, host, known.get(name)) for name, host in site.hosts.items()}
    tables = hosts.tables(site.hosts, [*site.listeners, ""])
    scopes = compile_scopes(site)
    if not (virtual or whole.env or whole.late or whole.rules or whole.settles):
        return Program(common.decide, False, whole, {}, {}, scopes)

    def decide(view: RequestView, facts: Facts, trace: Trace | None = None) -> Decision:
        """Choose the host, and let its rules decide."""
        chosen = whole
        listener = view.connection.listener
        table = tables.get(listener if listener in site.listeners else "")
        if table is not None:
            name, named = table.find(view.host.decode("latin-1"))
            chosen = virtual[name]
            if trace is not None:
                shown = readable(view.host)
                why = f'"{shown}" is one of its names' if named else f'no host is named "{shown}": it is the first'
                trace.append(Step(("hosts", name), "match", why))
        try:
            return chosen.decide(view, facts, trace)
        except Unknown as unknown:
            return Need(unknown.key)
        except Runaway as runaway:
            return Respond(500, None, str(runaway))

    return Program(decide, True, whole, virtual, tables, scopes)
