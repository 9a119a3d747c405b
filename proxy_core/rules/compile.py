"""Compiling the rules of a site: its hosts, each with the server's rows and its own, and the way in.

What is equal in the program before is used again. Done outside the request path. Rows without a host come before a
host's own, as Apache merges a server into its virtual hosts.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from proxy_core.config.folders import Root, root_of
from proxy_core.config.model import Host, Location, Options, Site
from proxy_core.errors import Address
from proxy_core.http.request_view import RequestView
from proxy_core.http.target import readable
from proxy_core.rules import env, hosts, locations
from proxy_core.rules.access import guards
from proxy_core.rules.access.guards import Guard
from proxy_core.rules.decision import Decision, Respond, RuleState, Step, Trace
from proxy_core.rules.facts import Facts, Need, Unknown
from proxy_core.rules.host_rules import HostRules
from proxy_core.rules.program import Program
from proxy_core.rules.rewriting import rewrite
from proxy_core.rules.routing.route_table import RouteTable, compile_routes, served
from proxy_core.rules.settings import compile_scopes
from proxy_core.rules.text.pattern import Runaway

States = Callable[[str, str], RuleState]


def compile_rules(site: Site, state: States, previous: Program | None = None) -> Program:
    """Compile the rules of a site that ``lint`` found no error in; ``previous`` lends the parts that are equal.

    Raises ValueError, with a sentence, for what does not parse."""
    rules = {row.id: rewrite.compile(row, state("rewrites", row.id)) for row in site.rewrites if row.enabled}
    of_hosts = [row for row in site.rewrites if row.enabled and not row.location]
    setters = [env.compile(row, state("env", row.id)) for row in site.env if row.enabled]

    def guard(address: Address, said: Options | Host) -> Guard:
        return guards.compile(site, address, said.require, said.auth)

    def guarded(row: Location) -> Guard:
        return guards.compile(site, ("locations", row.id), row.require, row.auth, row.merging)

    base = guard(("site",), site.site)

    def server(name: str, host: Host, known: HostRules | None) -> HostRules:
        own = [rules[row.id] for row in of_hosts if row.host == name]
        before = [rules[row.id] for row in of_hosts if row.host == ""] if name else []
        inner = [rules[row.id] for row in site.rewrites if row.enabled and row.location and row.host in ("", name)]
        ordered = {"before": [*before, *own], "after": [*own, *before], "own": own, "off": []}[host.rewrites]
        names = hosts.names(host)
        places = [row for row in site.locations if row.host in ("", name)]
        mine_too = [setter for setter in setters if setter.row.host in ("", name)]
        variables = [setter for setter in mine_too if not setter.row.location]
        mine = replace(site, site=hosts.options(site, host)) if name else site
        its = hosts.own(host, mine.site)
        tables = compiled(mine, name, known, its)
        return HostRules(
            name=name,
            site=mine,
            server_name=hosts.server_name(host, site.site.server_name),
            late=tuple(setter for setter in variables if setter.row.late),
            env=tuple(setter for setter in variables if not setter.row.late),
            rules=tuple(ordered),
            routes=tables,
            sections=locations.compile(places, guarded, inner, mine_too),
            guard=base.under(guard(("hosts", name), host)) if name else base,
            ours=names,
            port=hosts.own_port(host),
            reading=tables[0].basis.reading,
            files=served(mine.site, None, RuleState(), its),
            own=its,
        )

    itself = Host(server_name=site.site.server_name)
    common = compile_routes(
        site,
        tuple(row for row in site.routes if row.host == ""),
        state,
        previous.server.routes[0] if previous is not None else None,
        hosts.own(itself, site.site),
    )

    def compiled(mine: Site, name: str, known: HostRules | None, its: hosts.Own) -> tuple[RouteTable, ...]:
        """The server's routes and the host's own; both as the host's options have it, where it has its own."""
        if not name:
            return (common,)
        own = tuple(row for row in site.routes if row.host == name)
        routes = compile_routes(mine, own, state, known.routes[1] if known is not None else None, its)
        if routes.basis == common.basis:
            return common, routes
        shared = known.routes[0] if known is not None else None
        return compile_routes(mine, common.rows, state, shared, its), routes

    whole = server("", itself, None)
    known = previous.hosts if previous is not None else {}
    virtual = {name: server(name, host, known.get(name)) for name, host in site.hosts.items()}
    tables = hosts.tables(site.hosts, [*site.listeners, ""])
    scopes = compile_scopes(site)
    plain = not (virtual or whole.env or whole.late or whole.rules or whole.settles or whole.files)
    if plain and not common.answering and not any(row.interpolate for row in common.rows):
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

    return Program(decide, True, whole, virtual, tables, scopes, _roots(site))


def _roots(site: Site) -> dict[str, Root]:
    """The folders that a site serves, by their keys."""
    places = [site.site, *(hosts.options(site, host) for host in site.hosts.values())]
    found = [root_of(options, row) for options in places for row in (None, *site.routes)]
    return {root.key: root for root in found if root is not None}
