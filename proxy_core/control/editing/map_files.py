"""Entries of map files as part of history: edited, undone and done again like the site itself.

A map file is not part of the site file, so a generation keeps what it did to one: which entry meant what before and
after, and the very bytes that were cut and put, so that taking it back gives the file back as it was. Where somebody
else has changed the file meanwhile, the entry alone is set back and their changes stay. A file is written at once, as
safely as the site file, and the maps read it at the next lookup; there is no state between edited and saved.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from proxy_core import regular_files
from proxy_core.config.editing.save import ChangedOnDisk, Stamp, save
from proxy_core.config.editing.site_edits import Unusable
from proxy_core.config.model import RewriteMap
from proxy_core.errors import Problem
from proxy_core.http.target import as_bytes_text
from proxy_core.runtime.maps import text_file
from proxy_core.runtime.maps.tables import MOST_READ


class MapEdit(Struct, frozen=True, kw_only=True):
    """What was done to one entry of a map file. Texts have one character for each byte."""

    file: str
    """Path of the map file."""
    key: str
    """The key whose meaning changed."""
    before: str | None
    """What the key meant; None for nothing."""
    after: str | None
    """What it means; None for nothing."""
    at: int
    """The byte at which the text changed."""
    cut: str
    """What stood there."""
    put: str
    """What took its place."""

    def inverse(self) -> MapEdit:
        return MapEdit(
            file=self.file, key=self.key, before=self.after, after=self.before, at=self.at, cut=self.put, put=self.cut
        )


class Rewritten(Struct, frozen=True):
    """A map file as it is and as it is to be."""

    path: Path
    old: bytes
    new: bytes

    def inverse(self) -> Rewritten:
        return Rewritten(self.path, self.new, self.old)


def entry_edit(path: Path, key: str, value: str | None) -> MapEdit:
    """The edit that gives ``key`` of a map file the value (None: takes it out). Raises Unusable."""
    old = _read(path).decode("latin-1")
    key, value = as_bytes_text(key), value if value is None else as_bytes_text(value)
    try:
        new = text_file.edited(old, key, value)
    except text_file.Unwritable as refused:
        raise Unusable(str(refused), "keep it in the site instead: [maps.NAME.entries] holds any text") from None
    start = next((n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    most = min(len(old), len(new)) - start
    end = next((n for n in range(most) if old[-1 - n] != new[-1 - n]), most)
    before = text_file.table(old).get(key)
    cut, put = old[start : len(old) - end], new[start : len(new) - end]
    return MapEdit(file=str(path), key=key, before=before, after=value, at=start, cut=cut, put=put)


def still(edit: MapEdit) -> None:
    """Raise Unusable where the key of a map file does not mean what an edit begins with."""
    found = text_file.table(_read(Path(edit.file)).decode("latin-1")).get(edit.key)
    if found != edit.before:
        now, was = ("nothing" if value is None else f'"{value}"' for value in (found, edit.before))
        raise Unusable(f"{edit.key} of {edit.file} was made {was}, and is {now} by now", "change it by hand")


def rewritten(edits: Iterable[MapEdit]) -> tuple[Rewritten, ...]:
    """The files after ``edits``, made one after the other. Raises Unusable."""
    old: dict[str, str] = {}
    new: dict[str, str] = {}
    for edit in edits:
        if edit.file not in old:
            old[edit.file] = new[edit.file] = _read(Path(edit.file)).decode("latin-1")
        new[edit.file] = _made(new[edit.file], edit)
    return tuple(
        Rewritten(Path(file), old[file].encode("latin-1"), new[file].encode("latin-1"))
        for file in old
        if old[file] != new[file]
    )


def _made(old: str, edit: MapEdit) -> str:
    end = edit.at + len(edit.cut)
    new = old[: edit.at] + edit.put + old[end:]
    if old[edit.at : end] == edit.cut and text_file.means(old, new, edit.key, edit.after):
        return new
    return text_file.edited(old, edit.key, edit.after)


def write(files: Iterable[Rewritten]) -> tuple[Problem, ...]:
    """Bring the files to the disk; the problems when one cannot be written, in which case all are as they were, but
    for those that the problems name as well.

    Blocks: run it in a thread.
    """
    done: list[Rewritten] = []
    for each in files:
        if problem := _write(each, "changed"):
            return (problem, *set_back(done))
        done.append(each)
    return ()


def set_back(files: Iterable[Rewritten]) -> tuple[Problem, ...]:
    """Bring back what was on disk before ``write``; the problems of those that stay as they are. Blocks."""
    return tuple(problem for each in files if (problem := _write(each.inverse(), "set back")))


def _write(each: Rewritten, what: str) -> Problem | None:
    try:
        save(each.path, each.new, Stamp(0, 0, 0, 0, hashlib.sha256(each.old).hexdigest()))
    except (OSError, ChangedOnDisk) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return Problem(what=f"the map file is not {what}: {why}", todo="try again", file=str(each.path))
    return None


def editable(name: str, settings: RewriteMap | None) -> RewriteMap:
    """The map, if its entries can be edited. Raises Unusable."""
    if settings is None:
        raise Unusable(f'there is no map "{name}"', "choose one that the site has", ("maps", name))
    if settings.type not in ("txt", "rnd"):
        todo = "change what it reads, and it follows"
        raise Unusable(f"entries of maps of type {settings.type} are not edited here", todo, ("maps", name))
    return settings


def _read(path: Path) -> bytes:
    try:
        return regular_files.content(path, MOST_READ)
    except OSError as error:
        why = error.strerror or str(error)
        raise Unusable(f"{path} cannot be read: {why}", "make the file, or correct its name") from None


def for_people(content: bytes) -> str:
    return content.decode(errors="replace")
