"""The log of finished requests: followed, paused, filtered, searched.

It pulls: nothing happens to it while it is not on screen, and a busy proxy costs it no more than what is visible.
Records of an absence are fetched in pieces that the traffic does not feel.

What it shows is decided in ``Tail``, which knows no terminal and no engine. In the row under the cursor one cell is
marked: it is what a filter is made of.
"""

from __future__ import annotations

import shlex
from collections.abc import Hashable
from typing import ClassVar

from rich.style import Style
from textual import events, work
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip

from proxy_core.config.model import Site
from proxy_core.control.view import EngineView, Snapshot
from proxy_core.control.watching.in_turns import in_turns, passing
from proxy_core.control.watching.log_records import Record, public
from proxy_core.control.watching.record_filter import term, values_of
from proxy_core.http.target import as_bytes_text, escaped
from proxy_core.runtime.failed_requests import SLOW
from rproxy_tui import words
from rproxy_tui.widgets.table import Cell, Column, LineTable
from rproxy_tui.widgets.tail import Filter, Tail

AT_ONCE = 1000
"""Records that are fetched in one pull; what is left waits for the next."""
OLDER = 250
"""Records from before, fetched in a pull that had little else to do."""


def _status(record: Record, width: int) -> Cell:
    return ((f"{words.status_glyph(record.status)} {record.status}", words.status_style(record.status)),)


def _target(record: Record, width: int) -> Cell:
    return ((words.middle(words.printable(record.target), width), ""),)


def _member(record: Record, width: int) -> Cell:
    if not record.member:
        return ((words.NOTHING, "muted"),)
    prefix, name = words.member_fit(record.balancer, record.member, width)
    return ((prefix, "muted"), (name, "")) if prefix else ((name, ""),)


def _ms(record: Record, width: int) -> Cell:
    return ((words.millis(record.total), "warning" if record.total >= SLOW else ""),)


COLUMNS: tuple[Column[Record], ...] = (
    Column("time", 8, lambda r, _: ((words.clock(r.at), "muted"),), priority=4),
    Column("status", 6, _status),
    Column("method", 7, lambda r, w: ((words.clip(words.printable(r.method), w), ""),), priority=2),
    Column("target", 26, _target, grow=2),
    Column(
        "route", 12, lambda r, w: ((words.clip(r.route or words.NOTHING, w), "muted"),), priority=5, grow=1, most=20
    ),
    Column("member", 17, _member, priority=3, grow=1, most=24),
    Column("ms", 6, _ms, priority=1, right=True),
    Column("bytes", 5, lambda r, _: ((words.count(r.sent), "muted"),), priority=6, right=True),
    Column(
        "client", 15, lambda r, w: ((words.middle(words.printable(r.client) or words.NOTHING, w), "muted"),), priority=7
    ),
)


CELL_FIELDS = {
    "status": "status", "method": "method", "target": "path", "route": "route", "member": "member", "client": "client",
}  # fmt: skip
"""The field of the filter language that says what is in a column."""


def cell_term(record: Record, title: str) -> str:
    """The filter that holds for what is in a cell; "" where nobody would filter by that."""
    if title == "ms":
        return f"ms>={int(record.total * 1000)}"
    if title == "bytes":
        return f"sent>={record.sent}"
    if title not in CELL_FIELDS:
        return ""
    (value,) = values_of((CELL_FIELDS[title],))(record)
    whose = f"{term('balancer', record.balancer)} " if title == "member" and record.balancer else ""
    return whose + term(CELL_FIELDS[title], value)


def as_line(record: Record) -> str:
    """A request in one line of text, with all that the log knows but what is secret: for copying."""
    record = public(record)
    parts = [
        words.clock(record.at),
        str(record.status),
        record.method,
        record.target,
        f"host={record.host}",
        f"client={record.client or '-'}",
        f"route={record.route or '-'}",
        f"member={words.member_name(record.balancer, record.member) or '-'}",
        f"attempts={record.attempts}",
        f"total={words.millis(record.total)}ms",
        f"sent={record.sent}",
        f"generation={record.generation}",
        f"request={record.number}",
    ]
    return words.printable(" ".join(parts) + (f' cause="{record.cause}"' if record.cause else ""))


