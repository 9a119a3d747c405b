"""The log of finished requests: followed, paused, filtered, searched.

It pulls: nothing happens to it while it is not on screen, and a busy proxy costs it no more than what is visible.
What it shows is decided in ``Tail``; records of an absence are fetched in pieces that the traffic does not feel.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable

from textual import events, work
from textual.binding import Binding
from textual.message import Message

from proxy_core.config.model import Site
from proxy_core.control.view import EngineView, Record, Snapshot
from rproxy_tui import words
from rproxy_tui.widgets.table import Cell, Column, LineTable
from rproxy_tui.widgets.tail import Filter, Tail

AT_ONCE = 1000
"""Records that are fetched in one pull; what is left waits for the next."""
OLDER = 250
"""Records from before, fetched in a pull that had little else to do."""
SLICE = 500
"""Records that are searched before the loop may do something else: well below 2 ms."""
SLOW = 0.5
"""Seconds from which a request counts as slow."""

FILTERS: tuple[tuple[str, Filter | None], ...] = (
    ("all", None),
    ("only 4xx and 5xx", lambda record: record.status >= 400),
    (f"only slow: {SLOW * 1000:.0f} ms and more", lambda record: record.total >= SLOW),
)


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
    Column("client", 15, lambda r, w: ((words.middle(words.printable(r.client), w), "muted"),), priority=7),
)


def as_line(record: Record) -> str:
    """A request in one line of text, with all that the log knows: for copying."""
    parts = [
        words.clock(record.at),
        str(record.status),
        record.method,
        record.target,
        f"host={record.host}",
        f"client={record.client}",
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
    """What to do so that the log fills: the first thing that is missing."""
    listener = next((each for each in snapshot.listeners if not each.draining), None)
    if listener is None and site.listeners:
        return "no listener could be opened: p says why and what to do"
    if listener is None:
        return "no listener yet: press : and choose “add a listener”"
    route = next((each for each in site.routes if each.enabled and not each.except_), None)
    if route is None:
        return "no route yet: go to Routes (3) and press a to add one"
    return f"no request yet: try  curl http://{words.reachable(listener)}{route.path or '/'}"


def haystack(record: Record) -> str:
    """What a search looks through, in lower case."""
    return (
        f"{record.status} {record.method} {record.target} {record.route} "
        f"{record.balancer}/{record.member} {record.client} {record.cause}".lower()
    )


class RequestLog(LineTable[Record]):
    """``pull`` lets it catch up; ``tail`` says what it shows. One that is not selectable always follows."""

    BINDINGS = [Binding("enter", "choose", "Inspect", id="inspect")]
    columns = COLUMNS

    class NotFound(Message):
        """A search came round without a match."""

        def __init__(self, sought: str) -> None:
            super().__init__()
            self.sought = sought

    def __init__(self, *, selectable: bool = True, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(selectable=selectable, id=id, classes=classes)
        self.window: Tail = Tail() if selectable else Tail(keep=100)
        self._filter = 0
        self._complete = False

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

    @property
    def filter_name(self) -> str:
        return FILTERS[self._filter][0]

    def pull(self, engine: EngineView, newest: int) -> None:
        """Take what has come in since the last pull, then something from before the oldest record that is held."""
        tail = self.tail
        most = min(AT_ONCE, tail.keep)
        if tail.following and newest - tail.last > most:
            tail.restart(newest - most)
            self._complete = False
        records = engine.records(tail.last, min(most, tail.room)) if newest > tail.last and tail.room else ()
        tail.take(records)
        if self.selectable and len(records) < OLDER and len(tail.kept) < tail.keep and not self._complete:
            self._pull_older(engine)
        self.changed()

    def _pull_older(self, engine: EngineView) -> None:
        oldest = self.tail.kept[0].number if self.tail.kept else 0
        older = (
            [r for r in engine.records(max(0, oldest - 1 - OLDER), OLDER) if r.number < oldest] if oldest > 1 else []
        )
        self._complete = not older
        if older:
            self.tail.take_older(older)

    def show_next_filter(self) -> None:
        """All, then only what failed, then only what was slow."""
        self._filter = (self._filter + 1) % len(FILTERS)
        self.tail.show_only(FILTERS[self._filter][1])
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
        for first in range(0, len(places), SLICE):
            found = next((rows[p] for p in places[first : first + SLICE] if sought in haystack(rows[p])), None)
            if found is not None:
                self.tail.go_to(found.number)
                self.post_message(self.Moved())
                self.changed()
                return
            await asyncio.sleep(0)
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
            self.follow(False)
