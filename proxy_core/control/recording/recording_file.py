"""The SQLite file of a recording, which keeps within a size and an age at every moment.

SQLite writes to a write-ahead log (WAL, https://www.sqlite.org/wal.html) beside the file, and commits survive the death
of the process; ``synchronous=NORMAL`` syncs when the log is moved into the file, so that the file stays sound when the
machine dies too, where the last moments may be lost.

The size is a sum of three bounds. The file has at most as many pages as ``max_page_count`` says, which SQLite keeps
strictly. The log is moved into the file before a transaction could make it longer than its part, and no transaction
writes more than an eighth of that. Its index has a fixed part. A reader who holds the log up for long has the recording
wait, never grow. Deleted rows leave free pages, which what comes next is written to.

Each call is all or nothing. Belongs to one thread. Raises sqlite3.Error, OSError, and NoRecording.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path

from proxy_core.control.recording.rows import Row
from proxy_core.control.recording.schema import (
    APPLICATION,
    AT_ONCE,
    BY_TIME,
    TABLES,
    VERSION,
    columns_of,
    insertion,
    missing,
    refusal,
    statements,
)

Chunk = list[tuple[str, list[Row]]]
"""Rows of one transaction, by their table."""

PAGE = 4096
INDEX = 128 * 1024
"""Bytes of the size that are for the index of the write-ahead log."""
WAIT = 1.0
"""Seconds to wait for somebody else who writes or reads."""
DELETED = 250
"""Rows that one transaction deletes."""


class NoRecording(Exception):
    """The file is not ours to write; the words say why."""


class NoRoom(sqlite3.OperationalError):
    """There is no room for what comes, though the oldest was deleted."""


class RecordingFile:
    """``size`` in bytes, ``keep`` in seconds; ``owner`` is whose file it shall be, where this process may say so."""

    def __init__(self, path: Path, size: int, keep: float, owner: os.stat_result | None = None) -> None:
        self.path, self._keep = path, keep
        self._log_bytes = min(size // 8, 16 << 20)
        self._pages = (size - self._log_bytes - INDEX) // PAGE
        self._spare = self._log_bytes // 4 // PAGE
        """Free pages that there are before a transaction."""
        self._longest = self._log_bytes // 8
        """Bytes of rows that one transaction takes."""
        self._log = path.with_name(path.name + "-wal")
        self._made = _prepared(path, owner)
        self._database = sqlite3.connect(path, timeout=WAIT, isolation_level=None)
        try:
            self._begin()
        except BaseException:
            self._database.close()
            raise

    def _begin(self) -> None:
        run = self._database.execute
        if not run("PRAGMA application_id").fetchone()[0]:
            run(f"PRAGMA page_size={PAGE}")
            run("PRAGMA auto_vacuum=INCREMENTAL")
            run("BEGIN IMMEDIATE")
            for statement in statements():
                run(statement)
            run(f"PRAGMA application_id={APPLICATION}")
            run(f"PRAGMA user_version={VERSION}")
            run("COMMIT")
        for statement in [each for table in TABLES for each in missing(table, columns_of(self._database, table))]:
            run(statement)
        run("PRAGMA journal_mode=WAL")
        run("PRAGMA synchronous=NORMAL")
        run("PRAGMA wal_autocheckpoint=0")
        run("PRAGMA temp_store=MEMORY")
        run("PRAGMA cache_size=-2048")
        self._emptied_log()
        self.prune(time.time())
        self._shrink()

    @property
    def is_there(self) -> bool:
        """Whether the file is still the one that was opened."""
        with suppress(OSError):
            found = os.stat(self.path)
            return (found.st_dev, found.st_ino) == self._made
        return False

    def write(self, chunk: Chunk) -> None:
        """Write rows, all or none: a chunk that ``chunks`` made."""
        self._make_room()
        self._database.execute("BEGIN IMMEDIATE")
        try:
            for table, rows in chunk:
                self._database.execute(insertion(table, len(rows)), [*chain.from_iterable(rows)])
            self._database.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    def chunks(self, rows: Iterable[tuple[str, Row]]) -> Iterator[Chunk]:
        """The rows, each with its table, in portions that fit in a transaction; one that fits in none is left out."""
        chunk: Chunk = []
        size = 0
        for table, row in rows:
            length = sum(map(_bytes, row))
            if chunk and size + length > self._longest:
                yield chunk
                chunk, size = [], 0
            if length <= self._longest:
                if not chunk or chunk[-1][0] != table or len(chunk[-1][1]) >= AT_ONCE:
                    chunk.append((table, []))
                chunk[-1][1].append(row)
                size += length
        if chunk:
            yield chunk

    def prune(self, now: float) -> None:
        """Delete what is older than it may be."""
        end = now - self._keep
        while (oldest := self._oldest()) is not None and oldest < end and self._delete_before(end):
            pass

    def close(self) -> None:
        """Move the log into the file, as far as that can be, and close it."""
        with suppress(sqlite3.Error):
            self._emptied_log()
        self._database.close()

    # ---- room

    def _make_room(self) -> None:
        """See to it that a transaction fits in the log and in the file."""
        self._emptied_log(beyond=self._log_bytes // 2)
        while self._used() > self._pages - self._spare:
            oldest, now = self._oldest(), time.time()
            if oldest is None or not self._delete_before(oldest + max(0.0, now - oldest) / 50):
                raise NoRoom("nothing is left to delete: size is too small for the texts of the site file")

    def _used(self) -> int:
        pages, free = (
            self._database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count")
        )
        return int(pages) - int(free)

    def _emptied_log(self, beyond: int = 0) -> None:
        """Move the log into the file where it has more bytes than these. Raises NoRoom where a reader holds it."""
        if self._log_size() <= beyond:
            return
        self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        if self._log_size() > beyond:
            raise NoRoom("somebody has been reading the recording for too long")

    def _log_size(self) -> int:
        with suppress(FileNotFoundError):
            return os.stat(self._log).st_size
        return 0

    def _oldest(self) -> float | None:
        firsts = [
            self._database.execute(f'SELECT "{column}" FROM {table} ORDER BY row LIMIT 1').fetchone()
            for table, column in BY_TIME.items()
        ]
        return min((first[0] for first in firsts if first is not None), default=None)

    def _delete_before(self, at: float) -> int:
        """Delete some of the rows before a time; how many."""
        run = self._database.execute
        self._emptied_log(beyond=self._log_bytes // 2)
        run("BEGIN IMMEDIATE")
        try:
            deleted = 0
            for table, column in BY_TIME.items():
                kept = run(f'SELECT row FROM {table} WHERE "{column}" >= ? ORDER BY row LIMIT 1', (at,)).fetchone()
                first = run(f"SELECT min(row) FROM {table}").fetchone()[0]
                if first is not None:
                    end = min(first + DELETED, kept[0] if kept else first + DELETED)
                    deleted += run(f"DELETE FROM {table} WHERE row < ?", (end,)).rowcount
            older = "(SELECT max(at) FROM generations WHERE at <= ?)"  # the one in force then is kept
            deleted += run(f"DELETE FROM generations WHERE at < {older}", (at,)).rowcount
            run("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        return deleted

    def _shrink(self) -> None:
        """Have the file no longer than its part, where the size was lowered."""
        run = self._database.execute
        while run("PRAGMA page_count").fetchone()[0] > self._pages:
            self._make_room()
            run(f"PRAGMA incremental_vacuum({self._spare // 2})").fetchall()
        self._emptied_log()
        run(f"PRAGMA max_page_count={self._pages}").fetchone()

    def _roll_back(self) -> None:
        with suppress(sqlite3.Error):
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")


def _bytes(value: object) -> int:
    """What a value takes in a row, at most."""
    if isinstance(value, str) and not value.isascii():
        return 4 * len(value)
    return len(value) if isinstance(value, str | bytes) else 16


def _prepared(path: Path, owner: os.stat_result | None) -> tuple[int, int]:
    """Make the file where it is not there, for its owner alone; its device and inode. Raises NoRecording and OSError.
    Nothing of it is open behind this: closing a descriptor of a file gives up the locks of all others on it."""
    if reason := refusal(path):
        raise NoRecording(f"{reason}, and nothing is written to it; name another file, or move that one away")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise NoRecording("it is no regular file")
        if owner is not None and os.geteuid() == 0:
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        if stat.S_IMODE(found.st_mode) != 0o600:
            with suppress(PermissionError):
                os.fchmod(descriptor, 0o600)
        return found.st_dev, found.st_ino
    finally:
        os.close(descriptor)
