"""Maps in files and in the site itself: txt, rnd, dbm, int and inline entries; all answer without waiting.

As in httpd, each lookup looks at the file's time. When that has changed, backwards too, what was read before is
forgotten (``get_cache_value`` in mod_rewrite.c). While the file is gone, every lookup is a miss, as in httpd. A text
file is read whole; where that takes long it happens in a thread, and the requests that ask meanwhile wait for it.
"""

from __future__ import annotations

import asyncio
import errno
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

from proxy_core import regular_files
from proxy_core.runtime.maps import dbm
from proxy_core.runtime.maps.source import WAIT, Kept, Known, MapTally, Source, words
from proxy_core.runtime.maps.text_file import table

READ_AT_ONCE = 256 * 1024
"""Bytes of a text file that are read within a request (about 10 ms); more is read in a thread."""

MOST_READ = 256 << 20
"""Bytes that a text file may have: it is held in memory, with several times as much beside."""

Version = tuple[int, ...]
"""Times, size and inode of each file. httpd compares the time alone; a file that was replaced, or written in place, is
seen here even when its time was set back to the old one."""


class TextMap(Source):
    """A text file of keys and values."""

    def __init__(self, path: Path, tally: MapTally) -> None:
        self.path = path
        self.entries = 0
        self._tally = tally
        self._table: dict[str, str] = {}
        self._version: Version = ()
        self._reading: asyncio.Task[None] | None = None

    async def open(self) -> None:
        await asyncio.to_thread(self._read)

    def ask(self, key: str) -> Known:
        try:
            status = os.stat(self.path)
            if _version(status) != self._version:
                if status.st_size > READ_AT_ONCE:
                    return WAIT
                self._read()
        except OSError as error:
            self._gone(error)
            return True, None
        return True, self._table.get(key)

    async def answer(self, key: str, timeout: float) -> str | None:
        try:
            if self._reading is None:
                self._reading = asyncio.create_task(asyncio.to_thread(self._read))
                self._reading.add_done_callback(self._was_read)
            await asyncio.shield(self._reading)
        except OSError as error:
            self._gone(error)
            return None
        return self._table.get(key)

    def _was_read(self, task: asyncio.Task[None]) -> None:
        self._reading = None
        if not task.cancelled():
            task.exception()

    def _read(self) -> None:
        with open(regular_files.descriptor(self.path), "rb") as file:
            status = os.fstat(file.fileno())
            if status.st_size > MOST_READ:
                raise OSError(errno.EFBIG, f"it has more than {MOST_READ} bytes: make a DBM file of it")
            found = table(file.read(MOST_READ).decode("latin-1"))
        self._table, self.entries = found, len(found)
        self._version, self.changed = _version(status), status.st_mtime
        self._tally.fault = ""

    def _gone(self, error: OSError) -> None:
        self._table, self.entries, self._version = {}, 0, ()
        self._tally.failed(words(error), time.time())


class DbmMap(Source):
    """A DBM file, of which the keys that were asked for are kept."""

    def __init__(self, path: Path, kind: str, tally: MapTally) -> None:
        self.path = path
        self.kind = kind
        self._tally = tally
        self._kept = Kept()
        self._version: Version = ()
        self._found: tuple[str, tuple[Path, ...]] = ("", ())

    async def open(self) -> None:
        self._look()
        dbm.fetch(*self._found, b"")

    def ask(self, key: str) -> Known:
        try:
            if not self._found[1]:
                self._look()
            statuses = [os.stat(path) for path in self._found[1]]
            if (version := tuple(part for status in statuses for part in _version(status))) != self._version:
                self._look()
                self._version, self.changed = version, max(status.st_mtime for status in statuses)
                self._kept.clear()
            known, answer = self._kept.get(key)
            if not known:
                value = dbm.fetch(*self._found, key.encode("latin-1"))
                answer = None if value is None else value.decode("latin-1")
                self._kept.keep(key, answer)
        except (OSError, dbm.BadDbmFile) as error:
            self._found = ("", ())
            self._tally.failed(words(error), time.time())
            return True, None
        self._tally.fault = ""
        return True, answer

    def _look(self) -> None:
        """Find out what kind of file it is; it may have been made anew in another format."""
        self._found = dbm.files(self.path, self.kind)


class FunctionMap(Source):
    """A function of the key: an internal one of httpd's, or the look-up of an entry in the site file itself."""

    def __init__(self, function: Callable[[str], str | None], entries: int = -1) -> None:
        self._function = function
        self.entries = entries

    def ask(self, key: str) -> Known:
        return True, self._function(key)


def _version(status: os.stat_result) -> Version:
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file")
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino
