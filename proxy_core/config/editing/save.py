"""Saving a site file so that it is always the old one or the new one, whole.

Write a temporary file beside it, fsync, rename over it, fsync the folder: rename(2) replaces in one step, and what
was reported as saved survives a crash. A symlink stays and its target is replaced. A file that is not the version
that the caller read is never overwritten. Everything here blocks: run it in a thread. Savers that use this module
wait for each other by a lock on the folder; an editor that does not is noticed, unless it writes within the moment
between the last look and the rename.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from proxy_core import regular_files

_PATIENCE = 2.0  # seconds to wait for another saver in the same folder


Glimpse = tuple[int, int, int, int]
"""What stat says cheaply about the version of a file: time of its change, time of any change to its inode, both in ns;
inode and size."""


class Stamp(Struct, frozen=True):
    """One version of a file. Versions with the same content are the same version: compare ``sha256``.

    The other fields tell cheaply that nothing has happened since: see ``stamp``. ``ctime_ns`` is the kernel's own: it
    moves even when somebody sets the time of the change back.
    """

    mtime_ns: int
    ctime_ns: int
    inode: int
    size: int
    sha256: str

    @property
    def glimpse(self) -> Glimpse:
        """What ``stat`` shows while this version is on disk."""
        return self.mtime_ns, self.ctime_ns, self.inode, self.size


class ChangedOnDisk(Exception):
    """The file is not the version that was to be replaced; ``found`` is what is there, None for nothing."""

    def __init__(self, path: Path, found: Stamp | None) -> None:
        what = "was deleted" if found is None else "was changed by somebody else"
        super().__init__(f"{path} {what}: reload it, or keep what is running")
        self.found = found


def stamp(path: Path, known: Stamp | None = None) -> Stamp | None:
    """The version that a file has now, None when there is no file.

    With the ``known`` last one the content is read only when a time, size or inode differ. Raises OSError, also for
    what is no regular file.
    """
    try:
        with _opened(path, os.O_RDONLY | os.O_NONBLOCK) as fd:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EINVAL, "not a regular file", str(path))
            if known is not None and glimpse(status) == known.glimpse:
                return known
            if status.st_size > regular_files.MOST:
                raise OSError(errno.EFBIG, f"more than {regular_files.MOST} bytes", str(path))
            with open(fd, "rb", closefd=False) as file:
                return _stamp(status, file.read())
    except FileNotFoundError:
        return None


def save(path: Path, text: str | bytes, expected: Stamp | None, like: Path | None = None) -> Stamp:
    """Make ``text`` the content of the file and give its new version.

    ``expected`` is the version that it replaces, None for a file that is not there yet. Raises ChangedOnDisk when
    something else is there (unless that has the very content of ``text``), and OSError when it cannot be written;
    the file is then as it was. Mode and owner are kept, or are those of the file ``like``; an owner that this process
    may not give is not. Without either the file is for its owner alone.
    """
    target = Path(os.path.realpath(path))
    content = text.encode() if isinstance(text, str) else text
    with _locked(target.parent) as folder:
        found = stamp(target)
        same = found is not None and found.sha256 == hashlib.sha256(content).hexdigest()
        if found is not None and same:
            os.fsync(folder)
            return found
        if (found and found.sha256) != (expected and expected.sha256):
            raise ChangedOnDisk(path, found)
        temporary = target.with_name(f".{target.name}.saving")
        temporary.unlink(missing_ok=True)  # one that a killed saver left: the lock says that nobody is writing it
        try:
            saved = _written(temporary, target, content, _status(like or target))
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        os.fsync(folder)
        return saved


def _written(temporary: Path, target: Path, content: bytes, like: os.stat_result | None) -> Stamp:
    """Write the content, rename it to ``target``, and give the version that it then has: renaming moves its ctime."""
    with _opened(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as fd:
        if like is not None:
            with contextlib.suppress(PermissionError):
                os.fchown(fd, like.st_uid, like.st_gid)
            os.fchmod(fd, stat.S_IMODE(like.st_mode))
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(fd, rest) :]
        os.fsync(fd)
        os.replace(temporary, target)
        return _stamp(os.fstat(fd), content)


def _status(path: Path) -> os.stat_result | None:
    """What stat says of a file, None for one that is not there."""
    with contextlib.suppress(FileNotFoundError):
        return os.stat(path)
    return None


def _stamp(status: os.stat_result, content: bytes) -> Stamp:
    return Stamp(*glimpse(status), hashlib.sha256(content).hexdigest())


def glimpse(status: os.stat_result) -> Glimpse:
    return status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size


@contextlib.contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    fd = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[int]:
    """The open folder, with the lock that keeps other savers out; the kernel drops it when a saver dies."""
    with _opened(folder, os.O_RDONLY | os.O_DIRECTORY) as fd:
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise OSError(errno.EBUSY, "another saver holds the folder", str(folder)) from None
                time.sleep(0.01)
            except OSError:  # a filesystem without locks
                break
        yield fd
