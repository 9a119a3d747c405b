"""The balancers, a line each: how many members are up, what they carry, and which routes use them.

One line is chosen: the balancer whose members stand beneath. It has a sign and not a cursor, because the cursor is on a
member.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from proxy_core.config.destination import destination
from proxy_core.config.model import Route, Site
from proxy_core.control.view import MemberLoad
from proxy_core.http.target import balancer
from rproxy_tui import words
from rproxy_tui.widgets.row_table import RowTable
from rproxy_tui.widgets.table import Column


class ShownBalancer(NamedTuple):
    """A balancer as it stands in the upper table."""

    name: str
    """The balancer's name."""
    chosen: bool
    """Whether its members stand beneath."""
    method: str
    """How it chooses, or that it was removed."""
    state: tuple[str, str]
    """How many of its members are up, in words, and the style of them."""
    rate: float
    """Requests a second."""
    busy: int
    """Requests in flight."""
    users: str
    """The ids of the routes that lead to it, in a row."""


COLUMNS: tuple[Column[ShownBalancer], ...] = (
    Column("", 1, lambda row, _: (("▸" if row.chosen else " ", "accent"),)),
    Column("balancer", 12, lambda row, w: ((words.clip(row.name, w), ""),), grow=1, most=28),
    Column("method", 11, lambda row, _: ((row.method, "muted"),), priority=3),
    Column("members", 12, lambda row, _: (row.state,)),
    Column("req/s", 6, lambda row, _: ((words.rate(row.rate), ""),), priority=1, right=True),
    Column("in flight", 9, lambda row, _: ((words.count(row.busy), ""),), priority=2, right=True),
    Column("  used by", 16, lambda row, w: ((words.clip(f"  {row.users}", w), "muted"),), priority=4, grow=2),
)


class BalancerTable(RowTable[ShownBalancer]):
    """``show_site`` gives it the balancers; ``cursor`` is the name of the chosen one."""

    def __init__(self) -> None:
        super().__init__(COLUMNS, selectable=False)
        self._routes: tuple[Route, ...] = ()
        self._users: dict[str, list[str]] = {}

    def show_site(self, site: Site, loads: Mapping[str, Sequence[MemberLoad]], chosen: str) -> None:
        """``loads`` holds the members by balancer; one that is not in the site any more is there for their sake."""
        if site.routes is not self._routes:
            self._routes, self._users = site.routes, users(site.routes)

        def shown(name: str) -> ShownBalancer:
            members = [load for load in loads[name] if not load.retired]
            up = sum(load.status == "enabled" and load.well for load in members)
            style = "muted" if not members else "good" if up == len(members) else "warning" if up else "error"
            return ShownBalancer(
                name=name,
                chosen=name == chosen,
                method=site.balancers[name].method if name in site.balancers else "removed",
                state=(f"{up} of {len(members)} up" if members else "none", style),
                rate=sum(load.rate for load in loads[name]),
                busy=sum(load.busy for load in loads[name]),
                users=", ".join(self._users.get(name, ())) or "no route",
            )

        self.show(tuple(loads), shown)
        self.go_to(chosen)


def users(routes: Sequence[Route]) -> dict[str, list[str]]:
    """The routes of each balancer."""
    found: dict[str, list[str]] = {}
    for row in routes:
        if row.proxy and balancer(row.proxy):
            found.setdefault(destination(row)[0] or "", []).append(row.id)
    return found
