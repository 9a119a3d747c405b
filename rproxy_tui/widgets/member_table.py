"""The members of one balancer or of all: who gets what, who is sick, who can be stopped.

The dashboard shows it, and the balancers page edits through it with a cursor. The cursor stays on its member, whatever
rows come and go, and so do marks, which are for changing several members in one go. Share stands beside the share
that the weights promise, because their difference is what one looks for.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import NamedTuple

from textual import events
from textual.binding import Binding
from textual.message import Message

from proxy_core.control.view import MemberLoad, Snapshot
from rproxy_tui import words
from rproxy_tui.widgets.sparkline import bar, sparkline
from rproxy_tui.widgets.table import Cell, Column, LineTable


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
    Column("sent", 5, lambda m, _: ((words.size(m.load.sent), ""),), priority=10, right=True),
    Column("rcvd", 5, lambda m, _: ((words.size(m.load.received), ""),), priority=11, right=True),
)

MARKS: Column[ShownMember] = Column("", 1, lambda m, _: ((MARK if m.marked else " ", "accent"),))


LEAST = 17
"""Cells that a name gets in any case when it needs them."""
KEPT = 4
"""The greatest priority of a column that gives nothing up for a longer name."""


class MemberTable(LineTable[ShownMember]):
    """``show`` gives it the members; ``cursor_member`` is (balancer, member) under the cursor, ``marks`` are those of
    the members that are shown. Only where members are edited (not ``qualified``) can they be marked."""

    BINDINGS = [Binding("enter", "chosen", "Open", show=False, id="open_member")]
    columns = COLUMNS

    class Highlighted(Message):
        """The cursor is on another member."""

        def __init__(self, table: MemberTable, balancer: str, member: str) -> None:
            super().__init__()
            self.table, self.balancer, self.member = table, balancer, member

    class Selected(Highlighted):
        """Enter or a second click on the member under the cursor."""

    def __init__(
        self, *, selectable: bool = True, qualified: bool = True, id: str | None = None, classes: str | None = None
    ) -> None:
        """``qualified``: a member's name begins with that of its balancer."""
        super().__init__(selectable=selectable, id=id, classes=classes)
        if not qualified:
            self.columns = (MARKS, replace(COLUMNS[0], cell=_bare_name), *COLUMNS[1:])
        self._rows: tuple[ShownMember, ...] = ()
        self.marks: frozenset[tuple[str, str]] = frozenset()
        self._told: tuple[str, str] | None = None

    @property
    def rows(self) -> Sequence[ShownMember]:
        return self._rows

    def version(self, row: ShownMember) -> Hashable:
        return row

    @property
    def loads(self) -> tuple[MemberLoad, ...]:
        """The members as shown, in order."""
        return tuple(load for load, *_ in self._rows)

    @property
    def cursor_load(self) -> MemberLoad | None:
        """The member under the cursor with its numbers; None when there is none."""
        return self._rows[self.window.cursor].load if self._rows else None

    @property
    def cursor_member(self) -> tuple[str, str] | None:
        load = self.cursor_load
        return (load.balancer, load.member) if load else None

    def show(self, snapshot: Snapshot, balancer: str | None = None) -> None:
        """The members of ``balancer`` (None: of all, plain upstreams at the end), in the order of the site file."""
        end = int(snapshot.at) - 1
        loads = [load for load in snapshot.members if balancer is None or load.balancer == balancer]
        if balancer is None:
            named = list(dict.fromkeys(load.balancer for load in loads if load.balancer))
            loads.sort(key=lambda load: named.index(load.balancer) if load.balancer else len(named))
        here, before = self.cursor_member, len(self._rows)
        keys = [(load.balancer, load.member) for load in loads]
        self.marks &= {key for key, load in zip(keys, loads, strict=True) if not load.retired}
        self._rows = tuple(ShownMember(load, end, key in self.marks) for key, load in zip(keys, loads, strict=True))
        self._make_room()
        if here in keys:
            self.window.cursor = keys.index(here)
        if len(loads) != before:
            self.refresh(layout=True)
        self.changed()
        self._tell()

    def _make_room(self) -> None:
        """Give the names of the members as much as they need: more than the least only where it takes nothing from
        columns that matter more than a name's middle."""
        *before, first = self.columns[: -len(COLUMNS) + 1]
        longest = max((len(words.member_name("", load.member)) for load, *_ in self._rows), default=0)
        others = sum(column.width + 1 for column in (*before, *COLUMNS[1:]) if column.priority <= KEPT)
        width = max(COLUMNS[0].width, min(longest, max(LEAST, min(first.most, self.size.width - others))))
        if width != first.width:
            self.columns = (*before, replace(first, width=width), *COLUMNS[1:])
            self.redraw()

    def go_to(self, balancer: str, member: str) -> None:
        """Put the cursor on a member, if it is shown."""
        keys = [(load.balancer, load.member) for load, *_ in self._rows]
        if (balancer, member) in keys:
            self.window.cursor = keys.index((balancer, member))
            self.changed()
            self._tell()

    def mark(self, marks: frozenset[tuple[str, str]]) -> None:
        """Mark these members, and no others."""
        self.marks = marks & {(load.balancer, load.member) for load in self.loads if not load.retired}
        self._rows = tuple(
            row._replace(marked=(row.load.balancer, row.load.member) in self.marks) for row in self._rows
        )
        self.changed()

    def moved(self) -> None:
        self._tell()

    def _tell(self) -> None:
        """Post Highlighted when the cursor has come to another member."""
        here = self.cursor_member
        if here != self._told:
            self._told = here
            if here is not None and self.selectable:
                self.post_message(self.Highlighted(self, *here))

    def action_chosen(self) -> None:
        if (here := self.cursor_member) is not None:
            self.post_message(self.Selected(self, *here))

    def on_click(self, event: events.Click) -> None:
        again = self.window.top + event.y - 1 == self.window.cursor and self.has_focus
        super().on_click(event)
        if again and self.selectable:
            self.action_chosen()
