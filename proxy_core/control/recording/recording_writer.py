"""The thread that writes a recording: it takes what the loop hands over, makes rows of it and puts them in the file.

The loop hands over and never waits. What the thread has not written yet is bounded; what comes beyond that is counted
as lost, by table. While the file cannot be written (a full disk, another program's file at its path) the thread keeps
what it has, says why in ``trouble`` and tries again every second, so that it goes on by itself. A file that was taken
away is begun anew. A mistake of ours costs the portion that it is in, never the thread.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from proxy_core.config.model import Recording
from proxy_core.control.recording import rows
from proxy_core.control.recording.masked_site import GenerationRows
from proxy_core.control.recording.recording_file import Chunk, NoRecording, RecordingFile
from proxy_core.control.recording.rows import Row

WAITING = 20_000
"""What may wait to be written: requests, steps, seconds, generations and events together."""
AGAIN = 1.0
"""Seconds after which a file that could not be written is tried again."""
SLICE = 8
"""Things of which rows are made in one go, about half a millisecond, until the loop may have the interpreter."""
END = 5.0
"""Seconds that the end may take."""


OURS = (sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.DataError, sqlite3.IntegrityError)
"""What SQLite says of mistakes of this program: they are not over when it is tried again."""
Portion = Mapping[str, Sequence[Any]]
"""Things to record, as the loop has them, by their table."""


class RecordingWriter:
    """Records to ``path`` from now on, until ``end``. It waits for the one ``before`` it to end: the system gives up
    all locks of a process on a file when it closes one descriptor of it."""

    def __init__(
        self,
        path: Path,
        settings: Recording,
        owner: os.stat_result | None = None,
        before: RecordingWriter | None = None,
    ) -> None:
        self.settings = settings
        self.trouble = ""
        """Why the file cannot be written now; "" while it can."""
        self._path, self._owner = path, owner
        self._lost = Counter[str]()
        """What the loop could not hand over."""
        self._dropped = Counter[str]()
        """What the thread had and could not write."""
        self._handed = self._taken = 0
        self._queue = SimpleQueue[Portion | None]()
        self._ending = threading.Event()
        self._file: RecordingFile | None = None
        generations = GenerationRows()
        self._rows: dict[str, Callable[[Any], Iterator[Row]]] = {
            "requests": _each(rows.request_row),
            "seconds": _each(rows.second_row),
            "steps": rows.step_rows,
            "generations": generations.rows,
            "events": _each(lambda happened: rows.event_row(happened, generations.hidden)),
            "moments": _each(rows.moment_row),
        }
        self._prune_at = 0.0
        self._thread = threading.Thread(target=self._run, args=(before,), name="recording", daemon=True)
        self._thread.start()

    # ---- called by the loop

    @property
    def lost(self) -> Counter[str]:
        """What was not recorded, by table."""
        return self._lost + self._dropped

    def hand(self, portion: Portion) -> None:
        """Hand things over; where too much waits they are lost."""
        counts = _counts(portion)
        if self._handed - self._taken + counts.total() > WAITING:
            self._lost += counts
        elif counts:
            self._handed += counts.total()
            self._queue.put(portion)

    def lose(self, table: str, count: int) -> None:
        """So many were gone before they could be handed over."""
        self._lost[table] += count

    def end(self) -> None:
        """Write what is here, then close the file; returns at once."""
        self._ending.set()
        self._queue.put(None)

    def join(self) -> None:
        """Wait for the end, but not for ever."""
        self._thread.join(END)

    # ---- the thread

    def _run(self, before: RecordingWriter | None) -> None:
        if before is not None:
            before._thread.join()
        nothing: Portion = {}  # so that what is wrong with the file is known at once
        for portion in chain((nothing,), iter(self._queue.get, None)):
            try:
                self._record(portion)
            except Exception as error:
                self._dropped += _counts(portion)
                self.trouble = f"a mistake of this program: {error!r}"
            self._taken += _counts(portion).total()
        self._shut()

    def _record(self, portion: Portion) -> None:
        """Write a portion, trying until it is written or the end comes."""
        left: deque[Chunk] | None = None
        while left is None or left:
            try:
                file = self._opened()
                left = deque(file.chunks(self._made(portion))) if left is None else left
                while left:
                    file.write(left[0])
                    left.popleft()
                if time.monotonic() >= self._prune_at:
                    self._prune_at = time.monotonic() + AGAIN
                    file.prune(time.time())
                self.trouble = ""
            except OURS:
                raise
            except (sqlite3.Error, OSError, NoRecording) as error:
                self.trouble = (error.strerror if isinstance(error, OSError) else "") or str(error)
                self._shut()
                if self._ending.wait(AGAIN):
                    self._dropped += _counts(portion)
                    return

    def _made(self, portion: Portion) -> Iterator[tuple[str, Row]]:
        for table, things in portion.items():
            for number, thing in enumerate(things):
                yield from ((table, row) for row in self._rows[table](thing))
                if number % SLICE == SLICE - 1:
                    time.sleep(0)

    def _opened(self) -> RecordingFile:
        if self._file is not None and not self._file.is_there:
            self._shut()
        if self._file is None:
            self._file = RecordingFile(self._path, self.settings.size, self.settings.keep, self._owner)
        return self._file

    def _shut(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with suppress(sqlite3.Error, OSError):
                file.close()


def _counts(portion: Portion) -> Counter[str]:
    return Counter({table: len(things) for table, things in portion.items() if things})


def _each(row: Callable[[Any], Row]) -> Callable[[Any], Iterator[Row]]:
    return lambda thing: iter((row(thing),))
