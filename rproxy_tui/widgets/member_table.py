"""The members of one balancer or of all: who gets what, who is sick, who can be stopped.

The dashboard shows it, and the balancers page edits through it with a cursor. The cursor stays on its member, whatever
rows come and go, and so do marks, which are for changing several members in one go. Share stands beside the share
that the weights promise, because their difference is what one looks for.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from textual.binding import Binding

from proxy_core.control.view import MemberLoad, Snapshot
from rproxy_tui import words
from rproxy_tui.widgets.row_table import RowTable
from rproxy_tui.widgets.sparkline import bar, sparkline
from rproxy_tui.widgets.table import Cell, Column


class ShownMember(NamedTuple):
    """A member, the second that its ``per_second`` ends with, and whether it is marked."""

    load: MemberLoad
    end: int
    marked: bool = False


MARK = "✓"


def _name(shown: ShownMember, width: int) -> Cell:
    prefix, name = words.member_fit(shown.load.balancer, shown.load.member, width)
    return ((prefix, "muted"), (name, "")) if prefix else ((name, ""),)


def _bare_name(shown: ShownMember, width: int) -> Cell:
    name = words.middle(words.member_name("", shown.load.member), width)
    return ((name, "accent" if shown.marked else ""),)


def _state(shown: ShownMember, width: int) -> Cell:
    glyph, state, style = words.member_state(shown.load)
    return ((words.clip(f"{glyph} {state}", width), style),)


def _share(shown: ShownMember, width: int) -> Cell:
    load = shown.load
    share, promised = words.percent(load.share).rjust(4), words.percent(load.promised).rjust(4)
    return (
        (f"{share} ", ""),
        (bar(load.share, width - 10, load.promised or None), "accent"),
        (f" {promised}", "muted"),
    )


def _errors(shown: ShownMember, width: int) -> Cell:
    errors = shown.load.errors
    return ((words.count(errors), "error" if errors else "muted"),)


def _spark(shown: ShownMember, width: int) -> Cell:
    return ((sparkline(shown.load.per_second, width, shown.end), "accent"),)


def _weight(shown: ShownMember, width: int) -> Cell:
    return ((words.weight(shown.load.weight), "" if shown.load.balancer else "muted"),)


COLUMNS: tuple[Column[ShownMember], ...] = (
    Column("member", 12, _name, grow=1, most=30),
    Column("state", 23, _state),
    Column("weight", 6, _weight, priority=3, right=True),
    Column("in flight", 9, lambda m, _: ((words.count(m.load.busy), ""),), priority=1, right=True),
    Column("req/s", 5, lambda m, _: ((words.rate(m.load.rate), ""),), priority=2, right=True),
    Column("share promise", 13, _share, priority=4, grow=9, most=16),
    Column("errors", 6, _errors, priority=6, right=True),
    Column("p50 ms", 6, lambda m, _: ((words.millis(m.load.latency.p50), ""),), priority=9, right=True),
    Column("p95 ms", 6, lambda m, _: ((words.millis(m.load.latency.p95), ""),), priority=5, right=True),
    Column("p99 ms", 6, lambda m, _: ((words.millis(m.load.latency.p99), ""),), priority=8, right=True),
    Column("last minute", 11, _spark, priority=7, grow=3, most=30),
    Column("sent", 5, lambda m, _: ((words.count(m.load.sent), ""),), priority=10, right=True),
    Column("rcvd", 5, lambda m, _: ((words.count(m.load.received), ""),), priority=11, right=True),
)

MARKS: Column[ShownMember] = Column("", 1, lambda m, _: ((MARK if m.marked else " ", "accent"),))


LEAST = 17
"""Cells that a name gets in any case when it needs them."""
KEPT = 4
"""The greatest priority of a column that gives nothing up for a longer name."""


def key(load: MemberLoad) -> str:
    """What a member's row is called."""
    return f"{load.balancer}/{load.member}"


class MemberTable(RowTable[ShownMember]):
    """``show_members`` gives it the members, ``marks`` are the keys of those that are marked. Only where members are
    edited (not ``qualified``) can they be marked."""

    BINDINGS = [Binding("enter", "choose", "Open", show=False, id="open_member")]

    def __init__(self, *, qualified: bool = True, id: str | None = None) -> None:
        """``qualified``: a member's name begins with that of its balancer."""
        super().__init__(COLUMNS, id=id)
        self._qualified = qualified
        self._loads: dict[str, MemberLoad] = {}
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
        self.marks = self._markable(self.marks)
        self.show(tuple(self._loads), self._shown, self._columns())

    def _shown(self, name: str) -> ShownMember:
        return ShownMember(self._loads[name], self._end, name in self.marks)

    def _columns(self) -> tuple[Column[ShownMember], ...]:
        """The names of the members get as much room as they need: more than the least only where it takes nothing
        from columns that matter more than a name's middle."""
        marks = () if self._qualified else (MARKS,)
        first, *others = COLUMNS if self._qualified else (replace(COLUMNS[0], cell=_bare_name), *COLUMNS[1:])
        longest = max((len(words.member_name("", load.member)) for load in self._loads.values()), default=0)
        taken = sum(column.width + 1 for column in (*marks, *others) if column.priority <= KEPT)
        width = max(first.width, min(longest, max(LEAST, min(first.most, self.size.width - taken))))
        return (*marks, replace(first, width=width), *others)

    def mark(self, marks: frozenset[str]) -> None:
        """Mark these members, and no others."""
        self.marks = self._markable(marks)
        self.changed()

    def _markable(self, marks: frozenset[str]) -> frozenset[str]:
        return marks & {name for name, load in self._loads.items() if not load.retired}
