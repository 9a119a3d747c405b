"""What a log at the far end of a line is given of the finished requests, and how much of it is fetched at a time.

It reads on at the newer end while a page asks, and back where one has asked for what is not here. On a slow line, and
after a long while, only the newest are fetched, and of the others those that went wrong; so many at a time as come soon
enough.
"""

from __future__ import annotations

import time

from proxy_core.control.door.async_client import DoorLine
from proxy_core.control.door.endpoints import Records, RecordsQuery
from proxy_core.control.door.held_records import HeldRecords
from proxy_core.control.watching.log_records import Record

ROWS, FEWEST_ROWS, EARLIER_ROWS = 500, 20, 250
"""Records in an answer: at most, and at least; and of those from before."""
EARLIER_AGAIN = 2.0
"""Seconds between two looks at those from before, on a slow line."""
FAR = 1000
"""Missing records, so many that it is better to begin anew with the newest."""
DEAR = 0.5
"""Seconds that records may take to come: else fewer are asked for."""


class RecordFeed:
    """Records of one service; ``newest`` is the number of its newest when this begins. Those that went wrong are held
    apart as well, for they go further back."""

    def __init__(self, line: DoorLine, newest: int) -> None:
        self._line = line
        self._begin(max(0, newest - EARLIER_ROWS))
        self._rows = 100
        self._due = set[bool]()
        """What is to be read back: those that went wrong (True), all."""
        self._earlier_at = 0.0

    def _begin(self, number: int) -> HeldRecords:
        """Hold nothing up to a number."""
        self._held, self._failed = HeldRecords(number), HeldRecords(number)
        return self._held

    @property
    def high(self) -> int:
        """The number up to which they are here."""
        return self._held.high

    def after(self, number: int, limit: int, failed: bool) -> tuple[Record, ...]:
        return (self._failed if failed else self._held).after(number, limit)

    def earlier(self, before: int, limit: int, failed: bool) -> tuple[Record, ...] | None:
        found = (self._failed if failed else self._held).earlier(before, limit)
        if found is None:
            self._due.add(failed)
        return found

    async def read_on(self, newest: int) -> None:
        """Fetch those that were finished meanwhile."""
        held, rows = self._held, self._rows
        missing = newest - held.high
        if missing <= 0:
            return
        if missing > FAR:
            held = self._begin(newest - rows)
        last = rows if missing > rows and self._line.slow else 0
        query = RecordsQuery(after=held.high, last=last, limit=min(ROWS, rows + rows // 2) if last else rows)
        began = time.monotonic()
        answer: Records = await self._line.ask("records", query=query)
        took = time.monotonic() - began
        self._rows = max(FEWEST_ROWS, rows // 2) if took > DEAR else min(ROWS, rows * 2) if took < DEAR / 4 else rows
        held.take_newer(answer.records, answer.seen)
        self._failed.take_newer([each for each in answer.records if each.went_wrong], answer.seen)

    async def read_back(self, now: float) -> None:
        """Fetch some from before, where somebody has asked for them."""
        if not self._due or now < self._earlier_at:
            return
        failed = max(self._due)  # what went wrong first
        held = self._failed if failed else self._held
        query = RecordsQuery(before=held.low + 1, limit=min(self._rows, EARLIER_ROWS), failed=failed)
        answer: Records = await self._line.ask("records", query=query)
        held.take_older(answer.records)
        self._due.discard(failed)
        self._earlier_at = now + (EARLIER_AGAIN if self._line.slow else 0.0)
