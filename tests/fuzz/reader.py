"""A reader of its own for what the proxy writes: so narrow that it can only read one thing, or nothing.

Written from RFC 9112's grammar alone and sharing no code with the proxy. It raises AssertionError for every byte that
some reader might take for something else.
"""

from __future__ import annotations

import re

_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\x20-\x7e\x80-\xff\t]*)")
_REQUEST = re.compile(rb"[A-Z][A-Z_-]* (?:/[\x21\x22\x24-\x7e]*|\*) HTTP/1\.1")
_STATUS = re.compile(rb"HTTP/1\.1 [1-9][0-9][0-9] [\x20-\x7e\x80-\xff\t]*")
_CHUNK = re.compile(rb"([0-9a-f]{1,16})\r\n")


def requests(raw: bytes) -> int:
    """How many whole requests stand there; the last may be cut off anywhere."""
    whole = 0
    while raw:
        head, end, rest = raw.partition(b"\r\n\r\n")
        if not end:
            return whole
        fields = _head(head, _REQUEST)
        assert len(fields.get(b"host", [])) == 1, head
        body = _body(fields, rest, 0)
        if body is None:
            return whole
        whole, raw = whole + 1, rest[body:]
    return whole


def answers(raw: bytes, bodiless: bool, closed: bool) -> int:
    """How many whole final answers stand there. ``bodiless``: they are to HEAD; ``closed``: nothing follows."""
    whole = 0
    while raw:
        head, end, rest = raw.partition(b"\r\n\r\n")
        if not end:
            assert closed, head
            return whole
        fields = _head(head, _STATUS)
        status = int(head[9:12])
        length: int | None
        if status < 200:
            assert not fields.keys() & {b"content-length", b"transfer-encoding"}, head
            length = 0
        elif bodiless or status in (204, 304):
            length, whole = 0, whole + 1
        else:
            length = _body(fields, rest, -1)
            if length is None:
                return whole
            whole += 1
            if length < 0:
                return whole
        raw = rest[length:]
    return whole


def _head(head: bytes, first: re.Pattern[bytes]) -> dict[bytes, list[bytes]]:
    line, *lines = head.split(b"\r\n")
    assert first.fullmatch(line), line
    fields: dict[bytes, list[bytes]] = {}
    for each in lines:
        found = _FIELD.fullmatch(each)
        assert found, each
        fields.setdefault(found[1].lower(), []).append(found[2])
    return fields


def _body(fields: dict[bytes, list[bytes]], rest: bytes, without: int) -> int | None:
    """Where the body ends, None when it is not whole; ``without`` when neither field says how long it is."""
    lengths, codings = fields.get(b"content-length", []), fields.get(b"transfer-encoding", [])
    assert len(lengths) + len(codings) <= 1, fields
    if lengths:
        assert re.fullmatch(rb"[0-9]{1,18}", lengths[0]), lengths
        return int(lengths[0]) if len(rest) >= int(lengths[0]) else None
    if not codings:
        return without
    assert codings == [b"chunked"], codings
    at = 0
    while True:
        found = _CHUNK.match(rest, at)
        if found is None:
            assert re.fullmatch(rb"[0-9a-f]{0,16}\r?", rest[at:]), rest[at : at + 20]
            return None
        size, at = int(found[1], 16), found.end()
        if len(rest) < at + size + 2:
            return None
        assert rest[at + size : at + size + 2] == b"\r\n"
        at += size + 2
        if not size:
            return at
