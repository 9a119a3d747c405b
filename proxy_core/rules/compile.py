"""Compiles the rules of a site into a Program: the rules of each host, and the names by which a request finds its host.

Runs outside the request path, and uses again what is equal in the previous Program. Rows without a host come before a
host's own, as Apache merges a server into its virtual hosts.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from proxy_core.config.folders import Root, root_of
from proxy_core.config.model import Host, Location, Options, Site
from proxy_core.config.private_files import private_files
from proxy_core.errors import Address
from proxy_core.rules import env, hosts, locations
from proxy_core.rules.access import authorization
from proxy_core.rules.access.authorization import Guard
from proxy_core.rules.env import Setter
from proxy_core.rules.host_rules import HostRules
from proxy_core.rules.memory import Memory
from proxy_core.rules.program import Program
from proxy_core.rules.rewriting import rewrite
from proxy_core.rules.rewriting.rewrite import BoundRewrite
from proxy_core.rules.routing.files import HostTypes, served
from proxy_core.rules.routing.route_table import RouteTable, compile_routes
from proxy_core.rules.rule_state import RuleState
from proxy_core.rules.settings import compile_scopes

States = Callable[[str, str], RuleState]
"""The counters of a row, by its list and its id."""


class _Rows(Struct, frozen=True):
    """The enabled rows of a site, each compiled once for all hosts that have it."""

    site: Site
    """The whole site."""
    rewrites: tuple[BoundRewrite, ...]
    """The rewrite rules."""
    setters: tuple[Setter, ...]
    """The variables."""
    state: States
    """The counters."""
    laid_on_answers: bool
    """Whether something that is laid on answers is for some location."""
    shows_paths: bool
    """Whether fields may tell the path that answers."""
    memory: Memory
    """What all hosts remember of decisions."""


def compile_rules(site: Site, state: States, previous: Program | None = None) -> Program:
    """Compile the rules of a site that ``lint`` found no error in; ``previous`` lends the parts that are equal.

    Raises ValueError, with a sentence, for what does not parse."""
    scopes = compile_scopes(site)
    rows = _Rows(
        site,
        tuple(rewrite.compile(row, state("rewrites", row.id)) for row in site.rewrites if row.enabled),
        tuple(env.compile(row) for row in site.env if row.enabled),
        state,
        scopes is not None and scopes.located,
        scopes is not None and scopes.shows_paths,
        Memory(),
    )
    server = _server(rows, previous.server if previous is not None else None)
    known = previous.hosts if previous is not None else {}
    virtual = {name: _host(rows, name, host, server, known.get(name)) for name, host in site.hosts.items()}
    return Program(
        server,
        virtual,
        hosts.tables(site.hosts, [*site.listeners, ""]),
        scopes,
        _roots(site),
        tuple(dict.fromkeys(private_files(site))),
        asks=any(map(_asks, (server, *virtual.values()))) or (scopes is not None and scopes.asks),
    )


def _server(rows: _Rows, previous: HostRules | None) -> HostRules:
    """The rules where no host answers."""
    site = rows.site
    itself = Host(server_name=site.site.server_name)
    own = hosts.own(itself, site.site)
    shared = tuple(row for row in site.routes if row.host == "")
    table = compile_routes(site, shared, rows.state, previous.routes[0] if previous is not None else None, own)
    return _rules(rows, "", itself, site, own, (table,), _guard(site, ("site",), site.site))


def _host(rows: _Rows, name: str, host: Host, server: HostRules, previous: HostRules | None) -> HostRules:
    """The rules of a host: the server's routes and its own, both as the host's options have it where it has its own."""
    its_types = rows.site.file_types.under(host.file_types)
    site = replace(rows.site, site=hosts.options(rows.site, host), file_types=its_types)
    own = hosts.own(host, site.site)
    shared, mine = previous.routes if previous is not None else (None, None)
    its = compile_routes(site, tuple(row for row in site.routes if row.host == name), rows.state, mine, own)
    common = server.routes[0]
    if its.basis != common.basis:
        common = compile_routes(site, common.rows, rows.state, shared, own)
    guard = server.guard.under(_guard(rows.site, ("hosts", name), host))
    return _rules(rows, name, host, site, own, (common, its), guard)


def _rules(
    rows: _Rows, name: str, host: Host, site: Site, own: hosts.Own, routes: tuple[RouteTable, ...], guard: Guard
) -> HostRules:
    """``site`` has the options of the host laid over its own."""
    options = rows.site.site
    reached = ("", name)
    setters = [setter for setter in rows.setters if setter.row.host in reached]
    variables = [setter for setter in setters if not setter.row.location]
    inner = [rule for rule in rows.rewrites if rule.row.location and rule.row.host in reached]
    places = [row for row in rows.site.locations if row.host in reached]
    bound = [each for table in routes for each in zip(table.rows, table.bound, strict=True)]
    redirects = [(row.location, route) for row, route in bound if row.location and row.enabled]
    return HostRules(
        name=name,
        site=site,
        server_name=hosts.server_name(host, options.server_name),
        port=hosts.own_port(host),
        ours=hosts.names(host),
        routes=routes,
        rules=_ordered(rows, name, host),
        env=tuple(setter for setter in variables if not setter.row.late),
        late=tuple(setter for setter in variables if setter.row.late),
        sections=locations.compile(places, lambda row: _guard_of_location(rows.site, row), inner, setters, redirects),
        laid_on_answers=rows.laid_on_answers,
        shows_paths=rows.shows_paths,
        memory=rows.memory,
        guard=guard,
        files=served(site.site, None, RuleState(("site", "document_root")), own),
        folders={rule.id: found for rule in rows.rewrites if (found := served(site.site, rule.row, rule.state, own))},
        own=own,
        types=HostTypes(
            name if host.file_types is not None else "",
            frozenset(row.id for row in places if row.file_types is not None),
        ),
    )


def _asks(host: HostRules) -> bool:
    """Whether the rules of a host are likely to ask for facts."""
    inputs = host.shortcuts.inputs
    return inputs is None or inputs.asks or bool(host.root)


def _ordered(rows: _Rows, name: str, host: Host) -> tuple[BoundRewrite, ...]:
    """The rules of a host in the order in which they are tried; those of the server, under the name "", are its own."""
    outside = [rule for rule in rows.rewrites if not rule.row.location]
    shared = [rule for rule in outside if rule.row.host == ""] if name else []
    return hosts.rewrites_in_order(host, shared, [rule for rule in outside if rule.row.host == name])


def _guard(site: Site, address: Address, place: Options | Host) -> Guard:
    return authorization.compile(site, address, place.require, place.auth)


def _guard_of_location(site: Site, row: Location) -> Guard:
    return authorization.compile(site, ("locations", row.id), row.require, row.auth, row.merging, row.forward_auth)


def _roots(site: Site) -> dict[str, Root]:
    """The folders that a site serves, by their keys."""
    places = [site.site, *(hosts.options(site, host) for host in site.hosts.values())]
    found = [root_of(options, row) for options in places for row in (None, *site.routes, *site.rewrites)]
    return {root.key: root for root in found if root is not None}
