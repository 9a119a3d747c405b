"""DBM files as Debian's httxt2dbm writes them: SDBM, GDBM and Berkeley DB, read by small readers of our own.

Only looking one key up is needed, which takes two or three reads of a file whose layout has been the same for
decades; the libraries for it are not on PyPI as wheels (berkeleydb) or not in every Python (dbm.gnu). The readers
never write, know nothing of locks, and take the layout of a 64-bit little-endian machine, which is what wrote the
file if it is ours. Each is a function ``fetch(read, key)``: ``read(offset, size)`` gives bytes, fewer at the end.

A value is taken whole, as mod_rewrite does; that values end at a blank is httxt2dbm's doing.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

from proxy_core import regular_files
from proxy_core.runtime.maps.dbm import berkeley, gdbm, sdbm
from proxy_core.runtime.maps.dbm.layout import BadDbmFile, Read

__all__ = ["BadDbmFile", "fetch", "files"]


def files(path: Path, kind: str) -> tuple[str, tuple[Path, ...]]:
    """The format of a DBM map ("sdbm", "gdbm", "db") and the files that it is made of; ``kind`` may be "auto".

    SDBM is a pair of files, NAME.dir and NAME.pag, named by NAME or by one of the two. Raises OSError where there is
    no such file, and BadDbmFile where it is none of the three.
    """
    base = path.with_suffix("") if path.suffix in (".dir", ".pag") else path
    pair = (base.with_name(f"{base.name}.dir"), base.with_name(f"{base.name}.pag"))
    if kind == "sdbm" or (kind == "auto" and pair[1].exists() and (base != path or not path.exists())):
        return "sdbm", pair
    with open(regular_files.descriptor(path), "rb") as file:
        head = file.read(32)
    if kind == "gdbm" or (kind == "auto" and gdbm.is_head(head)):
        return "gdbm", (path,)
    if kind == "db" or (kind == "auto" and berkeley.is_head(head)):
        return "db", (path,)
    raise BadDbmFile("the file is no DBM file: make it with httxt2dbm -f GDBM, DB or SDBM")


def fetch(kind: str, paths: tuple[Path, ...], key: bytes) -> bytes | None:
    """The value of a key, None where there is none. Raises OSError, and BadDbmFile for a file of another form."""
    descriptors: list[int] = []
    try:
        for path in paths:
            descriptors.append(regular_files.descriptor(path))
        reads = [_reader(descriptor) for descriptor in descriptors]
        match kind:
            case "sdbm":
                return sdbm.fetch(reads[0], reads[1], key)
            case "gdbm":
                return gdbm.fetch(reads[0], key)
        return berkeley.fetch(reads[0], key)
    except (struct.error, IndexError):
        raise BadDbmFile("the file ends where more should be: it is damaged, or still being written") from None
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _reader(descriptor: int) -> Read:
    return lambda offset, size: os.pread(descriptor, size, offset)