def nothing_yet(snapshot: Snapshot, site: Site) -> str:
    """What to do so that the log fills: the first thing that is missing. Those of a service far away come a moment
    after its numbers."""
    if snapshot.past:
        return "the requests of that moment are no longer kept: the newest 10,000 are"
    if snapshot.newest_record:
        return "the newest requests are on their way"
    listener = next((each for each in snapshot.listeners if not each.draining), None)
    if listener is None and site.listeners:
        return "no listener could be opened: p says why and what to do"
    if listener is None:
        return "no listener yet: press : and choose “add a listener”"
    route = next((each for each in site.routes if each.enabled and not each.except_), None)
    if route is None:
        return "no route yet: go to Routes (3) and press a to add one"
    scheme = "https" if listener.tls else "http"
    path = escaped(as_bytes_text(route.path or "/")).decode()  # brackets would be a pattern to curl
    return f"no request yet: try  curl {shlex.quote(f'{scheme}://{words.reachable(listener)}{path}')}"


def haystack(record: Record) -> str:
    """What a search looks through, in lower case."""
    return (
        f"{record.status} {record.method} {record.target} {record.route} "
        f"{record.balancer}/{record.member} {record.client} {record.cause}".lower()
    )


MOVES: list[BindingType] = [
    *(each for each in LineTable.BINDINGS if not (isinstance(each, Binding) and each.id == "first")),
    Binding("home", "first", "First", show=False, id="first"),
]
"""The keys of a table of requests: g is not one, it groups."""


