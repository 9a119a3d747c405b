"""Range requests: which parts of a representation a client gets, and how several are framed (RFC 9110 §14, §15.3.7).

What is no sound set of ranges is as if it were not there, and so is one that would cost more than the whole (§17.15):
of too many parts, or of more bytes than there are. Neighbours that overlap or touch become one, as in httpd. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

MOST: Final = 200
"""Parts of one answer (httpd's MaxRanges)."""
_COMMAS = re.compile(r"[ \t]*,[ \t]*").split
_SPEC = re.compile(r"(\d{1,18})-(\d{0,18})|-(\d{1,18})").fullmatch


class ByteRange(NamedTuple):
    """A part of a representation: its first byte, and the one behind its last."""

    start: int
    end: int

    def of(self, size: int) -> str:
        """Content-Range of a whole of so many bytes."""
        return f"bytes {self.start}-{self.end - 1}/{size}"


def parts(field: str, size: int) -> tuple[ByteRange, ...] | None:
    """The parts that a Range field asks for of so many bytes; none where it asks for nothing that is there (416), None
    where the whole is to be sent."""
    unit, _, specs = field.partition("=")
    if unit.lower() != "bytes" or not size:
        return None
    found: list[ByteRange] = []
    asked = _COMMAS(specs)
    if len(asked) > MOST:
        return None
    for spec in filter(None, asked):
        read = _SPEC(spec)
        if read is None or (read[1] and read[2] and int(read[2]) < int(read[1])):
            return None
        part = _part(read, size)
        if part.start >= part.end:
            continue
        if found and part.start <= found[-1].end and part.end >= found[-1].start:
            part = ByteRange(min(part.start, found[-1].start), max(part.end, found.pop().end))
        found.append(part)
    if not any(asked) or sum(part.end - part.start for part in found) > size:
        return None
    return tuple(found)


def _part(read: re.Match[str], size: int) -> ByteRange:
    if read[3]:
        return ByteRange(max(0, size - int(read[3])), size)
    return ByteRange(int(read[1]), min(int(read[2]) + 1 if read[2] else size, size))


def framed(parts: Sequence[ByteRange], size: int, kind: str, boundary: str) -> tuple[list[bytes], bytes]:
    """What stands before each part of a body of type multipart/byteranges, and behind the last."""
    heads = [
        f"\r\n--{boundary}\r\nContent-Type: {kind}\r\nContent-Range: {part.of(size)}\r\n\r\n".encode("latin-1")
        for part in parts
    ]
    return heads, f"\r\n--{boundary}--\r\n".encode()
