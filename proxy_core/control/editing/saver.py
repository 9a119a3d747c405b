"""The saver: brings the applied text to the disk, and notices when somebody else changes the file.

Writing happens in a thread, one write at a time, always the newest text. The file on disk is replaced only while it
is the version that was last read or written here; anything else is *drift*, which a person decides. A write that
fails is tried again until it works. The journal is written along with the file and is allowed to fail: it is a
convenience, the file is not.
"""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from pathlib import Path
from time import monotonic

from proxy_core.config.editing.save import ChangedOnDisk, Stamp, save, stamp
from proxy_core.control.editing import history
from proxy_core.control.editing.history import History, HistoryEntry
from proxy_core.control.view import Saved
from proxy_core.errors import Problem

RETRY = 5.0
"""Seconds after which a write that failed is tried again."""


class Saver:
    """``state`` and ``problems`` are for people; ``saved_generation`` is the newest that is safe on disk."""

    def __init__(self, file: Path, kept: History) -> None:
        self.file = file
        self.state: Saved = "saved"
        self.problems: tuple[Problem, ...] = ()
        self.journal_problem: Problem | None = None
        self.saved_generation = 0
        self._kept = kept
        self._journal = history.journal_of(file)
        self._on_disk = version(file)
        self._glimpse = _glimpse(file)
        self._settling = self._glimpse
        self._text: str | None = None
        self._backup: str | None = None
        self._owed: dict[int, HistoryEntry] = {}
        self._due = math.inf
        self._writing = False
        self._wake = asyncio.Event()
        self._rest = asyncio.Event()

    async def run(self) -> None:
        """Write whenever something is due, until cancelled."""
        while True:
            self._wake.clear()
            if self._due == math.inf or self.state == "failed":
                self._rest.set()
            delay = self._due - monotonic()
            if delay > 0:
                with suppress(TimeoutError):
                    async with asyncio.timeout(None if delay == math.inf else delay):
                        await self._wake.wait()
                continue
            await self._write()

    def want(self, entry: HistoryEntry, linger: float = 0.0, backup: str | None = None) -> None:
        """``entry`` is in force: write its text within ``linger`` seconds. ``backup`` is an old text to keep beside
        the file, for the one case in which its comments could not be kept."""
        self._text, self._backup = entry.text, backup or self._backup
        self._owed[entry.number] = entry
        self.state = "unsaved"
        self.saved_generation = min(self.saved_generation, entry.number - 1)
        self._hurry(linger)

    def took(self, entry: HistoryEntry, seen: Stamp | None) -> None:
        """``entry`` is the file as it stands on disk in the version ``seen``; only the journal is owed."""
        self._text, self._backup = None, None
        self._owed[entry.number] = entry
        self._on_disk = seen
        self._glimpse = self._settling = _glimpse(self.file)
        self.state, self.problems = "saved", ()
        self.saved_generation = entry.number
        self._hurry(0.0)

    def overwrite(self, seen: Stamp | None) -> None:
        """The version ``seen`` of the file on disk may be written over."""
        self._on_disk = seen

    def drifted(self, problems: tuple[Problem, ...]) -> None:
        """Somebody else's file could not simply be taken over."""
        self.state, self.problems = "drift", problems
        self._due = math.inf

    def changed(self) -> bool:
        """Whether somebody else changed the file, and has finished: it looked the same at two calls, and its content
        is not what is known here. True once for each change."""
        if self._writing:
            return False
        now = _glimpse(self.file)
        settled, self._settling = now == self._settling, now
        if now == self._glimpse or not settled:
            return False
        self._glimpse = now
        seen, known = version(self.file), self._on_disk
        if (seen and seen.sha256) != (known and known.sha256):
            return True
        if self.state == "drift":  # what was known is back: drift has ended by itself
            self.state, self.problems = ("saved", ()) if self._text is None else ("unsaved", self.problems)
            self._hurry(0.0)
        return False

    async def flush(self, seconds: float = 10.0) -> None:
        """Write what is due now; returns when it is on disk, or cannot be, or after ``seconds``."""
        if self._due < math.inf:
            self._hurry(0.0)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._rest.wait()

    def _hurry(self, within: float) -> None:
        self._due = min(self._due, monotonic() + within)
        self._rest.clear()
        self._wake.set()

    async def _write(self) -> None:
        text, backup, owed = self._text, self._backup, dict(self._owed)
        self._due, self._writing = math.inf, True
        try:
            if text is not None:
                self._on_disk = await asyncio.to_thread(_save, self.file, text, backup, self._on_disk)
                self._glimpse = self._settling = _glimpse(self.file)
                self.saved_generation = max(owed, default=self.saved_generation)
                self.problems = ()
                if self._text is text:
                    self._text, self._backup, self.state = None, None, "saved"
        except ChangedOnDisk:
            what = "somebody else changed the site file" if self.file.exists() else "the site file is gone"
            todo = "reload theirs, merge, or keep ours" if self.file.exists() else "keep ours to write it again"
            self.drifted((Problem(what=f"not saved: {what}", todo=todo, file=str(self.file)),))
            self._glimpse = self._settling = _glimpse(self.file)
            return
        except OSError as error:
            self.state = "failed"
            todo = f"trying again every {RETRY:.0f} s; the changes are in force"
            self.problems = (Problem(what=f"not saved: {_words(error)}", todo=todo, file=str(self.file)),)
            self._due = min(self._due, monotonic() + RETRY)
            return
        finally:
            self._writing = False
        await self._write_journal(owed)

    async def _write_journal(self, owed: dict[int, HistoryEntry]) -> None:
        try:
            await asyncio.to_thread(history.append, self._journal, [*owed.values()], [*self._kept.entries])
        except OSError as error:
            self.journal_problem = Problem(
                what=f"history is kept in memory alone: {_words(error)}",
                todo="make the folder writable to keep undo over a restart",
                severity="warning",
                file=str(self._journal),
            )
            return
        self.journal_problem = None
        for number, entry in owed.items():
            if self._owed.get(number) is entry:
                del self._owed[number]


def _save(file: Path, text: str, backup: str | None, expected: Stamp | None) -> Stamp:
    if backup is not None:
        copy = file.with_name(f"{file.name}.bak")
        save(copy, backup, stamp(copy))
    return save(file, text, expected)


def version(file: Path) -> Stamp | None:
    """The version of the site file on disk; None when there is none that can be read."""
    try:
        return stamp(file)
    except OSError:
        return None


def _glimpse(file: Path) -> tuple[int, int, int]:
    """What stat says cheaply about the version of a file; zeros when there is none."""
    try:
        status = file.stat()
    except OSError:
        return (0, 0, 0)
    return (status.st_mtime_ns, status.st_ino, status.st_size)


def _words(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
