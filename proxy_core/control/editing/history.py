"""History: every state of the site file that was applied, with its text, so that any of them can come back.

Undo and redo are walks over two stacks of generations, but what they do is a new generation each, so history only
grows and nothing that was ever in force is lost. The newest 200 generations are kept, in memory and as a journal on
disk: JSON lines, one a generation, appended and fsynced; a later line with the same number replaces an earlier one.
A journal that cannot be read or written never stops an edit: history then starts anew, or lives in memory alone.
"""

from __future__ import annotations

import os
from io import StringIO
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct, field

from proxy_core.control.editing.map_files import MapEdit
from proxy_core.control.view import Generation
from proxy_core.control.watching.troubles import AppliedAt

KEPT = 200


class HistoryEntry(Generation, frozen=True, kw_only=True, omit_defaults=True):
    """One generation, as the journal keeps it: without its effect, which is known of the last hour alone."""

    text: str
    """The whole site file."""
    kind: Literal["change", "undo", "redo"] = "change"
    """A change, or a step of the walk over changes."""
    map_edits: tuple[MapEdit, ...] = ()
    """What it did to map files."""
    confirm: float = 0.0
    """Seconds within which it is to be confirmed; 0 for what stays. Until then the site file has the text before."""

    @property
    def shown(self) -> Generation:
        """What people see of it."""
        return Generation(number=self.number, at=self.at, author=self.author, sentence=self.sentence, diff=self.diff)


class History(Struct):
    """``past`` are the changes in force, the newest last; ``future`` those undone, the next to redo last. What left the
    text and every map file as they were (Keep, a nudge there and back) is a generation, but nothing to undo."""

    entries: list[HistoryEntry] = field(default_factory=list)
    past: list[int] = field(default_factory=list)
    future: list[int] = field(default_factory=list)

    def add(self, entry: HistoryEntry) -> None:
        self.entries.append(entry)
        match entry.kind:
            case "change":
                self._changed(entry)
            case "undo":
                self.future.append(self.past.pop())
            case "redo":
                self.past.append(self.future.pop())
        del self.entries[:-KEPT]

    def amend(self, entry: HistoryEntry) -> None:
        """Put a new state of the newest change in its place (repeated nudges of one key are one generation)."""
        self.entries[-1] = entry
        if entry.kind == "change":
            if self.past[-1:] == [entry.number]:
                self.past.pop()
            self._changed(entry)

    def _changed(self, entry: HistoryEntry) -> None:
        before = self.find(self.past[-1]) if self.past else None
        if before is None or before.text != entry.text or entry.map_edits:
            self.past.append(entry.number)
            self.future.clear()

    def times(self) -> list[AppliedAt]:
        """When each came into force."""
        return [AppliedAt(entry.number, entry.at) for entry in self.entries]

    def find(self, number: int) -> HistoryEntry | None:
        return next((entry for entry in self.entries if entry.number == number), None)

    def begin_anew(self, other: History) -> None:
        """Become what another history is."""
        self.entries, self.past, self.future = other.entries, other.past, other.future

    def before(self, number: int) -> HistoryEntry | None:
        """The state that a generation was made of."""
        places = {entry.number: place for place, entry in enumerate(self.entries)}
        place = places.get(number, 0)
        return self.entries[place - 1] if place else None

    def undoable(self) -> tuple[HistoryEntry, HistoryEntry] | None:
        """The change that Undo would take back, and the state that it would bring back: of what waits to be confirmed
        that, be it an undo itself."""
        if self.unconfirmed is not None:
            return self.entries[-1], self.entries[-2]
        if len(self.past) < 2:
            return None
        change, before = self.find(self.past[-1]), self.find(self.past[-2])
        return (change, before) if change and before else None

    @property
    def unconfirmed(self) -> HistoryEntry | None:
        """What is in force and waits to be confirmed."""
        return self.entries[-1] if len(self.entries) > 1 and self.entries[-1].confirm else None

    def redoable(self) -> HistoryEntry | None:
        return self.find(self.future[-1]) if self.future else None

    def generations(self) -> tuple[Generation, ...]:
        return tuple(entry.shown for entry in self.entries)


def way_back(entry: HistoryEntry) -> Literal["undo", "redo"]:
    """Which way through history takes a generation back."""
    return "redo" if entry.kind == "undo" else "undo"


def difference(before: str, after: str, name: str) -> str:
    """The unified diff of two texts of the site file, "" when they are equal."""
    from difflib import unified_diff  # only where somebody looks

    lines = unified_diff(_lines(before), _lines(after), name, name, n=2)
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def _lines(text: str) -> list[str]:
    """With their ends, which are TOML's alone: another character that ends a line to some is part of one."""
    return StringIO(text, newline="\n").readlines()


def journal_of(file: Path) -> Path:
    """Where the journal of a site file lives: the user's state folder, apart for every site file."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "rproxy" / str(file.resolve()).strip("/").replace("%", "%25").replace("/", "%") / "journal"


def load(journal: Path) -> History:
    """The history in a journal; empty when there is none. A torn or foreign line ends the reading."""
    history = History()
    try:
        lines = journal.read_bytes().splitlines()
    except OSError:
        return history
    entries: dict[int, HistoryEntry] = {}
    for line in lines:
        try:
            entry = msgspec.json.decode(line, type=HistoryEntry)
        except msgspec.DecodeError:
            break
        entries[entry.number] = entry
    for entry in sorted(entries.values(), key=lambda entry: entry.number)[-KEPT:]:
        try:
            history.add(entry)
        except IndexError:  # the change that a walk went back over has left the journal
            history.past, history.future = [entry.number], []
    return history


def append(journal: Path, entries: list[HistoryEntry], everything: list[HistoryEntry]) -> None:
    """Write ``entries`` to the journal's end; once it holds twice what is kept, write ``everything`` anew.

    Raises OSError. A line that a crash cut off is closed first, so that it cannot spoil the next.
    """
    journal.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        old = journal.read_bytes()
    except FileNotFoundError:
        old = b""
    new = b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries)
    if old.count(b"\n") > 2 * KEPT or (old and not old.endswith(b"\n")):
        temporary = journal.with_suffix(".new")
        _write(temporary, b"".join(msgspec.json.encode(entry) + b"\n" for entry in everything), os.O_TRUNC)
        temporary.replace(journal)
    else:
        _write(journal, new, os.O_APPEND)


def _write(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | mode, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
