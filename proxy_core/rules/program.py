"""A compiled site as the proxy asks it: what becomes of a request, and what else holds for it.

``ruleset`` makes it; here is only what is read from it. Immutable, but for the states and memories it points at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from proxy_core.config.folders import Root
from proxy_core.http.request_view import RequestView
from proxy_core.rules.decision import BoundRoute, Decision, Forward, Redirect, Respond, Trace
from proxy_core.rules.facts import Facts
from proxy_core.rules.fields.edits import Edits
from proxy_core.rules.hosts import Table
from proxy_core.rules.rewriting import rewrite
from proxy_core.rules.rewriting.rewrite import BoundRewrite
from proxy_core.rules.settings import Scopes, Settings

if TYPE_CHECKING:
    from proxy_core.rules.host_rules import HostRules

Decide = Callable[[RequestView, Facts, Trace | None], Decision]


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """A site's rules, compiled. ``decide`` is the way in; ``asks`` says whether it may look at the facts at all;
    ``roots`` are the folders that are served, by their keys."""

    decide: Decide
    asks: bool
    server: HostRules
    hosts: Mapping[str, HostRules]
    tables: Mapping[str, Table]
    scopes: Scopes | None = None
    roots: Mapping[str, Root] = field(default_factory=dict)

    def early(self, view: RequestView) -> Edits | None:
        """What is done to the fields of a request before its rules see it; None for nothing."""
        if self.scopes is None or not self.scopes.early:
            return None
        edits = self.scopes.find(self.server_of(view).name, "").edits
        return edits if edits.early else None

    def server_of(self, view: RequestView) -> HostRules:
        """The host that a request is for, or the server where none is."""
        listener = view.connection.listener
        table = self.tables.get(listener if listener in self.server.site.listeners else "")
        return self.server if table is None else self.hosts[table.find(view.host.decode("latin-1"))[0]]

    def settings(self, view: RequestView, decision: Forward | Redirect | Respond) -> Settings | None:
        """What holds for a decided request besides where it goes; None where the site says nothing of the kind."""
        if self.scopes is None:
            return None
        server = self.server_of(view)
        route = decision.route
        locations = server.located(view, decision) if self.scopes.located else ()
        return self.scopes.find(
            server.name, route.id if route is not None and route.rows == "routes" else "", locations
        )

    @property
    def general(self) -> Settings | None:
        """What holds for a request that was refused before any rule: the rows that are for the whole site."""
        return self.scopes.find("", "") if self.scopes is not None else None

    @property
    def routes(self) -> tuple[BoundRoute, ...]:
        """Every route of the site."""
        own = [self.server.routes[0], *(server.routes[1] for server in self.hosts.values())]
        return tuple(bound for table in own for bound in table.bound)

    @property
    def rewrites(self) -> tuple[BoundRewrite, ...]:
        """Every rewrite rule of the site that is in service, once."""
        servers = (self.server, *self.hosts.values())
        inner = (section.rules for server in servers for section in server.sections)
        lists = (*(server.rules for server in servers), *inner)
        return tuple({rule.id: rule for rules in lists for rule in rules}.values())

    @property
    def origins(self) -> set[str]:
        """The origins that rules name themselves, as far as they can be told without a request."""
        return {there for rule in self.rewrites if (there := rewrite.fixed_origin(rule))}

    @property
    def keys(self) -> set[tuple[str, str]]:
        """The identity of every row that counts its hits: (list, id)."""
        servers = (self.server, *self.hosts.values())
        rows = {("routes", bound.id) for bound in self.routes} | {("rewrites", rule.id) for rule in self.rewrites}
        return (
            rows
            | {("env", each.id) for server in servers for each in (*server.env, *server.late)}
            | {("env", each.id) for server in servers for section in server.sections for each in section.setters}
        )
