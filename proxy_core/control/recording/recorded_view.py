"""The EngineView of a recording: a console on it shows what was, and changes nothing.

Every answer comes from the file, which is read and never written. Now is the newest moment in it; others are worked out
as those of a service's last hour are (``moment``), of the steps, seconds and states that were recorded with them. Why a
request went where it went is worked out by compiling the text of the generation that it ran under and going its way
again; what that asks of maps, files, passwords and services is not known any more, and is said to be missing.
"""

from __future__ import annotations

import sqlite3
import time
import zlib
from bisect import bisect_left, bisect_right
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from proxy_core.balance.member_state import MemberKey
from proxy_core.config.model import Site
from proxy_core.config.reading.document import parse
from proxy_core.control.editing.commands import Command, Preview, Refused, Result
from proxy_core.control.editing.history import KEPT, HistoryEntry, difference
from proxy_core.control.editing.last_changes import last_changes
from proxy_core.control.foreseen import Foreseen
from proxy_core.control.question import Explanation, Inspection, Question, TestOutcome
from proxy_core.control.recording import foreseen_again, recorded_note
from proxy_core.control.recording.decided_again import explained, inspected
from proxy_core.control.recording.foreseen_again import RecordedRequest
from proxy_core.control.recording.schema import columns_of, refusal
from proxy_core.control.view import Generation, IncidentNote, LastChange, Second, SiteState, Snapshot
from proxy_core.control.watching.details import Details, details
from proxy_core.control.watching.effects import SETTLES, GenerationEffect, StepTotal, effect
from proxy_core.control.watching.kept_snapshots import unpacked
from proxy_core.control.watching.log_records import Record
from proxy_core.control.watching.moment import SHOWN_STEPS, WINDOW, moment
from proxy_core.control.watching.troubles import AppliedAt, Subject
from proxy_core.errors import Problem
from proxy_core.rules.rule_state import RuleKey
from proxy_core.runtime.last_hour import STEP, STEPS, CellCounts, CellKey, TenSeconds, merged
from proxy_core.runtime.maps.source import MapState
from proxy_core.runtime.maps.text_file import MapRow

SLICE = 0.02
"""Seconds that one look at the history may take, about."""
GAP = 3.0
"""Seconds between two recorded ones, from which nobody served between them."""
HELD = 360
"""Moments that are held: an hour of them."""
AGAIN = 1.0
"""Seconds after which a recording that is still written is looked at anew."""
READ_ONLY = Problem(what="this is a recording: nothing in it can be changed", todo="attach to the service that runs")
_FAILED = "AND head IS NOT NULL"
"""What went wrong or was slow: only that is recorded with its head."""
_NO_TIMES = {"waited": -1.0, "first": -1.0, "total": -1.0}
"""Durations of a Record that are -1 where it never came to that."""


SITE = "site"
"""The name of the file in diffs."""


class Unreadable(OSError):
    """The file is no recording, or cannot be read; the words say why."""


