"""A file on its way to who asked for it: whole or in parts, or why not (RFC 9110 §13, §14; httpd's default handler).

The tag is httpd's: size and time of change, weak as long as the file may change once more in the same second
(``ap_make_etag``). A file is read by pieces, in threads, and no faster than they are taken. It is not handed to the
system (sendfile): its far end is not the client's socket, where fields are edited, bodies coded and bytes counted.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from secrets import token_hex
from time import time
from typing import Final

from aiohttp import hdrs, web

from proxy_core.http import preconditions, ranges
from proxy_core.http.dates import http_date
from proxy_core.http.ranges import ByteRange
from proxy_core.runtime.served_files import OpenFile

PIECE: Final = 256 * 1024
"""Bytes that are read at a time."""
_SECOND: Final = 1_000_000
"""In microseconds."""


def tag_of(size: int, modified: int, now: float) -> str:
    """The entity tag of a file that was changed at so many microseconds since the epoch."""
    weak = "" if now * _SECOND - modified > _SECOND else "W/"
    return f'{weak}"{size:x}-{modified:x}"'


async def sent(request: web.BaseRequest, what: OpenFile, fields: dict[str, str]) -> web.StreamResponse:
    """Answer a request with a file; ``fields`` say what it is."""
    now, asked = time(), {name.lower(): value for name, value in request.headers.items()}
    tag, date = tag_of(what.size, what.modified, now), what.modified // _SECOND
    fields |= {"ETag": tag, hdrs.LAST_MODIFIED: http_date(date), hdrs.ACCEPT_RANGES: "bytes"}
    status = preconditions.status(asked, tag, date, now, safe=request.method in ("GET", "HEAD"))
    if status:
        if status == 304:
            fields.pop(hdrs.CONTENT_TYPE)
        return web.Response(status=status, headers=fields)
    parts: tuple[ByteRange, ...] | None = None
    if request.method == "GET" and hdrs.RANGE in request.headers and preconditions.may_be_parts(asked, tag, date):
        parts = ranges.parts(asked["range"], what.size)
    if parts == ():
        return web.Response(status=416, headers=fields | {hdrs.CONTENT_RANGE: f"bytes */{what.size}"})
    heads, end = [b""], b""
    if parts is None:
        answer, parts = web.StreamResponse(headers=fields), (ByteRange(0, what.size),)
    elif len(parts) == 1:
        answer = web.StreamResponse(status=206, headers=fields | {hdrs.CONTENT_RANGE: parts[0].of(what.size)})
    else:
        boundary = token_hex(8)
        heads, end = ranges.framed(parts, what.size, fields[hdrs.CONTENT_TYPE], boundary)
        fields[hdrs.CONTENT_TYPE] = f"multipart/byteranges; boundary={boundary}"
        answer = web.StreamResponse(status=206, headers=fields)
    answer.content_length = sum(part.end - part.start for part in parts) + sum(map(len, heads)) + len(end)
    await answer.prepare(request)
    if request.method != "HEAD":
        await _written(answer, what, list(zip(heads, parts, strict=True)), end)
    await answer.write_eof()
    return answer


async def _written(
    answer: web.StreamResponse, what: OpenFile, parts: Sequence[tuple[bytes, ByteRange]], end: bytes
) -> None:
    """Write parts, each behind its head. Raises ConnectionError for a file that has become shorter: what is missing
    then must not look whole."""
    for head, part in parts:
        if head:
            await answer.write(head)
        at = part.start
        while at < part.end:
            data = what.start[at : part.end]
            if not data:
                data = await asyncio.to_thread(os.pread, what.file.fileno(), min(PIECE, part.end - at), at)
            if not data:
                raise ConnectionResetError("the file has become shorter")
            await answer.write(data)
            at += len(data)
    if end:
        await answer.write(end)
