"""SDBM: a directory of bits (NAME.dir) that leads to a page of 1024 bytes (NAME.pag); the format that apr carries.

The layout and the hash are those of dbm/sdbm in apr-util. A page begins with the number of its offsets; keys and
values are packed from its end, and each pair of offsets says where a key and its value begin.
"""

from __future__ import annotations

import struct

from proxy_core.runtime.maps.dbm.layout import BadDbmFile, Read

_PAGE = 1024
_DIRECTORY = 4096


def fetch(directory: Read, pages: Read, key: bytes) -> bytes | None:
    """The value of ``key``."""
    page = pages(_page_of(directory, _hash(key)) * _PAGE, _PAGE)
    if not page:
        return None
    (count,) = struct.unpack_from("<h", page)
    if not 0 <= count < _PAGE // 2 or count % 2 or len(page) < _PAGE:
        raise BadDbmFile("a page of the .pag file is damaged: make the map again")
    end = _PAGE
    for start, value in struct.iter_unpack("<hh", page[2 : 2 + 2 * count]):
        if page[start:end] == key:
            return page[value:start]
        end = value
    return None


def _page_of(directory: Read, number: int) -> int:
    """Follow the bits: each that is set says that a page was split, and one more bit of the hash chooses a half."""
    at, block, bits = -1, b"", 0
    bit = 0
    while True:
        byte, offset = divmod(bit, 8)
        if byte // _DIRECTORY != at:
            at = byte // _DIRECTORY
            block = directory(at * _DIRECTORY, _DIRECTORY)
        if byte % _DIRECTORY >= len(block) or not block[byte % _DIRECTORY] >> offset & 1:
            return number & ((1 << bits) - 1)
        bit = 2 * bit + (2 if number >> bits & 1 else 1)
        bits += 1


def _hash(key: bytes) -> int:
    """Bytes count as signed, as ``char`` does where httpd is at home."""
    number = 0
    for byte in key:
        number = (byte - (byte >> 7 << 8) + 65599 * number) & 0xFFFFFFFFFFFFFFFF
    return number
