"""The saver: brings the applied text to the disk, and notices when somebody else changes the file.

Writing happens in a thread, one write at a time, always the newest text. The file on disk is replaced only while it
is the version that was last read or written here. Anything else is *drift*, about which a person decides. A write that
fails is tried again until it works. The journal is written along with the file and may fail: it is a convenience, the
file is not.
"""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import TypeVar

from proxy_core.config.editing.save import ChangedOnDisk, Glimpse, Stamp, glimpse, save, stamp
from proxy_core.config.editing.site_edits import Edit
from proxy_core.control.editing import history
from proxy_core.control.editing.history import History, HistoryEntry
from proxy_core.control.view import Saved
from proxy_core.errors import Problem

RETRY = 5.0
"""Seconds after which a write that failed is tried again."""

GONE: Glimpse = (0, 0, 0, 0)
"""What is seen of a file that is not there."""

Owed = TypeVar("Owed")


class Saver:
    """``state`` and ``problems`` are for people. ``disk`` is held while the file is written, and by whoever takes over
    what stands on disk: from looking at it until ``took`` or ``overwrite``."""

    def __init__(self, file: Path, kept: History) -> None:
        self.file = file
        self.state: Saved = "saved"
        self.problems: tuple[Problem, ...] = ()
        self.journal_problem: Problem | None = None
        self.journals = True
        """False where the journal is another process's to write."""
        self.disk = asyncio.Lock()
        self._history = kept
        self._journal = history.journal_of(file)
        self._on_disk = version(file)
        self._glimpse = self._settling = _times(self._on_disk)
        self._text: str | None = None
        self._backup: str | None = None
        self._unsaved: dict[int, tuple[Edit, ...] | None] = {}
        self._unjournalled: dict[int, HistoryEntry] = {}
        self._due = math.inf
        self._wake = asyncio.Event()
        self._rest = asyncio.Event()

    async def run(self) -> None:
        """Write whenever something is due, until cancelled."""
        while True:
            self._wake.clear()
            if self._due == math.inf:
                self._rest.set()
            delay = self._due - monotonic()
            if delay > 0:
                with suppress(TimeoutError):
                    async with asyncio.timeout(None if delay == math.inf else delay):
                        await self._wake.wait()
                continue
            await self._write()

    def want(
        self, entry: HistoryEntry, edits: tuple[Edit, ...] | None, linger: float = 0.0, backup: str | None = None
    ) -> None:
        """``entry``, made of ``edits``, is in force: write its text within ``linger`` seconds. ``backup`` is the text
        that loses its comments by it, to be kept beside the file, at the latest when that is written."""
        self._text, self._backup = entry.text, backup or self._backup
        self._unsaved[entry.number] = edits
        self._unjournalled[entry.number] = entry
        self.state = "unsaved"
        self._hurry(linger)

    def note(self, entry: HistoryEntry) -> None:
        """``entry`` is in force, and the file on disk stays as it is: only the journal is owed."""
        self._unjournalled[entry.number] = entry
        self._hurry(0.0)

    def took(self, entry: HistoryEntry, seen: Stamp | None) -> None:
        """``entry`` is the file as it stands on disk in the version ``seen``; only the journal is owed."""
        self._text, self._backup = None, None
        self._unsaved.clear()
        self._unjournalled[entry.number] = entry
        self._on_disk = seen
        self._glimpse = self._settling = _times(seen)
        self.state, self.problems = "saved", ()
        self._hurry(0.0)

    def overwrite(self, seen: Stamp | None) -> None:
        """The version ``seen`` of the file on disk may be written over, by a text that holds all that is unsaved."""
        self._on_disk = seen
        self._unsaved.clear()

    def unsaved(self) -> tuple[Edit, ...] | None:
        """The edits of all generations that are not on disk; None when one of them was not made of edits."""
        made = self._unsaved.values()
        return None if None in made else tuple(edit for edits in made if edits for edit in edits)

    def overtakes(self, seen: Stamp | None) -> bool:
        """Whether what is unsaved is all that is new: the version ``seen`` on disk is the one known here."""
        ours = self._on_disk
        return bool(self._unsaved) and seen is not None and ours is not None and seen.sha256 == ours.sha256

    def drifted(self, problems: tuple[Problem, ...]) -> None:
        """The file that somebody else wrote could not be taken over; ``problems`` say why."""
        self.state, self.problems = "drift", problems
        self._due = math.inf
        self._wake.set()

    def changed(self) -> bool:
        """Whether somebody else changed the file, and has finished: it looked the same at two calls, and its content
        is not what is known here. True once for each change."""
        if self.disk.locked():
            return False
        now = _glimpse(self.file)
        settled, self._settling = now == self._settling, now
        if now == self._glimpse or not settled:
            return False
        self._glimpse = now
        found, ours = version(self.file), self._on_disk
        if (found and found.sha256) != (ours and ours.sha256):
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
        async with self.disk:
            self._due = math.inf
            entries = dict(self._unjournalled)
            if self._text is not None and not await self._replace(self._text, self._backup):
                return
        await self._write_journal(entries)

    async def _replace(self, text: str, backup: str | None) -> bool:
        """Replace the file on disk. What comes into force meanwhile stays unsaved."""
        unsaved = dict(self._unsaved)
        try:
            self._on_disk = await asyncio.to_thread(_save, self.file, text, backup, self._on_disk)
        except ChangedOnDisk as changed:
            gone = changed.found is None
            what = "the site file is gone" if gone else "somebody else changed the site file"
            todo = "keep ours to write it again" if gone else "reload theirs, merge, or keep ours"
            self.drifted((Problem(what=f"not saved: {what}", todo=todo, file=str(self.file)),))
            self._glimpse = self._settling = _times(changed.found)
            return False
        except OSError as error:
            self.state = "failed"
            todo = f"trying again every {RETRY:.0f} s; the changes are in force"
            self.problems = (Problem(what=f"not saved: {_words(error)}", todo=todo, file=str(self.file)),)
            self._due = min(self._due, monotonic() + RETRY)
            self._rest.set()
            return False
        self._glimpse = self._settling = _times(self._on_disk)
        self.problems = ()
        if self._backup is backup:
            self._backup = None
        if self._text == text:
            self._text, self.state = None, "saved"
            self._unsaved.clear()
        else:
            _settle(self._unsaved, unsaved)
        return True

    async def _write_journal(self, entries: dict[int, HistoryEntry]) -> None:
        if not self.journals:
            return
        try:
            await asyncio.to_thread(history.append, self._journal, [*entries.values()], [*self._history.entries])
        except OSError as error:
            self.journal_problem = Problem(
                what=f"history is kept in memory alone: {_words(error)}",
                todo="make the folder writable to keep undo over a restart",
                severity="warning",
                file=str(self._journal),
            )
            return
        self.journal_problem = None
        _settle(self._unjournalled, entries)


def _settle(owed: dict[int, Owed], written: dict[int, Owed]) -> None:
    """Take what was written from what is owed, but for generations that were amended since."""
    for number, each in written.items():
        if number in owed and owed[number] is each:
            del owed[number]


def _save(file: Path, text: str, backup: str | None, expected: Stamp | None) -> Stamp:
    if backup is not None:
        copy = backup_of(file)
        save(copy, backup, stamp(copy), like=file)
    return save(file, text, expected)


def backup_of(file: Path) -> Path:
    """Where the text is kept that an edit took the comments from."""
    return file.with_name(f"{file.name}.bak")


def version(file: Path) -> Stamp | None:
    """The version of the site file on disk; None when there is none that can be read."""
    try:
        return stamp(file)
    except OSError:
        return None


def _glimpse(file: Path) -> Glimpse:
    try:
        return glimpse(file.stat())
    except OSError:
        return GONE


def _times(seen: Stamp | None) -> Glimpse:
    """What a glimpse shows while this version is on disk."""
    return seen.glimpse if seen is not None else GONE


def _words(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
