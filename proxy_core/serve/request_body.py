"""The body of a request, as it comes, in pieces that stop wherever it may end.

One with a length is counted. A chunked one is decoded by the strict parser: its end, with or without trailers, is an
empty line, so the parser is fed up to the next empty line, or a slice without one, and never swallows the beginning of
the next request. Bytes on the wire are counted against the bytes of the body: chunk sizes, extensions and trailers have
a bound (RFC 9112 §7.1.1).
"""

from __future__ import annotations

import asyncio
from typing import Final

from proxy_core.http.hop_by_hop import RefusedRequest
from proxy_core.serve.known_blocks import KnownBlock
from proxy_core.serve.request_fields import CHUNKED
from proxy_core.serve.strict_parser import StrictParser

CHUNK_OVERHEAD: Final = 16 * 1024
"""Bytes of chunk sizes, extensions and trailers beyond what CHUNK_RATIO allows for."""
CHUNK_RATIO: Final = 16
"""Wire bytes for each byte of payload that a chunked body may take."""
SLICE: Final = 8 * 1024
"""Bytes that are parsed at a time, so that the bounds above are exact."""
_END = b"\r\n\r\n"


def judged(head: bytes, known: KnownBlock) -> RequestBody | None:
    """Have the strict parser judge a whole head that was read as this block says. Gives the body that is to come where
    it is chunked, for the same parser decodes it. Raises RefusedRequest."""
    length = known.fields.length
    parser = StrictParser(asyncio.get_running_loop())
    known.may_go_on = parser.head(head, length)
    return RequestBody(length, parser) if length == CHUNKED else None


class RequestBody:
    """What is still to come of the body of one request."""

    __slots__ = ("_left", "_parser", "_received", "_tail", "_wire", "most")

    _left: int
    """Bytes that are still to come of a body with a length."""
    _parser: StrictParser | None
    """Has judged the head and decodes a chunked body; None for one with a length."""
    most: int
    """Bytes that a chunked body may have, 0 for any number, as long as nobody has decided that."""
    _received: int
    """Bytes of a chunked body, decoded."""
    _wire: int
    """Bytes of it on the wire."""
    _tail: bytes
    """The last three of these, which may begin an empty line."""

    def __init__(self, left: int, parser: StrictParser | None = None) -> None:
        self._left = left
        self._parser = parser
        self.most = self._received = self._wire = 0
        self._tail = b""

    def take(self, data: bytes) -> tuple[bytes, int, bool]:
        """A piece of the body from the beginning of ``data``, how many bytes that beginning had, and whether the body
        has come whole with it. Raises RefusedRequest."""
        if self._parser is not None:
            return self._decoded(self._parser, data)
        piece = data if len(data) <= self._left else data[: self._left]
        self._left -= len(piece)
        return piece, len(piece), not self._left

    def _decoded(self, parser: StrictParser, data: bytes) -> tuple[bytes, int, bool]:
        payload = parser.payload
        window = self._tail + data[:SLICE]
        end = window.find(_END)
        piece = data[: end + 4 - len(self._tail)] if end >= 0 else data[:SLICE]
        self._tail = b"" if end >= 0 else (self._tail + piece)[-3:]
        self._wire += len(piece)
        parser.body(piece)
        if payload.exception() is not None:
            raise RefusedRequest(400, "a chunked request body is malformed")
        body = payload.read_nowait()
        self._received += len(body)
        if 0 < self.most < self._received:
            raise RefusedRequest(413, f"the request body is longer than {self.most} bytes", "body")
        if self._wire > CHUNK_OVERHEAD + CHUNK_RATIO * self._received:
            raise RefusedRequest(400, "a chunked request body is almost all overhead")
        return body, len(piece), payload.is_eof()
