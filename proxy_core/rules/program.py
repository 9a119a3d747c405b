"""A compiled site as the proxy asks it: which host a request is for, and what else holds for it.

``compile`` makes it; here is only what is read from it. Immutable, but for the states and memories it points at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce

from msgspec import Struct, field

from proxy_core.config.folders import Root
from proxy_core.config.model import FileTypes
from proxy_core.http.request_view import RequestView
from proxy_core.http.target import readable
from proxy_core.rules.decision import BoundRoute, Forward, Redirect, Respond, Step, Trace
from proxy_core.rules.fields.edits import Edits
from proxy_core.rules.host_rules import HostRules
from proxy_core.rules.hosts import Table
from proxy_core.rules.rewriting import rewrite
from proxy_core.rules.rewriting.rewrite import BoundRewrite
from proxy_core.rules.settings import Scopes, Settings


class Program(Struct, frozen=True, eq=False):
    """A site's rules, compiled."""

    server: HostRules
    """The rules where no host answers."""
    hosts: Mapping[str, HostRules] = field(default_factory=dict)
    """The rules of each host, by its key."""
    tables: Mapping[str, Table] = field(default_factory=dict)
    """The names of the hosts that each listener leads to."""
    scopes: Scopes | None = None
    """The rows that change fields and pages, None where the site has none."""
    roots: Mapping[str, Root] = field(default_factory=dict)
    """The folders that are served, by their keys."""
    private: tuple[str, ...] = ()
    """The files that the site names for itself, as configured: no folder serves them."""
    asks: bool = False
    """Whether deciding is likely to look at the facts."""

    def host_of(self, view: RequestView, trace: Trace | None = None) -> HostRules:
        """The rules of the host that a request is for, or of the server where none is."""
        if not self.tables:
            return self.server
        listener = view.connection.listener
        table = self.tables.get(listener if listener in self.server.site.listeners else "")
        if table is None:
            return self.server
        name, named = table.find(view.host.decode("latin-1"))
        if trace is not None:
            shown = readable(view.host)
            why = f'"{shown}" is one of its names' if named else f'no host is named "{shown}": the first stands in'
            trace.append(Step(("hosts", name), "match", why))
        return self.hosts[name]

    def file_types(self, host: str, sections: Iterable[str]) -> FileTypes:
        """What the names of files say of them in a host ("" for none) and these rows of [[locations]], each of which
        has the last word on what those before it say."""
        rules = self.hosts.get(host, self.server)
        held = {section.row.id: section.row.file_types for section in rules.sections}
        return reduce(FileTypes.under, (held.get(each) for each in sections), rules.site.file_types)

    def early(self, host: HostRules) -> Edits | None:
        """What is done to the fields of a request of this host before its rules see it; None for nothing."""
        if self.scopes is None or not self.scopes.early:
            return None
        edits = self.scopes.find(host.name, "").edits
        return edits if edits.early else None

    def settings(self, host: HostRules, decision: Forward | Redirect | Respond) -> Settings | None:
        """What holds for a decided request besides where it goes; None where the site says nothing of the kind."""
        if self.scopes is None:
            return None
        route = decision.route
        return self.scopes.find(
            host.name, route.id if route is not None and route.rows == "routes" else "", decision.sections
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
        return {origin for rule in self.rewrites if (origin := rewrite.fixed_origin(rule))}

    @property
    def keys(self) -> set[tuple[str, str]]:
        """The identity of every row that counts its hits: (list, id)."""
        return {("routes", bound.id) for bound in self.routes} | {("rewrites", rule.id) for rule in self.rewrites}
