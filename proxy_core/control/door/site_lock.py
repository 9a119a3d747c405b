"""Who writes a site file: one process, by a lock beside the journal that the kernel drops when its holder ends.

The file itself may be replaced by anybody at any moment, so it cannot carry the lock. A second process on the same
file serves it too, follows what stands on disk, and refuses edits. A filesystem that knows no locks keeps nobody out.
The lock is flock(2): it belongs to the open file, so a process that hands the descriptor on hands the lock on.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from proxy_core.errors import Problem


class SiteLock:
    """The lock at ``path``, not taken yet but where another process left it to us, with its ``descriptor``."""

    def __init__(self, path: Path, descriptor: int | None = None) -> None:
        self._path = path
        self._lent: Problem | None = None
        self.descriptor = descriptor
        if descriptor is not None:
            self._sign(descriptor)

    def take(self) -> Problem | None:
        """Take the lock. None when it is ours, or cannot be had here by anybody; else who has it."""
        if self.descriptor is not None:
            return self._lent
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            what = f"process {holder or 'unknown'} serves this site file and writes it: this one only reads it"
            todo = "edit it there (rproxy ctl, rproxy-tui), or stop that one: this one then takes over"
            return Problem(what=what, todo=todo, severity="warning")
        except OSError:
            os.close(descriptor)
            return None
        self._sign(descriptor)
        self.descriptor = descriptor
        return None

    def lent(self, why: Problem | None) -> bool:
        """Another process may become the holder, for the reason given; None: it did not. Whether it is ours at all."""
        self._lent = why
        if why is None and self.descriptor is not None:
            self._sign(self.descriptor)
        return self.descriptor is not None

    def drop(self) -> None:
        """Let another process have it."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None

    def _sign(self, descriptor: int) -> None:
        """Leave word of who holds it."""
        with suppress(OSError):
            os.truncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
