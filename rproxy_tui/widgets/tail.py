"""What a log of requests shows, which knows no terminal and no engine.

Following, the cursor is on the newest record. Paused, the rows one reads stay where they are, whatever comes in: new
records only wait below, and the oldest are given up only above what is visible; when there are none left above, no more
are taken until one moves on or follows again. What went wrong is given up last: it stays, with gaps between, from
before the oldest of all that are held without one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from proxy_core.control.watching.log_records import Record
from rproxy_tui.widgets.table import Window

KEEP = 10_000
"""Records that a log holds without a gap, about; each is some hundreds of bytes."""
SLACK = 500
"""So many more are let in before the oldest go, all at once."""
KEEP_FAILED = 6000
"""Records from before these that a log holds of what went wrong."""

Filter = Callable[[Record], bool]

_number = attrgetter("number")


@dataclass(slots=True)
class Tail(Window):
    """``cursor`` and ``top`` of the Window are places in ``shown``."""

    keep: int = KEEP
    """How many records it holds without a gap."""
    slack: int = SLACK
    """How many more it lets in before the oldest go."""
    keep_failed: int = KEEP_FAILED
    """How many it holds of those that went wrong before."""
    following: bool = True
    """Whether the cursor stays on the newest record."""
    passes: Filter | None = None
    """What is shown; None for all."""
    kept: list[Record] = field(default_factory=list)
    """Every record taken, oldest first."""
    shown: list[Record] = field(default_factory=list)
    """Those of ``kept`` that pass the filter."""
    whole: int = 1
    """The number from which on none is left out."""
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
        return max(0, self.keep + self.slack - len(self.kept) + max(above, self._failed))

    @property
    def _failed(self) -> int:
        """How many of ``kept`` are from before ``whole``."""
        return bisect_left(self.kept, self.whole, key=_number)

    def take(self, records: Sequence[Record]) -> None:
        """Records that came in, oldest first: at most ``room``."""
        if not records:
            return
        self.last = records[-1].number
        self.kept += records
        self.shown += filter(self.passes, records) if self.passes else records
        self.settle()

    def take_older(self, records: Sequence[Record], gaps: bool = False) -> None:
        """Records from before those that are held, oldest first, in place of what is held between the first and the
        last of them. Where they have no ``gaps`` and end just before ``whole``, that is the first of them now."""
        if not records:
            return
        first, last = records[0].number, records[-1].number
        top = self.shown[self.top].number if self.shown else 0
        offset = self.cursor - self.top
        if last == self.whole - 1 and not gaps:
            self.whole = first
        _put(self.kept, records, first, last)
        _put(self.shown, [*filter(self.passes, records)] if self.passes else records, first, last)
        self.top = bisect_left(self.shown, top, key=_number)
        self.cursor = self.top + offset
        self.settle()

    def restart(self, last: int) -> None:
        """Forget everything; what comes in next is newer than ``last``."""
        self.kept, self.shown, self.last, self.whole = [], [], last, last + 1
        self.settle()

    def settle(self) -> None:
        """Bring count, cursor and top in line with ``shown``, and give up what is too old."""
        self.count = len(self.shown)
        if self.following:
            self.cursor = self.count - 1
        self.fit()
        if len(self.kept) - self._failed > self.keep + self.slack:
            oldest = self.kept[-self.keep].number
            if self.shown:
                oldest = min(oldest, self.shown[self.top].number)
            self._give_up(oldest)
        self.note()

    def _give_up(self, oldest: int) -> None:
        """Keep of what is older than this number only what went wrong."""
        if oldest <= self.whole:
            return
        gone = bisect_left(self.kept, oldest, key=_number)
        older = [each for each in self.kept[:gone] if each.number < self.whole or each.went_wrong]
        left = older[max(0, len(older) - self.keep_failed) :]
        self.kept[:gone] = left
        self.whole = oldest
        gone = bisect_left(self.shown, oldest, key=_number)
        self.shown[:gone] = filter(self.passes, left) if self.passes else left
        moved = self.count - len(self.shown)
        self.count -= moved
        self.top = max(0, self.top - moved)
        self.cursor = max(0, self.cursor - moved)

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

    def show_only(self, passes: Filter | None, known: Collection[int] = (), upto: int = 0) -> None:
        """Filter what is shown; the cursor stays on its record, or goes to the nearest one before it. Of records up to
        the number ``upto`` it is known which pass: those whose numbers are ``known``."""
        current = self.current
        self.passes = passes
        if passes is None:
            self.shown = self.kept.copy()
        else:
            later = bisect_right(self.kept, upto, key=_number)
            self.shown = [each for each in self.kept[:later] if each.number in known]
            self.shown += filter(passes, self.kept[later:])
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


def _put(rows: list[Record], records: Sequence[Record], first: int, last: int) -> None:
    """Put records in place of those with a number from ``first`` to ``last``."""
    rows[bisect_left(rows, first, key=_number) : bisect_right(rows, last, key=_number)] = records
