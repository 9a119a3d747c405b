"""The two tables of the Balancers page: the balancers, and the members of one of them or of all.

A line for each balancer says how many members are up, what they carry, and which routes use it. One line is chosen: the
balancer whose members stand beneath. It has a sign and not a cursor, because the cursor is on a member.

The dashboard shows the members too, and the balancers page edits through them with a cursor. The cursor stays on its
member, whatever rows come and go, and so do marks, which are for changing several members in one go. What one looks for
is pointed out: p95 that is a multiple of the peers', a share that is not the one that the weights promise.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from textual.binding import Binding

from proxy_core.config.destination import destination
from proxy_core.config.model import Route, Site
from proxy_core.control.view import MemberLoad, Snapshot
from proxy_core.control.watching.member_standing import standing
from proxy_core.http.target import balancer
from rproxy_tui import words
from rproxy_tui.widgets.charts import sparkline
from rproxy_tui.widgets.row_table import RowTable
from rproxy_tui.widgets.table import Cell, Column


class ShownMember(NamedTuple):
    """A member, the second that its ``per_second`` ends with, and whether it is marked."""

    load: MemberLoad
    end: int
    marked: bool = False
    peers: float = -1.0
    """Median of the others' p95 in seconds; -1 where there is none."""


MARK = "✓"
PARTED = 0.1
"""The difference of share and promise from which both are said."""
MUCH = 2.0
"""Times its peers' p95 from which that is said."""


def _name(shown: ShownMember, width: int) -> Cell:
    prefix, name = words.member_fit(shown.load.balancer, shown.load.member, width)
    return ((prefix, "muted"), (name, "")) if prefix else ((name, ""),)


def _bare_name(shown: ShownMember, width: int) -> Cell:
    name = words.middle(words.member_name("", shown.load.member), width)
    return ((name, "accent" if shown.marked else ""),)


def _state(shown: ShownMember, width: int) -> Cell:
    """In words, or in one where there is no room for more."""
    glyph, state, style = words.member_state(shown.load)
    if words.cells(state) + 2 > width:
        state = words.member_state_word(shown.load)
    return ((words.clip(f"{glyph} {state}", width), style),)


def _share(shown: ShownMember, _: int) -> Cell:
    """What it gets, and what the weights promise where that is another."""
    load = shown.load
    share, promised = words.percent(load.share), words.percent(load.promised)
    if load.share == load.promised == 0 or load.promised < 0:
        return (("", ""),)
    return ((f"{share}/{promised}", ""),) if abs(load.share - load.promised) >= PARTED else ((share, "muted"),)


def _errors_part(shown: ShownMember, _: int) -> Cell:
    part = shown.load.part_5xx
    if part < 0:
        return ((words.NOTHING, "muted"),)
    return ((f"{100 * part:.1f}" if part else "0", "error" if part >= 0.01 else "warning" if part else ""),)


def _p95(shown: ShownMember, width: int) -> Cell:
    """Times as much as the median of its peers, where that is much."""
    took, times = shown.load.latency.p95, shown.load.latency.p95 / shown.peers if shown.peers > 0 else 0.0
    if times < MUCH:
        return ((words.millis(took), ""),)
    text = f"{words.millis(took)} ×{times:.{0 if times >= 9.5 else 1}f}"
    return ((text if words.cells(text) <= width else f"×{times:.0f}", "warning"),)


def _errors(shown: ShownMember, width: int) -> Cell:
    errors = shown.load.errors
    return ((words.count(errors), "error" if errors else "muted"),)


def _spark(shown: ShownMember, width: int) -> Cell:
    return ((sparkline(shown.load.per_second, width, shown.end), "accent"),)


def _weight(shown: ShownMember, width: int) -> Cell:
    return ((words.weight(shown.load.weight), "" if shown.load.balancer else "muted"),)


MEMBERS: tuple[Column[ShownMember], ...] = (
    Column("member", 12, _name, grow=1, most=30),
    Column("state", 10, _state, grow=9, most=23),
    Column("5xx %", 5, _errors_part, priority=1, right=True, order=lambda m: m.load.part_5xx),
    Column("p95 ms", 9, _p95, priority=2, right=True, order=lambda m: m.load.latency.p95),
    Column("in flight", 9, lambda m, _: ((words.count(m.load.busy), ""),), priority=3, right=True,
           order=lambda m: m.load.busy),
    Column("req/s", 5, lambda m, _: ((words.rate(m.load.rate), ""),), priority=4, right=True,
           order=lambda m: m.load.rate),
    Column("weight", 6, _weight, priority=5, right=True, order=lambda m: m.load.weight),
    Column("share", 9, _share, priority=6, right=True, order=lambda m: m.load.share),
    Column("errors", 6, _errors, priority=7, right=True, order=lambda m: m.load.errors),
    Column("last minute", 11, _spark, priority=8, grow=3, most=30, order=lambda m: m.load.rate),
    Column("p99 ms", 6, lambda m, _: ((words.millis(m.load.latency.p99), ""),), priority=9, right=True,
           order=lambda m: m.load.latency.p99),
    Column("p50 ms", 6, lambda m, _: ((words.millis(m.load.latency.p50), ""),), priority=10, right=True,
           order=lambda m: m.load.latency.p50),
    Column("sent", 5, lambda m, _: ((words.count(m.load.sent), ""),), priority=11, right=True,
           order=lambda m: m.load.sent),
    Column("rcvd", 5, lambda m, _: ((words.count(m.load.received), ""),), priority=12, right=True,
           order=lambda m: m.load.received),
)  # fmt: skip

