"""GDBM: a header, a directory of buckets by the first bits of the hash, and in each bucket a table of elements.

The layout and the hash are those of gdbmdefs.h and hash.c of GNU dbm 1.23, for files with 64-bit offsets.
"""

from __future__ import annotations

import struct

from proxy_core.runtime.maps.dbm.layout import LARGEST, BadDbmFile, Read

_MAGIC = (0x13579ACE, 0x13579ACF, 0x13579AD0)
_MAGIC_32 = 0x13579ACD
_HEADER = struct.Struct("<iiqiiiiq")
_ELEMENT = struct.Struct("<i4xqii")
_BEFORE_ELEMENTS = 112
"""Bytes of a bucket before its table: the free blocks it knows (4 + 6 * 16 and padding), its bits, its count."""


def is_head(head: bytes) -> bool:
    return int.from_bytes(head[:4], "little") in (*_MAGIC, _MAGIC_32)


def fetch(read: Read, key: bytes) -> bytes | None:
    """The value of ``key``."""
    magic, _, directory, _, bits, size, elements, _ = _HEADER.unpack(read(0, _HEADER.size))
    if magic not in _MAGIC:
        kind = "a GDBM file with 32-bit offsets" if magic == _MAGIC_32 else "no GDBM file"
        raise BadDbmFile(f"the file is {kind}: make it with httxt2dbm -f GDBM on this machine")
    if not (0 <= bits <= 31 and elements > 0 and _BEFORE_ELEMENTS + elements * _ELEMENT.size <= size <= LARGEST):
        raise BadDbmFile("the header of the GDBM file is damaged: make the map again")
    number = _hash(key)
    (address,) = struct.unpack("<q", read(directory + 8 * (number >> (31 - bits)), 8))
    bucket = read(address, size)
    for step in range(elements):
        place = _BEFORE_ELEMENTS + (number + step) % elements * _ELEMENT.size
        found, data, key_size, value_size = _ELEMENT.unpack_from(bucket, place)
        if found == -1:
            return None
        if found == number and key_size == len(key) and read(data, key_size) == key:
            value = read(data + key_size, min(max(value_size, 0), LARGEST))
            if len(value) != value_size:
                raise BadDbmFile("the GDBM file ends inside a value: it is damaged, or still being written")
            return value
    return None


def _hash(key: bytes) -> int:
    number = 0x238F13AF * len(key)
    for index, byte in enumerate(key):
        signed = byte - (byte >> 7 << 8)
        number = (number + (signed << (index * 5 % 24))) & 0x7FFFFFFF
    return (1103515243 * number + 12345) & 0x7FFFFFFF
