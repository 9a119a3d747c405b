"""The log of finished requests: followed, paused, filtered, searched.

It pulls: nothing happens to it while it is not on screen, and a busy proxy costs it no more than what is visible.
Records of an absence are fetched in pieces that the traffic does not feel.

What it shows is decided in ``Tail``, which knows no terminal and no engine. Following, the cursor is on the newest
record. Paused, the rows one reads stay where they are, whatever comes in: new records only wait below, and the oldest
are given up only above what is visible; when there are none left above, no more are taken until one moves on or follows
again.
"""

from __future__ import annotations

import asyncio
import shlex
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from textual import events, work
from textual.binding import Binding
from textual.message import Message

from proxy_core.config.model import Site
from proxy_core.control.view import EngineView, Snapshot
from proxy_core.control.watching.log_records import Record
from proxy_core.http.target import as_bytes_text, escaped
from rproxy_tui import words
from rproxy_tui.widgets.table import Cell, Column, LineTable, Window

KEEP = 10_000
"""Records that a log holds, about; each is some hundreds of bytes."""
SLACK = 500
"""So many more are let in before the oldest go, all at once."""

Filter = Callable[[Record], bool]

_number = attrgetter("number")


@dataclass(slots=True)
class Tail(Window):
    """``cursor`` and ``top`` of the Window are places in ``shown``."""

    keep: int = KEEP
    """How many records it holds."""
    slack: int = SLACK
    """How many more it lets in before the oldest go."""
    following: bool = True
    """Whether the cursor stays on the newest record."""
    passes: Filter | None = None
    """What is shown; None for all."""
    kept: list[Record] = field(default_factory=list)
    """Every record taken, oldest first."""
    shown: list[Record] = field(default_factory=list)
    """Those of ``kept`` that pass the filter."""
    last: int = 0
    """The number of the newest record taken."""
    read: int = 0
    """The number of the newest record that was visible."""

    @property
    def current(self) -> Record | None:
        """The record under the cursor."""
        return self.shown[self.cursor] if self.shown else None

    @property
    def room(self) -> int:
        """How many records may come in without taking away what is visible."""
        if self.following or not self.shown:
            return self.keep
        above = bisect_left(self.kept, self.shown[self.top].number, key=_number)
        return max(0, self.keep + self.slack - len(self.kept) + above)

    def take(self, records: Sequence[Record]) -> None:
        """Records that came in, oldest first: at most ``room``."""
        if not records:
            return
        self.last = records[-1].number
        self.kept += records
        self.shown += filter(self.passes, records) if self.passes else records
        self.settle()

    def take_older(self, records: Sequence[Record]) -> None:
        """Records from before the oldest one that is kept, oldest first."""
        older = list(filter(self.passes, records)) if self.passes else records
        self.kept[:0] = records
        self.shown[:0] = older
        self.top += len(older)
        self.cursor += len(older)
        self.settle()

    def restart(self, last: int) -> None:
        """Forget everything; what comes in next is newer than ``last``."""
        self.kept, self.shown, self.last = [], [], last
        self.settle()

    def settle(self) -> None:
        """Bring count, cursor and top in line with ``shown``, and give up what is too old."""
        self.count = len(self.shown)
        if self.following:
            self.cursor = self.count - 1
        self.fit()
        if len(self.kept) > self.keep + self.slack:
            oldest = self.kept[-self.keep].number
            if self.shown:
                oldest = min(oldest, self.shown[self.top].number)
            del self.kept[: bisect_left(self.kept, oldest, key=_number)]
            gone = bisect_left(self.shown, oldest, key=_number)
            del self.shown[:gone]
            self.count -= gone
            self.top = max(0, self.top - gone)
            self.cursor = max(0, self.cursor - gone)
        self.note()

    def note(self) -> None:
        """What is visible now has been read."""
        if self.shown:
            bottom = min(self.top + self.height, self.count) - 1
            self.read = max(self.read, self.last if self.following else self.shown[bottom].number)

    def moved(self) -> None:
        """The person has moved cursor or view: whoever leaves the newest record no longer follows."""
        self.following = self.following and self.cursor == self.count - 1
        self.note()

    def unread(self, newest: int) -> int:
        """How many there are below the newest one that was visible; ``newest`` is the number of the newest of all."""
        waiting = len(self.shown) - bisect_right(self.shown, self.read, key=_number)
        return waiting + max(0, newest - self.last)

    def follow(self, following: bool) -> None:
        self.following = following
        self.settle()

    def show_only(self, passes: Filter | None) -> None:
        """Filter what is shown; the cursor stays on its record, or goes to the nearest one before it."""
        current = self.current
        self.passes = passes
        self.shown = list(filter(passes, self.kept)) if passes else self.kept.copy()
        if current is not None:
            offset = self.cursor - self.top
            self.cursor = bisect_right(self.shown, current.number, key=_number) - 1
            self.top = self.cursor - offset
        self.settle()

    def go_to(self, number: int) -> None:
        """Put the cursor on the record with this number, or the next one shown, and stop following."""
        self.following = False
        self.cursor = bisect_left(self.shown, number, key=_number)
        self.settle()


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
    Column(
        "client", 15, lambda r, w: ((words.middle(words.printable(r.client) or words.NOTHING, w), "muted"),), priority=7
    ),
)


def as_line(record: Record) -> str:
    """A request in one line of text, with all that the log knows: for copying."""
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
    """What to do so that the log fills: the first thing that is missing."""
    if snapshot.past:
        return "the requests of that moment are no longer kept: the newest 10,000 are"
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
        if newest < tail.last or (tail.following and newest - tail.last > most):  # below: another service counts anew
            tail.restart(max(0, newest - most))
            self._complete = False
        records = engine.records(tail.last, min(most, tail.room)) if newest > tail.last and tail.room else ()
        tail.take(records[: bisect_right(records, newest, key=_number)])  # what is past has nothing from after it
        if self.selectable and len(records) < OLDER and len(tail.kept) < tail.keep and not self._complete:
            self._pull_older(engine, newest)
        self.changed()

    def _pull_older(self, engine: EngineView, newest: int) -> None:
        oldest = self.tail.kept[0].number if self.tail.kept else newest + 1
        older = engine.earlier(oldest, OLDER) if oldest > 1 else ()
        self._complete = older is not None and not older
        if older:
            self.tail.take_older(older)
            self.tail.last = max(self.tail.last, older[-1].number)

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
