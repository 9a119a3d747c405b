"""The finished requests that a console holds which is at the far end of a line. Pure.

They are what a log on the screen has asked for: it reads on at the newer end, and goes back at the older one. At the
newer end some may be left out, where more are finished than a line can carry; at the older end none is.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from operator import attrgetter

from proxy_core.control.watching.log_records import Record

KEEP = 10_000
"""Records that are held, about: as many as a log shows."""
SLACK = 500
"""So many more are let in before the oldest go, all at once."""
_number = attrgetter("number")


class HeldRecords:
    """Records between the numbers ``low`` (not in it) and ``high``. ``whole`` says that there are none before."""

    def __init__(self, newest: int = 0) -> None:
        self.low = self.high = newest
        self.whole = not newest
        self._rows: list[Record] = []

    def after(self, number: int, limit: int) -> tuple[Record, ...]:
        at = bisect_right(self._rows, number, key=_number)
        return tuple(self._rows[at : at + limit])

    def earlier(self, before: int, limit: int) -> tuple[Record, ...] | None:
        """None where they have to be fetched first."""
        at = bisect_left(self._rows, before, key=_number)
        return tuple(self._rows[max(0, at - limit) : at]) or (() if self.whole else None)

    def take_newer(self, records: Sequence[Record], seen: int) -> None:
        """What was finished, up to the number ``seen``."""
        self._rows += records
        self.high = max(self.high, seen)
        if len(self._rows) > KEEP + SLACK:
            del self._rows[: len(self._rows) - KEEP]
            self.low, self.whole = self._rows[0].number - 1, False

    def take_older(self, records: Sequence[Record]) -> None:
        """The last of what the service still has up to the number ``low``; none where it has none any more."""
        self._rows[:0] = records
        self.low = records[0].number - 1 if records else 0
        self.whole = not self.low
