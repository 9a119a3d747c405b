"""The table of groups of requests: a row a group, with how many failed and how long they took."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType
from textual.message import Message

from proxy_core.control.watching.in_turns import in_turns
from proxy_core.control.watching.log_records import Record
from proxy_core.control.watching.record_groups import BY, ORDERS, SPAN, Grouping, RequestGroup
from rproxy_tui import words
from rproxy_tui.widgets.charts import sparkline
from rproxy_tui.widgets.request_log import MOVES
from rproxy_tui.widgets.row_table import RowTable
from rproxy_tui.widgets.table import Cell, Column

MOST = 1000
"""Groups that are shown."""
SPARK = 12
"""Cells of a sparkline."""


def _part(count: int, group: RequestGroup, style: str) -> Cell:
    """How many of a hundred."""
    part = 100 * count / group.requests
    return ((f"{part:.0f}" if part >= 9.95 or not count else f"{part:.1f}", style if count else "muted"),)


def _name(number: int, title: str, width: int, priority: int) -> Column[RequestGroup]:
    return Column(
        title, width, lambda group, w: ((words.middle(group.names[number] or words.NOTHING, w), ""),),
        priority=priority, grow=2 if title == "path" else 1,
    )  # fmt: skip


@lru_cache(64)
def columns(by: tuple[str, ...]) -> tuple[Column[RequestGroup], ...]:
    names = [_name(number, title, 20 if title == "path" else 9, number and 1) for number, title in enumerate(by)]
    return (
        *names,
        Column("n", 5, lambda group, _: ((words.count(group.requests), ""),), right=True),
        Column("5xx%", 4, lambda group, _: _part(group.errors, group, "error"), right=True),
        Column("4xx%", 4, lambda group, _: _part(group.status_4xx, group, "warning"), right=True),
        Column("499%", 4, lambda group, _: _part(group.left, group, "warning"), right=True, priority=6),
        Column("p50", 6, lambda group, _: ((words.millis(group.p50), ""),), right=True, priority=3),
        Column("p95", 6, lambda group, _: ((words.millis(group.p95), ""),), right=True),
        Column("last", 8, lambda group, _: ((words.clock(group.last), "muted"),), priority=5),
        Column(
            "last min", SPARK, lambda group, _: ((sparkline(group.per_second, SPARK, SPAN, SPAN), "accent"),),
            priority=4,
        ),
    )  # fmt: skip


class GroupTable(RowTable[RequestGroup], inherit_bindings=False):
    """``by`` is what requests are grouped by, ``order`` a word of ORDERS."""

    BINDINGS: ClassVar[list[BindingType]] = [*MOVES, Binding("enter", "choose", "Go into", id="open_group")]

    class Counted(Message):
        """The groups are shown."""

    def __init__(self) -> None:
        self.by: tuple[str, ...] = ("path", "route")
        self.order = next(iter(ORDERS))
        self.groups: dict[str, RequestGroup] = {}
        super().__init__(columns(self.by), "no request to group: the filter lets none through", id="groups")

    @property
    def client(self) -> str | None:
        """Whom the group under the cursor is of; None where it is of no client, "" where nobody knows who it is."""
        group = self.groups.get(self.cursor)
        return group.names[self.by.index("client")] if group and "client" in self.by else None

    def next_by(self) -> None:
        """Group by the next thing, and that alone."""
        self.by = (_next(self.by[0], [*BY]),)

    def next_then(self) -> None:
        """Group each group further by the next thing, or no further."""
        others = ["", *(word for word in BY if word != self.by[0])]
        then = _next(self.by[1] if self.by[1:] else "", others)
        self.by = (self.by[0], then) if then else self.by[:1]

    def next_order(self) -> None:
        self.order = _next(self.order, [*ORDERS])

    @work(exclusive=True, group="groups")
    async def count_all(self, records: Sequence[Record]) -> None:
        """Group these, in pieces between which requests have their turn."""
        by = self.by
        grouping = Grouping(by)
        async for piece in in_turns(records):
            grouping.add(piece)
        found = [grouping.group(key) async for piece in in_turns(grouping.largest(MOST)) for key in piece]
        found.sort(key=ORDERS[self.order], reverse=True)
        self.groups = {group.filter: group for group in found}
        self.show([*self.groups], self.groups.__getitem__, columns(by))
        self.post_message(self.Counted())


def _next(word: str, words_of: Sequence[str]) -> str:
    return words_of[(words_of.index(word) + 1) % len(words_of)]
