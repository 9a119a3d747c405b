"""Plain data as JSON in pieces, so that a big answer does not hold up a request while it is made.

msgspec encodes faster than anything, and in one call that nothing can interrupt: 20,000 rows take tens of
milliseconds. Long lists and tables of the first two levels are therefore encoded some rows at a time. The pieces
together are what msgspec would have made; only a value that is equal to its default may be left out where msgspec,
which looks at identity, has it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from msgspec import NODEFAULT, Struct
from msgspec.json import encode
from msgspec.structs import fields

ROWS = 64
"""Rows that are encoded at a time."""
DEEP = 2
"""How deep Structs are taken apart."""


def pieces(value: Any, deep: int = 0) -> Iterator[bytes]:
    """The JSON of a value, in pieces."""
    if isinstance(value, Struct) and deep < DEEP and not type(value).__struct_config__.array_like:
        yield from _struct(value, deep)
    elif isinstance(value, dict) and len(value) > ROWS:
        rows = iter(value.items())
        yield from _joined(b"{", iter(lambda: dict(islice(rows, ROWS)), {}), b"}")
    elif isinstance(value, list | tuple) and len(value) > ROWS:
        yield from _joined(b"[", (value[at : at + ROWS] for at in range(0, len(value), ROWS)), b"]")
    else:
        yield encode(value)


def deflated(parts: Iterable[bytes]) -> Iterator[bytes]:
    """The same for a slow line (RFC 9110 §8.4.1.2), a piece for each piece."""
    packer = zlib.compressobj(1)
    for part in parts:
        yield packer.compress(part)
    yield packer.flush()


def _joined(begin: bytes, chunks: Iterator[Any], end: bytes) -> Iterator[bytes]:
    before = begin
    for chunk in chunks:
        yield before + encode(chunk)[1:-1]
        before = b","
    yield end


def _struct(value: Struct, deep: int) -> Iterator[bytes]:
    config = type(value).__struct_config__
    before = b"{"
    if config.tag is not None:
        yield before + encode(config.tag_field) + b":" + encode(config.tag)
        before = b","
    for field in fields(value):
        content = getattr(value, field.name)
        if config.omit_defaults and content == _default(field):
            continue
        yield before + encode(field.encode_name) + b":"
        yield from pieces(content, deep + 1)
        before = b","
    yield b"{}" if before == b"{" else b"}"


def _default(field: Any) -> Any:
    return field.default if field.default_factory is NODEFAULT else field.default_factory()