class RequestLog(LineTable[Record], inherit_bindings=False):
    """``pull`` lets it catch up; ``tail`` says what it shows. One that is not selectable always follows."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *MOVES,
        Binding("left,h", "cell(-1)", "Cell", show=False, id="cell_left"),
        Binding("right,l", "cell(1)", "Cell", show=False, id="cell_right"),
        Binding("enter", "choose", "Inspect", id="inspect"),
    ]
    columns = COLUMNS

    class NotFound(Message):
        """A search came round without a match."""

        def __init__(self, sought: str) -> None:
            super().__init__()
            self.sought = sought

    class Filtered(Message):
        """What was asked for is shown."""

    def __init__(self, *, selectable: bool = True, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(selectable=selectable, id=id, classes=classes)
        self.window: Tail = Tail() if selectable else Tail(keep=100, keep_failed=0)
        self._complete, self._failed_complete = False, False
        self._filtering: object = None
        """What is being filtered for."""
        self._cell = "status"
        """The heading of the column whose cell is marked."""

    @property
    def tail(self) -> Tail:
        return self.window

    @property
    def count(self) -> int:
        return len(self.window.shown)

    def row(self, at: int) -> Record:
        return self.window.shown[at]

    def version(self, row: Record) -> Hashable:
        return row.number

    # what comes in

    def pull(self, engine: EngineView, newest: int) -> None:
        """Take what has come in since the last pull, then something from before the oldest record that is held: first
        what went wrong, then all."""
        tail = self.tail
        most = min(AT_ONCE, tail.keep)
        if newest < tail.last or (tail.following and newest - tail.last > most):  # below: another service counts anew
            tail.restart(max(0, newest - most))
            self._complete = self._failed_complete = False
        records = engine.records(tail.last, min(most, tail.room)) if newest > tail.last and tail.room else ()
        tail.take([each for each in records if each.number <= newest])  # what is past has nothing from after it
        if self.selectable and len(records) < OLDER and self._filtering is None:
            self._pull_older(engine)
        self.changed()

    def _pull_older(self, engine: EngineView) -> None:
        tail, gaps = self.tail, not self._failed_complete
        if gaps:
            before = min(tail.whole, tail.kept[0].number if tail.kept else tail.whole)
            older = engine.earlier(before, OLDER, failed=True) if before > 1 else ()
            self._failed_complete = older is not None and not older
        elif not self._complete and tail.kept and tail.last - tail.whole < tail.keep:
            older = engine.earlier(tail.whole, OLDER) if tail.whole > 1 else ()
            self._complete = older is not None and (not older or older[-1].number != tail.whole - 1)
        else:
            return
        tail.take_older(older or (), gaps)

    # what is shown

    @work(exclusive=True, group="filter")
    async def show_only(self, passes: Filter | None) -> None:
        """Show what passes from now on, once it is known of all that is held."""
        rows = [*self.tail.kept] if passes else []
        asked = self._filtering = object()  # while it is there, nothing comes in between those that are being asked
        try:
            found = await passing(rows, passes) if passes else []
        finally:
            if self._filtering is asked:
                self._filtering = None
        self.tail.show_only(passes, {each.number for each in found}, rows[-1].number if rows else 0)
        self.post_message(self.Filtered())
        self.changed()

    def follow(self, following: bool) -> None:
        self.tail.follow(following)
        self.post_message(self.Moved())
        self.changed()

    def moved(self) -> None:
        self.tail.moved()
        super().moved()

    def step(self, delta: int) -> Record | None:
        """Move the cursor by ``delta`` requests, stop following, and say where it is."""
        self.tail.following = False
        self.action_move(delta)
        return self.tail.current

    # the cell under the cursor

    @property
    def cell(self) -> str:
        """The filter that holds for what is in the marked cell; "" for none."""
        record = self.tail.current
        return cell_term(record, self._marked) if record else ""

    @property
    def _marked(self) -> str:
        """The marked column, or the first one, where that is not shown."""
        titles = [column.title for column, _ in self._fitted]
        return self._cell if self._cell in titles else next(iter(titles), "")

    def action_cell(self, delta: int) -> None:
        titles = [column.title for column, _ in self._fitted]
        if titles:
            self._cell = titles[max(0, min(titles.index(self._marked) + delta, len(titles) - 1))]
            self.follow(False)

    def _under_cursor(self, row: Record) -> Strip:
        key = ("cell", self._marked, row.number)
        strip = self._strips.get(key)
        if strip is None:
            at, width = self._place(self._marked)
            under = super()._under_cursor(row)
            cell = under.crop(at, at + width).apply_style(Style(underline=True, bold=True))
            parts = [under.crop(0, at), cell, under.crop(at + width)]
            strip = self._strips[key] = Strip.join(parts)
        return strip

    def _place(self, title: str) -> tuple[int, int]:
        """Where a column begins, and its width."""
        at = 0
        for column, width in self._fitted:
            if column.title == title:
                return at, width
            at += width + 1
        return 0, 0

    # search

    def seek(self, sought: str) -> None:
        """Mark ``sought`` from now on; "" marks nothing."""
        if sought.lower() != self.sought:
            self.sought = sought.lower()
            self.redraw()

    @work(exclusive=True, group="search")
    async def find(self, direction: int, from_cursor: bool = False) -> None:
        """Go to the next match below (1) or above (-1), past the end back to the other end; ``from_cursor`` tries
        the row under the cursor first."""
        rows, sought, start = list(self.tail.shown), self.sought, self.tail.cursor
        if not rows or not sought:
            return
        steps = range(len(rows)) if from_cursor else range(1, len(rows) + 1)
        places = [(start + direction * step) % len(rows) for step in steps]
        async for piece in in_turns(places):
            found = next((rows[place] for place in piece if sought in haystack(rows[place])), None)
            if found is not None:
                self.tail.go_to(found.number)
                self.post_message(self.Moved())
                self.changed()
                return
        self.post_message(self.NotFound(sought))

    # keys

    def action_last(self) -> None:
        self.follow(True)

    def action_choose(self) -> None:
        self.follow(False)
        super().action_choose()

    def on_click(self, event: events.Click) -> None:
        """Besides what a click does in every table (Textual calls the handlers of all classes)."""
        if self.selectable:
            self._cell = next((c.title for c, w in self._fitted if event.x < sum(self._place(c.title))), self._cell)
            self.follow(False)