MARKS: Column[ShownMember] = Column("", 1, lambda m, _: ((MARK if m.marked else " ", "accent"),))


LEAST = 17
"""Cells that a name gets in any case when it needs them."""
WIDE = 110
"""Cells of a table from which states are said in words, whatever else there is."""
KEPT = 6
"""The greatest priority of a column that gives nothing up for a longer name."""


def key(load: MemberLoad) -> str:
    """What a member's row is called."""
    return f"{load.balancer}/{load.member}"


def peers(loads: Sequence[MemberLoad]) -> dict[str, float]:
    """Of each member the median of its peers' p95, by its row; of one that has none, nothing."""
    by_balancer: dict[str, list[float]] = {}
    measured = [load for load in loads if load.balancer and load.latency.p95 >= 0]
    for load in measured:
        by_balancer.setdefault(load.balancer, []).append(load.latency.p95)
    found = {}
    for times in by_balancer.values():
        times.sort()
    for load in measured:
        times = by_balancer[load.balancer]
        place = bisect_left(times, load.latency.p95)
        others = times[:place] + times[place + 1 :]
        if others:
            found[key(load)] = others[len(others) // 2]
    return found


class MemberTable(RowTable[ShownMember]):
    """``show_members`` gives it the members, ``marks`` are the keys of those that are marked. Only where members are
    edited (not ``qualified``) can they be marked."""

    BINDINGS = [Binding("enter", "choose", "Open", show=False, id="open_member")]

    def __init__(self, *, qualified: bool = True, id: str | None = None) -> None:
        """``qualified``: a member's name begins with that of its balancer."""
        super().__init__(MEMBERS, id=id)
        self._qualified = qualified
        self._loads: dict[str, MemberLoad] = {}
        self._peers: dict[str, float] = {}
        self._end = 0
        self.marks: frozenset[str] = frozenset()

    @property
    def cursor_load(self) -> MemberLoad | None:
        """The member under the cursor with its numbers; None when there is none."""
        return self._loads.get(self.cursor)

    def show_members(self, snapshot: Snapshot, balancer: str | None = None) -> None:
        """The members of ``balancer`` (None: of all, plain upstreams at the end), in the order of the site file."""
        self._end = int(snapshot.at) - 1
        loads = [load for load in snapshot.members if balancer is None or load.balancer == balancer]
        if balancer is None:
            named = list(dict.fromkeys(load.balancer for load in loads if load.balancer))
            loads.sort(key=lambda load: named.index(load.balancer) if load.balancer else len(named))
        self._loads = {key(load): load for load in loads}
        self._peers = peers(loads)
        self.marks = self._markable(self.marks)
        self.show(tuple(self._loads), self._shown, self._columns())

    def _shown(self, name: str) -> ShownMember:
        return ShownMember(self._loads[name], self._end, name in self.marks, self._peers.get(name, -1.0))

    def _columns(self) -> tuple[Column[ShownMember], ...]:
        """The names of the members get as much room as they need: more than the least only where it takes nothing
        from columns that matter more than a name's middle."""
        marks = () if self._qualified else (MARKS,)
        first, *others = MEMBERS if self._qualified else (replace(MEMBERS[0], cell=_bare_name), *MEMBERS[1:])
        others = [replace(each, width=each.most) if self._is_wide(each) else each for each in others]
        longest = max((len(words.member_name("", load.member)) for load in self._loads.values()), default=0)
        taken = sum(column.width + 1 for column in (*marks, *others) if column.priority <= KEPT)
        width = max(first.width, min(longest, max(LEAST, min(first.most, self.size.width - taken))))
        return (*marks, replace(first, width=width), *others)

    def _is_wide(self, column: Column[ShownMember]) -> bool:
        """Whether it is that of states, and there is room for words."""
        return column.title == "state" and self.size.width >= WIDE

    def mark(self, marks: frozenset[str]) -> None:
        """Mark these members, and no others."""
        self.marks = self._markable(marks)
        self.changed()

    def _markable(self, marks: frozenset[str]) -> frozenset[str]:
        return marks & {name for name, load in self._loads.items() if not load.retired}


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


BALANCERS: tuple[Column[ShownBalancer], ...] = (
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
        super().__init__(BALANCERS, selectable=False)
        self._routes: tuple[Route, ...] = ()
        self._users: dict[str, list[str]] = {}

    def show_site(self, site: Site, loads: Mapping[str, Sequence[MemberLoad]], chosen: str) -> None:
        """``loads`` holds the members by balancer; one that is not in the site any more is there for their sake."""
        if site.routes is not self._routes:
            self._routes, self._users = site.routes, users(site.routes)

        def shown(name: str) -> ShownBalancer:
            members = [load for load in loads[name] if not load.retired]
            up = sum(standing(load) == "up" for load in members)
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
