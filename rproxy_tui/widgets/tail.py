"""What a log shows while it grows: a bounded list of records, followed or paused.

Following, the cursor is on the newest record. Paused, the rows one reads stay where they are, whatever comes in: new
records only wait below, and the oldest are given up only above what is visible; when there are none left above, no
more are taken until one moves on or follows again. It knows no terminal and no engine: ``RequestLog`` feeds it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from proxy_core.control.view import Record
from rproxy_tui.widgets.table import Window

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
