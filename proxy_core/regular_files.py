"""Files that somebody names, read within a bound.

A name may lead to a pipe that nobody writes to, to a device without end, or to a file larger than memory. What is read
here is a regular file of no more bytes than its reader allows, and opening it never waits. Knows nothing of contents.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

MOST = 64 << 20
"""Bytes that a file for people (a site file, a configuration, a list, a certificate) may have."""


def descriptor(path: Path | str | bytes) -> int:
    """A regular file, open for reading. Raises OSError, worded for people, for what is none, cannot be read, or cannot
    be the name of a file."""
    try:
        found = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except ValueError:  # a NUL in the name
        raise OSError(errno.EINVAL, "no file can have that name", path) from None
    mode = os.fstat(found).st_mode
    if stat.S_ISREG(mode):
        return found
    os.close(found)
    folder = stat.S_ISDIR(mode)
    raise OSError(
        errno.EISDIR if folder else errno.EINVAL, os.strerror(errno.EISDIR) if folder else "not a regular file", path
    )


def content(path: Path | str, most: int = MOST) -> bytes:
    """The bytes of a regular file. Raises OSError as ``descriptor`` does, and where it has more than ``most`` bytes."""
    with open(descriptor(path), "rb") as file:
        found = file.read(most + 1) or b""  # some files of the kernel's have nothing at once
    if len(found) > most:
        raise OSError(errno.EFBIG, f"more than {most} bytes", path)
    return found
