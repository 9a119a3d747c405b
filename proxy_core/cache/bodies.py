"""Bodies of kept answers: in memory, or past a size in files without a name, which end with the process.

A file is written as its body comes, through the page cache, as nginx does; it is read in pieces by whoever serves it.
"""

from __future__ import annotations

import os
import tempfile
from typing import Final

PIECE: Final = 128 * 1024
"""Bytes that are read of a file at a time."""


class _Nameless:
    """A file without a name, which is closed when nobody holds it any longer."""

    __slots__ = ("_file", "add", "number")

    def __init__(self, folder: str) -> None:
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 — it outlives every block
        self.add = self._file.write
        self.number = self._file.fileno()

    def __del__(self) -> None:
        self._file.close()


class FileBody:
    """A body in a file."""

    __slots__ = ("_file", "length")

    def __init__(self, file: _Nameless, length: int) -> None:
        self._file = file
        self.length = length

    def read(self, at: int, end: int) -> bytes:
        """The bytes from ``at`` to before ``end``, at most PIECE of them. Waits for the disk. Raises OSError."""
        return os.pread(self._file.number, min(PIECE, end - at), at)


class Growing:
    """A body that is still coming. ``length`` bytes have come."""

    __slots__ = ("_file", "_folder", "_in_memory", "_pieces", "length")

    def __init__(self, in_memory: int, folder: str) -> None:
        """Longer ones than ``in_memory`` bytes go to a file in ``folder``, "" for none."""
        self.length = 0
        self._in_memory = in_memory
        self._folder = folder
        self._pieces: list[bytes] = []
        self._file: _Nameless | None = None

    def add(self, data: bytes) -> bool:
        """Take a piece; whether there is a place for it. Raises OSError."""
        self.length += len(data)
        if self._file is None and self.length > self._in_memory:
            if not self._folder:
                return False
            self._file = _Nameless(self._folder)
            for piece in self._pieces:
                self._file.add(piece)
            self._pieces = []
        if self._file is None:
            self._pieces.append(data)
        else:
            self._file.add(data)
        return True

    @property
    def in_memory(self) -> int:
        """Bytes of memory that it takes now."""
        return 0 if self._file is not None else self.length

    def whole(self) -> bytes | FileBody:
        """It has come to its end."""
        return b"".join(self._pieces) if self._file is None else FileBody(self._file, self.length)
