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
    """The lock at ``path``, not taken yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def take(self) -> Problem | None:
        """Take the lock. None when it is ours, or cannot be had here by anybody; else who has it."""
        if self._descriptor is not None:
            return None
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
        with suppress(OSError):
            os.truncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor
        return None

    def drop(self) -> None:
        """Let another process have it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
