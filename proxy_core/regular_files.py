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


def content(path: Path | str, most: int = MOST) -> bytes:
    """The bytes of a regular file. Raises OSError, worded for people, for what is none, has more than ``most`` bytes,
    or cannot be read or be the name of a file."""
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK | os.O_NOCTTY)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise OSError(errno.EINVAL, "not a regular file", str(path))
            found = file.read(most + 1) or b""  # some files of the kernel's have nothing at once
    except ValueError:  # a NUL in the name
        raise OSError(errno.EINVAL, "no file can have that name", str(path)) from None
    if len(found) > most:
        raise OSError(errno.EFBIG, f"more than {most} bytes", str(path))
    return found
