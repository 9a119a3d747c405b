"""The bodies of the requests of a connection, as they come, in pieces that stop wherever a body may end.

One with a length is counted. A chunked one is decoded by the strict parser: its end, with or without trailers, is an
empty line, so the parser is fed up to the next empty line, or a slice without one, and never swallows the beginning of
the next request. Bytes on the wire are counted against the bytes of the body: chunk sizes, extensions and trailers have
a bound (RFC 9112 §7.1.1).
"""

from __future__ import annotations

from typing import Final

from proxy_core.http.hop_by_hop import RefusedRequest
from proxy_core.serve.request_fields import CHUNKED
from proxy_core.serve.strict_parser import StrictParser

CHUNK_OVERHEAD: Final = 16 * 1024
"""Bytes of chunk sizes, extensions and trailers beyond what CHUNK_RATIO allows for."""
CHUNK_RATIO: Final = 16
"""Wire bytes for each byte of payload that a chunked body may take."""
SLICE: Final = 8 * 1024
"""Bytes that are parsed at a time, so that the bounds above are exact."""
_END = b"\r\n\r\n"


class RequestBody:
    """The body of the request in flight on one connection."""

    __slots__ = ("_judge", "_left", "_received", "_tail", "_wire", "most")

    _judge: StrictParser
    """Decodes what is chunked: the connection's."""
    _left: int
    """Bytes that are still to come of a body with a length; CHUNKED."""
    most: int
    """Bytes that a chunked body may have, 0 for any number, as long as nobody has decided that."""
    _received: int
    """Bytes of a chunked body, decoded."""
    _wire: int
    """Bytes of it on the wire."""
    _tail: bytes
    """The last three of these, which may begin an empty line."""

    def __init__(self, judge: StrictParser) -> None:
        self._judge = judge

    def begin(self, length: int) -> None:
        """A body begins, of so many bytes that are still to come, or CHUNKED."""
        self._left = length
        if length == CHUNKED:
            self.most = self._received = self._wire = 0
            self._tail = b""

    def take(self, data: bytes) -> tuple[bytes, int, bool]:
        """A piece of the body from the beginning of ``data``, how many bytes that beginning had, and whether the body
        has come whole with it. Raises RefusedRequest."""
        if self._left == CHUNKED:
            return self._decoded(data)
        piece = data if len(data) <= self._left else data[: self._left]
        self._left -= len(piece)
        return piece, len(piece), not self._left

    def _decoded(self, data: bytes) -> tuple[bytes, int, bool]:
        payload = self._judge.payload
        window = self._tail + data[:SLICE]
        end = window.find(_END)
        piece = data[: end + 4 - len(self._tail)] if end >= 0 else data[:SLICE]
        self._tail = b"" if end >= 0 else (self._tail + piece)[-3:]
        self._wire += len(piece)
        self._judge.body(piece)
        if payload.exception() is not None:
            raise RefusedRequest(400, "a chunked request body is malformed")
        body = payload.read_nowait()
        self._received += len(body)
        if 0 < self.most < self._received:
            raise RefusedRequest(413, f"the request body is longer than {self.most} bytes", "body")
        if self._wire > CHUNK_OVERHEAD + CHUNK_RATIO * self._received:
            raise RefusedRequest(400, "a chunked request body is almost all overhead")
        ended = payload.is_eof()
        if ended:
            self._judge.renew()
        return body, len(piece), ended
