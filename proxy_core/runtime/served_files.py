"""What a path stands for in the folders that a site serves: a file, the redirect of a folder, the names in it.

A path is resolved, links and all, and must stay in its folder (httpd's default handler would follow links out of it).
No name that begins with a dot is served but .well-known. What the site names for itself (``config.private_files``), the
site file and its journal are never served and never listed, by no spelling, no link and no name of a backup: files are
compared by what they are, not by what they are called. All of it waits for the disk, so it is called in threads alone.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Container, Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import unquote_to_bytes

from msgspec import Struct
from msgspec.structs import replace

from proxy_core.config.folders import Root
from proxy_core.http.content_coding import SUFFIXES
from proxy_core.http.escaping import uri_escaped

_MARKS: Final = (b".", b"~", b"-1", b"-2", b"-wal", b"-shm", b"-journal", b"-old", b"-bak")
"""What stands behind a file's name in the names of its backups and parts: dates too (logrotate's dateext), and what
SQLite keeps beside a database."""

MOST_LISTED: Final = 1000
"""Names that a listing has."""
_MOST_READ: Final = 20_000
"""Names of a folder that are looked at."""


class Found(Struct, frozen=True):
    """What a path stands for: a status, and the file, or where else to look."""

    status: int
    file: str = ""
    location: str = ""
    bare: bool = False
    """Whether it is a folder without an index."""


def look(folder: Path, root: Root, spelled: str, private: Sequence[Path] = (), made: bool = False) -> Found:
    """What an escaped path stands for in a folder, where ``private`` files are not there; to be called in a thread.
    ``made``: whether a slash at its end may stand behind a file (``MADE``)."""
    path = unquote_to_bytes(spelled)
    if "%2F" in spelled.upper() or b"\0" in path or _hidden(path):
        return Found(404)
    top = os.path.realpath(os.fsencode(folder / root.folder))
    try:
        there = os.path.realpath(top + path, strict=True)
        files = [] if path.endswith(b"/") and not made else [there]
        if os.path.isdir(there):
            if not _inside(top, there):
                return Found(404)
            if not path.endswith(b"/"):
                return Found(301, location=uri_escaped(path.decode("latin-1")) + "/")
            files = [os.path.realpath(os.path.join(there, os.fsencode(name))) for name in root.names]
        known = _stats(private)
        for file in files:
            inside = os.path.isfile(file) and _inside(top, file)
            if inside and not _is_private(os.stat(file), file, private, known):
                return Found(200, os.fsdecode(file)) if os.access(file, os.R_OK) else Found(403)
        if os.path.isdir(there):
            return Found(403, bare=True)
    except PermissionError:
        return Found(403)
    except FileNotFoundError:
        return Found(403 if _leads_nowhere(top + path) else 404)
    except (OSError, ValueError):
        pass
    return Found(404)


START: Final = 64 * 1024


class OpenFile(Struct, frozen=True):
    """A file that is sent, open."""

    file: BinaryIO
    """It itself; who has got it closes it."""
    start: bytes
    """Its first bytes, at most ``START``, which are all of most files."""
    size: int
    """Its bytes."""
    modified: int
    """When it was changed, in microseconds since the epoch."""
    coding: str = ""
    """The coding that its content is in, "" for none."""
    varies: bool = False
    """Whether another client gets it in another coding."""


def opened(file: str, taken: Sequence[str] | None = None, private: Sequence[Path] = ()) -> OpenFile:
    """A file that was found, or the one beside it that is coded already, in the first of these codings in which there
    is one; None: no other stands in for it. To be called in a thread. Raises OSError."""
    if taken is None:
        return _open(file)
    changed = os.stat(file).st_mtime_ns
    known = _stats(private)
    beside = {coding: file + mark for coding, mark in SUFFIXES.items()}
    there = [coding for coding, name in beside.items() if _stands_in(os.fsencode(name), changed, private, known)]
    for coding in (each for each in taken if each in there):
        with suppress(OSError):
            return replace(_open(beside[coding]), coding=coding, varies=True)
    return replace(_open(file), varies=bool(there))


def _open(name: str) -> OpenFile:
    file = open(name, "rb", buffering=0)  # noqa: SIM115  # who gets it closes it
    found = os.fstat(file.fileno())
    return OpenFile(file, os.pread(file.fileno(), START, 0), found.st_size, found.st_mtime_ns // 1000)


def _stands_in(name: bytes, changed: int, private: Sequence[Path], known: Container[tuple[int, int]]) -> bool:
    """Whether a file beside another one is what that one is in a coding: no link, not older, and not private."""
    try:
        found = os.lstat(name)
    except OSError:
        return False
    is_it = stat.S_ISREG(found.st_mode) and found.st_mtime_ns >= changed and os.access(name, os.R_OK)
    return is_it and not _is_private(found, name, private, known)


def _leads_nowhere(file: bytes) -> bool:
    """Whether a link on the way to a file leads to nothing."""
    while not os.path.lexists(file):
        file = os.path.dirname(file)
    return not os.path.exists(file)


def refused_link(folder: Path, followed: Sequence[str], file: str) -> str | None:
    """The first link on the way to a file that may not be followed; None where there is none. ``followed`` says which
    may (``FollowLinks``): that of the folder in which the name begins, for all above it too, then of each part."""
    whole = os.path.abspath(os.path.join(os.fsencode(folder), file.encode("latin-1")))
    parts = whole.split(b"/")[1:]
    words = [followed[0]] * (len(parts) - len(followed)) + list(followed)
    for number, word in enumerate(words[-len(parts) :], 1):
        way = b"/" + b"/".join(parts[:number])
        try:
            found = os.lstat(way)
        except OSError:
            return None
        if stat.S_ISLNK(found.st_mode) and not _followed(word, found, way):
            return way.decode("latin-1")
    return None


def _followed(word: str, link: os.stat_result, way: bytes) -> bool:
    """Whether a link may be followed (``resolve_symlink``)."""
    try:
        return word == "all" or (word == "owner" and os.stat(way).st_uid == link.st_uid)
    except OSError:
        return False


def listing(folder: Path, said: str, name: str, private: Sequence[Path] = ()) -> str | None:
    """The names in a folder below one that is served, sorted, with a NUL between them; those of folders end in a slash,
    and an empty one stands for more than are given. None where there is no such folder, or none that may be seen.
    ``said``: which links are in it (``FollowLinks``), and the folder that is served."""
    followed, _, top = said.partition(" ")
    try:
        root, there = (
            os.path.realpath(os.path.join(os.fsencode(folder), each.encode("latin-1")), strict=True)
            for each in (top, name)
        )
        if not os.path.isdir(there) or not _inside(root, there):
            return None
        with os.scandir(there) as entries:
            some = islice(entries, _MOST_READ + 1)
            read = sorted((each.name + b"/" * each.is_dir(), each.is_symlink()) for each in some)
        found, more, known = list[str](), len(read) > _MOST_READ, _stats(private)
        for own, linked in read:
            shown = _listed(root, there, own, followed if linked else "", private, known)
            if shown and len(found) == MOST_LISTED:
                more = True
                break
            found += filter(None, [shown])
        return "\0".join([*found, *[""] * more]) if found else ""
    except (OSError, ValueError):
        return None


def _listed(
    root: bytes, folder: bytes, name: bytes, linked: str, private: Iterable[Path], known: Container[tuple[int, int]]
) -> str:
    """A name as it is listed, "" for one that is not. ``linked``: which links are, "" for what is none."""
    if name.startswith(b"."):
        return ""
    file = os.path.join(folder, name.rstrip(b"/"))
    try:
        if linked and not _followed(linked, os.lstat(file), file):
            return ""
        if linked:
            file = os.path.realpath(file, strict=True)
        found = os.stat(file)
    except OSError:
        return ""
    if linked and not _inside(root, file):
        return ""
    shown = stat.S_ISDIR(found.st_mode) or (
        stat.S_ISREG(found.st_mode) and not _is_private(found, file, private, known)
    )
    return name.decode("latin-1") if shown else ""


def _stats(private: Iterable[Path]) -> set[tuple[int, int]]:
    """What the private files are that are there."""
    found = set()
    for each in private:
        with suppress(OSError):
            known = os.stat(each)
            found.add((known.st_dev, known.st_ino))
    return found


def _is_private(found: os.stat_result, file: bytes, private: Iterable[Path], known: Container[tuple[int, int]]) -> bool:
    """Whether a resolved file is one of these, under whatever name, or stands beside one as a backup, an older log or a
    part of it does: under its name, with one of _MARKS and more behind it."""
    folded = file.lower()
    return (found.st_dev, found.st_ino) in known or any(folded.startswith(_beside(each)) for each in private)


@lru_cache(4096)
def _beside(private: Path) -> tuple[bytes, ...]:
    """What the names of files beside a private one begin with, in lower case: some file systems tell no difference."""
    names = {os.path.abspath(private), os.path.realpath(private)}
    return tuple(os.fsencode(name).lower() + mark for name in names for mark in _MARKS)


def _inside(top: bytes, there: bytes) -> bool:
    """Whether a resolved path is in the folder, and no hidden name is on the way."""
    below = there.removeprefix(top.rstrip(b"/"))
    if there != top and (len(below) == len(there) or not below.startswith(b"/")):
        return False
    return not _hidden(below)


def _hidden(path: bytes) -> bool:
    """Whether a name in a path begins with a dot; .well-known is there to be seen (RFC 8615)."""
    return any(part.startswith(b".") and part != b".well-known" for part in path.split(b"/"))
