"""What the readers of DBM files share: how they read, and what they say of a file that is not what it should be."""

from __future__ import annotations

from collections.abc import Callable

Read = Callable[[int, int], bytes]
"""(offset, size) → the bytes there; fewer at the end of the file."""

LARGEST = 1 << 24
"""Bytes of a block, or of a value, that are read at most: a damaged file may say any number."""


class BadDbmFile(ValueError):
    """The file is not of its format, or damaged; the message is a sentence for people."""
