"""Berkeley DB: an extended linear hash file, what httxt2dbm writes by default on Debian (libdb 5.3).

The layout is that of dbinc/db_page.h; which page a bucket starts at is BUCKET_TO_PAGE of dbinc/hash.h. Hash files
version 8 and 9 are read; what httxt2dbm never makes (B-trees, duplicates, checksums, encryption) is refused in words.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from proxy_core.runtime.maps.dbm.layout import LARGEST, BadDbmFile, Read

_HASH, _BTREE = 0x061561, 0x053162
_META = struct.Struct("<12xIIIBxB45xIII4x4xI32I")
"""Magic, version, page size, encryption, flags; highest bucket, high mask, low mask; hash of _CHECK; spare pages."""
_PAGE = struct.Struct("<12xIIHHBB")
"""Previous page, next page, entries, where free space ends (or bytes on an overflow page), level, type."""
_CHECK = b"%$sniglet^&\0"
_PLAIN, _OVERFLOW = 1, 3
_PAGE_TYPES = (2, 13)
_MOST_PAGES = 1 << 20


def is_head(head: bytes) -> bool:
    return int.from_bytes(head[12:16], "little") in (_HASH, _BTREE)


def fetch(read: Read, key: bytes) -> bytes | None:
    """The value of ``key``."""
    magic, version, size, encryption, flags, most, high, low, check, *spares = _META.unpack(read(0, _META.size))
    if magic != _HASH or version not in (8, 9) or encryption or flags:
        kind = "a B-tree" if magic == _BTREE else "not such a file, or one with checksums or encryption"
        raise BadDbmFile(f"a Berkeley DB map is a hash file of version 8 or 9, and this is {kind}: use httxt2dbm -f DB")
    hashed = next((hashed for hashed in (_fnv, _torek) if hashed(_CHECK) == check), None)
    if hashed is None or not 512 <= size <= 65536:
        raise BadDbmFile("the Berkeley DB file uses a hash function of its own: make it with httxt2dbm -f DB")
    bucket = hashed(key) & high
    if bucket > most:
        bucket &= low
    number = bucket + spares[bucket.bit_length()]
    for page in _chain(read, size, number):
        for name, value in _pairs(page):
            if _item(read, size, name) == key:
                return _item(read, size, value)
    return None


def _chain(read: Read, size: int, number: int) -> Iterator[bytes]:
    for _ in range(_MOST_PAGES):
        page = read(number * size, size)
        yield page
        _, number, *_ = _PAGE.unpack_from(page)
        if not number:
            return
    raise BadDbmFile("the pages of the Berkeley DB file go round in a circle: make the map again")


def _pairs(page: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The items of a page, key and value by turns, packed from its end."""
    _, _, entries, _, _, kind = _PAGE.unpack_from(page)
    if not entries:
        return
    if kind not in _PAGE_TYPES or entries % 2:
        raise BadDbmFile("a page of the Berkeley DB file is damaged: make the map again")
    starts = struct.unpack_from(f"<{entries}H", page, _PAGE.size)
    ends = (len(page), *starts)
    items = [page[start:end] for start, end in zip(starts, ends, strict=False)]
    yield from zip(items[::2], items[1::2], strict=True)


def _item(read: Read, size: int, item: bytes) -> bytes:
    if item[0] == _PLAIN:
        return item[1:]
    if item[0] != _OVERFLOW:
        raise BadDbmFile("the Berkeley DB file holds duplicates, which httxt2dbm does not make")
    number, length = struct.unpack_from("<II", item, 4)
    if length > LARGEST:
        raise BadDbmFile(f"a value in the Berkeley DB file is said to have {length} bytes: make the map again")
    value = bytearray()
    for page in _chain(read, size, number):
        _, _, _, here, _, _ = _PAGE.unpack_from(page)
        value += page[_PAGE.size : _PAGE.size + here]
        if len(value) >= length:
            break
    return bytes(value[:length])


def _fnv(key: bytes) -> int:
    """__ham_func5, of Fowler, Noll and Vo: the default."""
    number = 0
    for byte in key:
        number = (number * 16777619 & 0xFFFFFFFF) ^ byte
    return number


def _torek(key: bytes) -> int:
    """__ham_func4, of files that were made by versions before 3."""
    number = 0
    for byte in key:
        number = (number * 33 + byte) & 0xFFFFFFFF
    return number