class RecordedView:
    """What is recorded in ``path``. Raises Unreadable."""

    def __init__(self, path: Path) -> None:
        try:
            if reason := refusal(path):
                raise Unreadable(f"{path}: {reason}")
            self._database = _opened(path)
            self.path = path
            self._looked_at = 0.0
            self._moments: list[float] = []
            self._held: dict[float, Snapshot] = {}
            self._past: tuple[Generation, ...] = ()
            self._past_of = (0, 0.0)
            """How many generations there were, and until when it was known what the newest did."""
            self._untold: list[int] = []
            """The places of those of which it is not worked out what they did."""
            self._changed: tuple[tuple[AppliedAt, ...], tuple[LastChange, ...]] = ((), ())
            self._times()
        except sqlite3.Error as error:
            raise Unreadable(f"{path}: {error}") from error
        if not self._moments:
            raise Unreadable(f"{path}: nothing is recorded yet; the first ten seconds are not over")

    def close(self) -> None:
        self._database.close()

    @property
    def span(self) -> float:
        """Seconds from the oldest moment to the newest."""
        times = self._times()
        return times[-1] - times[0]

    # ---- EngineView: numbers

    def snapshot(self) -> Snapshot:
        return self._moment(self._times()[-1])

    def snapshot_at(self, at: float) -> Snapshot:
        times = self._times()
        after = bisect_left(times, at)
        near = times[max(0, after - 1) : after + 1]
        return self._moment(min(near, key=lambda each: abs(each - at)))

    def _times(self) -> list[float]:
        """When the steps ended that are recorded, oldest first."""
        if time.monotonic() - self._looked_at >= AGAIN or not self._moments:
            self._looked_at = time.monotonic()
            found = self._rows("SELECT at FROM moments ORDER BY at")
            self._moments = [at for (at,) in found]
        return self._moments

    def _moment(self, at: float) -> Snapshot:
        """The moment at which the step ended that is recorded at ``at``."""
        if at not in self._held:
            self._held[at] = self._worked_out(at)
            for old in [*self._held][:-HELD]:
                del self._held[old]
        return self._held[at]

    def _worked_out(self, at: float) -> Snapshot:
        times = self._times()
        place = bisect_left(times, at)
        hour = times[max(0, place + 1 - STEPS) : place + 1]
        steps = [*self._hits(hour[:-WINDOW]), *self._steps(hour[-WINDOW:])]
        columns = "at, requests, status_4xx, status_5xx, p50, p95, p99, generation"
        rows = self._rows(
            f"SELECT {columns} FROM seconds WHERE at > ? AND at <= ? ORDER BY row", at - SHOWN_STEPS * STEP, at
        )
        seconds = _without_gap([_second(*row) for row in rows])
        found = moment(steps, len(steps) - 1, self._bare(at), seconds, self._applied())
        return replace(found, newest_record=self._newest_record(at), saved="saved", demo=False)

    def _hits(self, times: list[float]) -> list[TenSeconds]:
        """Steps that tell which rows had requests, and nothing else of them: of the hour before a moment no more is
        asked."""
        cells: dict[float, list[tuple[CellKey, CellCounts]]] = {at: [] for at in times}
        columns = "at, route_list, route, rule_list, rule"
        for at, route_list, route, rule_list, rule in self._between(f"SELECT DISTINCT {columns} FROM steps", times):
            if at in cells:
                key = CellKey(None, _row(route_list, route), _row(rule_list, rule), "")
                cells[at].append((key, CellCounts()))
        return [TenSeconds(at, tuple(found)) for at, found in cells.items()]

    def _between(self, query: str, times: list[float]) -> list[Any]:
        """The rows of these steps."""
        return self._rows(f"{query} WHERE at >= ? AND at <= ?", times[0], times[-1]) if times else []

    def _steps(self, times: list[float]) -> list[TenSeconds]:
        """The steps that ended then."""
        cells: dict[float, list[tuple[CellKey, CellCounts]]] = {at: [] for at in times}
        columns = (
            "at, balancer, member, route_list, route, rule_list, rule, shape, requests, errors, left, status_4xx, "
            "histogram"
        )
        for row in self._between(f"SELECT {columns} FROM steps", times):
            at, balancer, member, route_list, route, rule_list, rule, shape = row[:8]
            requests, errors, left, status_4xx, histogram = row[8:]
            key = CellKey(
                MemberKey(balancer, member) if member else None,
                _row(route_list, route),
                _row(rule_list, rule),
                shape,
            )
            durations = msgspec.json.decode(histogram, type=dict[int, int])
            if at in cells:
                cells[at].append((key, CellCounts(requests, errors, left, status_4xx, durations)))
        return [TenSeconds(at, tuple(found)) for at, found in cells.items()]

    def _bare(self, at: float) -> Snapshot | None:
        for (packed,) in self._rows("SELECT packed FROM moments WHERE at = ?", at):
            try:
                return unpacked(packed)
            except (msgspec.DecodeError, zlib.error):  # another version's
                return None
        return None

    def _newest_record(self, at: float) -> int:
        """The number of the last request that had ended by then: rows come in this order, but for a few."""
        low, high = self._bounds()
        while low < high:
            middle = (low + high + 1) // 2
            ((ended,),) = self._rows("SELECT ended FROM requests WHERE row >= ? ORDER BY row LIMIT 1", middle)
            low, high = (middle, high) if ended <= at else (low, middle - 1)
        return low

    def _bounds(self) -> tuple[int, int]:
        """The number before the oldest request, and that of the newest."""
        ((low, high),) = self._rows("SELECT min(row), max(row) FROM requests")
        return (low - 1, high) if high is not None else (0, 0)

    # ---- EngineView: requests

    def records(self, after: int, limit: int = 500, failed: bool = False) -> tuple[Record, ...]:
        return self._records(f"row > ? {_FAILED if failed else ''} ORDER BY row LIMIT ?", after, limit)

    def earlier(self, before: int, limit: int = 500, failed: bool = False) -> tuple[Record, ...]:
        which = f"row < ? {_FAILED if failed else ''} ORDER BY row DESC LIMIT ?"
        return self._records(which, before, limit)[::-1]

    def _records(self, which: str, *values: float) -> tuple[Record, ...]:
        there = columns_of(self._database, "requests")  # those of an earlier rproxy are fewer
        names = [name for name in Record.__struct_fields__ if name in there]
        spelled = ", ".join(f"[{name}]" for name in names)
        found = []
        for number, *row in self._rows(f"SELECT row, {spelled} FROM requests WHERE {which}", *values):
            given = {name: value for name, value in zip(names, row, strict=True) if value is not None}
            found.append(Record(number=number, **_NO_TIMES | given))
        return tuple(found)

    async def inspect(self, number: int) -> Inspection | None:
        records = self._records("row = ?", number)
        if not records:
            return None
        record = records[0]
        ((listener, head, ended),) = self._rows("SELECT listener, head, ended FROM requests WHERE row = ?", number)
        text = self._text_of(record.generation, ended)
        return await inspected(record, listener, head or "", _site(text) if text else None)

    async def explain(self, question: Question) -> Explanation:
        now = self._times()[-1]
        number = question.generation or self.site().generation
        text = self._text_of(number, now)
        site = _site(text) if text else None
        if site is None:
            raise ValueError(f"the text of generation {number} is not in the recording as it was")
        return await explained(site, replace(question, generation=number), now)

    # ---- EngineView: the site and its past

    def site(self) -> SiteState:
        number, text = self._last_generation()
        return SiteState(generation=number, revision=number, site=_site(text) or Site(), text=text, file=str(self.path))

    def _last_generation(self) -> tuple[int, str]:
        found = self._rows("SELECT number, text FROM generations ORDER BY at DESC LIMIT 1")
        return found[0] if found else (0, "")

    def _text_of(self, generation: int, at: float) -> str:
        """The text of the generation that had this number then: numbers begin anew where a journal was lost."""
        which = "number = ? AND at <= ? ORDER BY at DESC LIMIT 1"
        return next((text for (text,) in self._rows(f"SELECT text FROM generations WHERE {which}", generation, at)), "")

    def _applied(self) -> list[AppliedAt]:
        return [AppliedAt(*row) for row in self._rows("SELECT number, at FROM generations ORDER BY at")]

    def history(self) -> tuple[Generation, ...]:
        """What the newest did is worked out first, a slice at a time: who looks again sees more of it."""
        ((count, newest),) = self._rows("SELECT count(*), max(at) FROM generations")
        of = count, min(self._times()[-1], (newest or 0.0) + SETTLES)
        if of != self._past_of:
            self._past_of, self._past = of, self._generations()
            self._untold = [*range(len(self._past))]
        end = time.monotonic() + SLICE
        while self._untold and time.monotonic() < end:
            place = self._untold.pop()
            known = replace(self._past[place], effect=self._effect(place))
            self._past = (*self._past[:place], known, *self._past[place + 1 :])
        return self._past

    def _effect(self, place: int) -> GenerationEffect | None:
        """What a generation did, as far as the steps around it are recorded."""
        at = self._past[place].at
        begin = bisect_left(self._times(), at - SETTLES)
        times = self._times()[begin : bisect_left(self._times(), at + SETTLES)]
        totals = [StepTotal(step.at, merged(cell for _, cell in step.cells)) for step in self._steps(times)]
        return effect(totals, [AppliedAt(each.number, each.at) for each in self._past], place)

    def _generations(self) -> tuple[Generation, ...]:
        return tuple(each.shown for each in self._entries())

    def _entries(self) -> tuple[HistoryEntry, ...]:
        """The newest that are recorded, with what changed from one to the next; of those of one number the last, which
        a nudge that went on has made, or who began a new journal."""
        columns = "number, at, author, sentence, text"
        newest = self._rows(f"SELECT {columns} FROM generations ORDER BY at DESC LIMIT ?", KEPT + 1)[::-1]
        rows = {row[0]: row for row in newest}.values()
        texts = [row[-1] for row in rows]
        diffs = ["", *(difference(before, after, SITE) for before, after in pairwise(texts))]
        found = [
            HistoryEntry(number=number, at=at, author=author, sentence=sentence, diff=diff, text=text)
            for (number, at, author, sentence, text), diff in zip(rows, diffs, strict=True)
        ]
        return tuple(found[-KEPT:])

    def last_changes(self) -> tuple[LastChange, ...]:
        past = self.history()
        of = tuple(AppliedAt(each.number, each.at) for each in past)
        if of != self._changed[0]:
            self._changed = of, last_changes(parse(self.site().text), past, SITE)
        return self._changed[1]

    async def details(self, subject: Subject, at: float = 0.0) -> Details:
        times = self._times()
        end = bisect_right(times, at) if at else len(times)
        wanted = times[max(0, end - STEPS) : end] or times[:1]
        return await details(self._steps(wanted), subject)

    async def what_if(self, command: Command) -> Foreseen:
        low, high = self._bounds()
        after = max(low, high - foreseen_again.MOST)
        records = self._records("row > ? ORDER BY row", after)
        heads = {
            row: rest for row, *rest in self._rows("SELECT row, listener, head FROM requests WHERE row > ?", after)
        }
        came = [RecordedRequest(each, heads[each.number][0], heads[each.number][1] or "") for each in records]
        return await foreseen_again.foreseen(self._entries(), command, came)

    async def note(self, since: float, at: float = 0.0) -> IncidentNote:
        now = self.snapshot_at(at) if at else self.snapshot()
        begin = now.at - since
        rows = f"row > ? AND row <= ? {_FAILED} ORDER BY row"
        wrong = self._records(rows, self._newest_record(begin), self._newest_record(now.at))
        steps = self._steps([each for each in self._times() if begin < each <= now.at])
        return recorded_note.written(self.path, now, since, self._entries(), self.history(), steps, wrong)

    async def purge(self, url: str = "", prefix: str = "", tag: str = "") -> int:
        raise OSError("nothing is thrown out of a cache that was")

    async def tests(self) -> tuple[TestOutcome, ...]:
        return ()

    def can_undo(self) -> Generation | None:
        return None

    def can_redo(self) -> Generation | None:
        return None

    def problems(self) -> tuple[Problem, ...]:
        return ()

    def maps(self) -> tuple[MapState, ...]:
        return ()

    async def map_rows(self, name: str) -> tuple[MapRow, ...]:
        raise OSError("what maps said is not recorded")

    async def look_up(self, name: str, key: str) -> str | None:
        raise OSError("what maps said is not recorded")

    async def preview(self, command: Command) -> Preview:
        return foreseen_again.previewed(self._entries(), command, replace(READ_ONLY, severity="warning"))

    async def submit(self, command: Command, author: str = "console", on: int = 0) -> Result:
        return Refused(problems=(READ_ONLY,))

    async def start_demo(self) -> str:
        return READ_ONLY.what

    def _rows(self, query: str, *values: float) -> list[Any]:
        return self._database.execute(query, values).fetchall()


