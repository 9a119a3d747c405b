"""A chunked request body as it comes: decoded by the judge's parser, in pieces that stop wherever it may end.

The end of a chunked message, with or without trailers, is an empty line. So the parser is fed up to the next empty
line, or a slice without one, and never swallows the beginning of the next request. Bytes on the wire are counted
against the bytes of the body: chunk sizes, extensions and trailers have a bound (RFC 9112 §7.1.1).
"""

from __future__ import annotations

from typing import Final

from proxy_core.http.hop_by_hop import RefusedRequest
from proxy_core.serve.strict_parser import Payload, StrictParser

CHUNK_OVERHEAD: Final = 16 * 1024
"""Bytes of chunk sizes, extensions and trailers beyond what CHUNK_RATIO allows for."""
CHUNK_RATIO: Final = 16
"""Wire bytes for each byte of payload that a chunked body may take."""
SLICE: Final = 8 * 1024
"""Bytes that are parsed at a time, so that the bounds above are exact."""
_END = b"\r\n\r\n"


class Chunks:
    """One body of at most ``most`` bytes, 0 for any number, as long as nobody has decided that. ``ended``: its last
    byte has been taken."""

    __slots__ = ("_judge", "_payload", "_received", "_tail", "_wire", "ended", "most")

    def __init__(self, judge: StrictParser, payload: Payload) -> None:
        self._judge = judge
        self._payload = payload
        self.most = 0
        self._received = 0
        self._tail = b""
        self._wire = 0
        self.ended = False

    def take(self, data: bytes) -> tuple[bytes, int]:
        """What the beginning of ``data`` decodes to, and how many bytes that beginning had. Raises Refused."""
        window = self._tail + data[:SLICE]
        end = window.find(_END)
        piece = data[: end + 4 - len(self._tail)] if end >= 0 else data[:SLICE]
        self._tail = b"" if end >= 0 else (self._tail + piece)[-3:]
        self._wire += len(piece)
        self._judge.body(piece)
        if self._payload.exception() is not None:
            raise RefusedRequest(400, "a chunked request body is malformed")
        body = self._payload.read_nowait()
        self._received += len(body)
        if 0 < self.most < self._received:
            raise RefusedRequest(413, f"the request body is longer than {self.most} bytes", "body")
        if self._wire > CHUNK_OVERHEAD + CHUNK_RATIO * self._received:
            raise RefusedRequest(400, "a chunked request body is almost all overhead")
        self.ended = self._payload.is_eof()
        if self.ended:
            self._judge.renew()
        return body, len(piece)