def _row(rows: str, id: str) -> RuleKey | None:
    return (rows, id) if id else None


def _second(at: float, requests: int, status_4xx: int, status_5xx: int, *rest: Any) -> Second:
    *times, generation = rest
    p50, p95, p99 = (-1.0 if seconds is None else seconds for seconds in times)
    return Second(at, int(requests), status_4xx, status_5xx, p50, p95, p99, generation)


def _without_gap(seconds: list[Second]) -> list[Second]:
    """The newest of them, as far back as one follows the other: none are of a time at which nobody served."""
    gaps = (n for n in range(len(seconds) - 1, 0, -1) if seconds[n].at - seconds[n - 1].at > GAP)
    return seconds[next(gaps, 0) :]


@lru_cache(maxsize=4)
def _site(text: str) -> Site | None:
    """What a text says; None for one with errors."""
    return parse(text).site


def _opened(path: Path) -> sqlite3.Connection:
    """The file, to be read alone. One that nobody can write beside (a copy in a folder without write access) is read
    as it is, where no log of writes is beside it."""
    name = path.absolute().as_uri()
    database = sqlite3.connect(f"{name}?mode=ro", uri=True)
    try:
        database.execute("SELECT count(*) FROM generations").fetchone()
    except sqlite3.OperationalError:
        database.close()
        if path.with_name(path.name + "-wal").exists():
            raise
        database = sqlite3.connect(f"{name}?immutable=1", uri=True)
    return database
