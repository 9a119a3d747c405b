"""Bodies of answers that are coded as they pass: by pieces, in bounded memory, without holding the loop up.

What comes of a body in one turn of the event loop is coded together and flushed, so that nothing that a member has said
waits for what it will say: events of a stream go out at once. A little is coded where it is; more goes to a thread,
and the member is not read from meanwhile, so at most what one read brings waits. Coders are loaded when the first
answer needs one, for most processes need none at their start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cache
from time import monotonic
from typing import Any, Final, Protocol

from proxy_core.runtime.route_tally import CodedTally
from proxy_core.runtime.upstreams.connection import Upstream
from proxy_core.serve.open_request import OpenRequest

_WINDOW: Final = 18
"""The window of br and zstd as a power of two (256 KiB): it bounds the memory of each answer that is under way."""
_QUICK: Final = 64 * 1024
"""Bytes that a quick level codes on the loop: in about 0.2 ms."""
_SLOW: Final = 8 * 1024
"""The same of a level that is slower."""
_QUICKEST_BR: Final = 2
_QUICKEST_ZSTD: Final = 4


class Coder(Protocol):
    """Codes one body."""

    def code(self, data: bytes) -> bytes:
        """What there is to send of it so far, nothing held back."""

    def last(self, data: bytes) -> bytes:
        """The same of the last piece, with the end."""


class _Gzip:
    """ISA-L's."""

    def __init__(self, level: int) -> None:
        isal = _isal()
        self._made = isal.compressobj(level, isal.DEFLATED, 31)
        self._flush = isal.Z_SYNC_FLUSH

    def code(self, data: bytes) -> bytes:
        made: bytes = self._made.compress(data) + self._made.flush(self._flush)
        return made

    def last(self, data: bytes) -> bytes:
        made: bytes = self._made.compress(data) + self._made.flush()
        return made


class _Br:
    """Google's Brotli."""

    def __init__(self, level: int) -> None:
        self._made = _brotli().Compressor(quality=level, lgwin=_WINDOW)

    def code(self, data: bytes) -> bytes:
        made: bytes = self._made.process(data) + self._made.flush()
        return made

    def last(self, data: bytes) -> bytes:
        made: bytes = self._made.process(data) + self._made.finish()
        return made


class _Zstd:
    """Facebook's Zstandard. aiohttp loads backports.zstd wherever it is there, and so at each start; it does not know
    this package."""

    def __init__(self, level: int) -> None:
        zstandard = _zstandard()
        parameters = zstandard.ZstdCompressionParameters.from_level(level, window_log=_WINDOW)
        self._made = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
        self._flush = zstandard.COMPRESSOBJ_FLUSH_BLOCK

    def code(self, data: bytes) -> bytes:
        made: bytes = self._made.compress(data) + self._made.flush(self._flush)
        return made

    def last(self, data: bytes) -> bytes:
        made: bytes = self._made.compress(data) + self._made.flush()
        return made


@cache
def _isal() -> Any:
    from isal import isal_zlib

    return isal_zlib


@cache
def _brotli() -> Any:
    import brotli

    return brotli


@cache
def _zstandard() -> Any:
    import zstandard

    return zstandard


CODERS: Final[dict[str, Callable[[int], Coder]]] = {"zstd": _Zstd, "br": _Br, "gzip": _Gzip}


def coder(coding: str, level: int) -> Coder:
    """What codes one body."""
    return CODERS[coding](level)


def quick(coding: str, level: int) -> int:
    """How many bytes are coded on the loop."""
    slow = (coding == "br" and level > _QUICKEST_BR) or (coding == "zstd" and level > _QUICKEST_ZSTD)
    return _SLOW if slow else _QUICK


class CodedBody:
    """A body on its way from a connection to a client. ``head`` is the answer's head, which goes out with the first
    piece; ``chunked``: whether the client gets chunks."""

    __slots__ = ("_at_once", "_chunked", "_coder", "_coding", "_connection", "_due", "_ended", "_flight", "_head",
                 "_pending", "_pieces", "_plain", "_sent", "_task", "keep")  # fmt: skip

    keep: Callable[[bytes], None] | None
    """Is given all that was coded when it has come to its end; None where nobody wants it."""

    def __init__(self, flight: OpenRequest, connection: Upstream, coding: str, level: int) -> None:
        self._flight = flight
        self._connection: Upstream | None = connection
        self._coding = coding
        self._coder = coder(coding, level)
        self._at_once = quick(coding, level)
        self._head = b""
        self._chunked = True
        self._pending: list[bytes] = []
        self._pieces: list[bytes] = []
        self.keep = None
        self._plain = 0
        self._sent = 0
        self._due = self._ended = False
        self._task: asyncio.Task[None] | None = None

    def begin(self, head: bytes, chunked: bool, data: bytes) -> None:
        """The answer's head, and what has come of the body with it."""
        self._head, self._chunked = head, chunked
        self.feed(data)

    def feed(self, data: bytes) -> None:
        """A piece of the body."""
        if data:
            self._pending.append(data)
            self._plain += len(data)
        if self._task is not None:
            if self._connection is not None:
                self._connection.pause()
        elif not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._turn)

    def end(self) -> None:
        """The body is complete, and the connection that it came over is no longer its own."""
        self._ended, self._connection = True, None
        if self._task is None:
            self._work()

    def _turn(self) -> None:
        self._due = False
        if self._task is None and not self._flight.over:
            self._work()

    def _work(self) -> None:
        """Code what there is, here or in a thread."""
        data, last = b"".join(self._pending), self._ended
        self._pending.clear()
        if len(data) > self._at_once:
            if self._connection is not None:
                self._connection.pause()
            self._write(self._head)
            self._head = b""
            self._task = asyncio.get_running_loop().create_task(self._elsewhere(data, last))
            return
        try:
            self._coded(self._coder.last(data) if last else self._coder.code(data) if data else b"", last)
        except Exception as error:
            self._flight.broke("coding an answer", error)

    async def _elsewhere(self, data: bytes, last: bool) -> None:
        flight = self._flight
        try:
            coded = await asyncio.to_thread(self._coder.last if last else self._coder.code, data)
            self._task = None
            if flight.over:
                return
            self._coded(coded, last)
            if self._pending or (self._ended and not last):
                self._work()
            if self._task is None and self._connection is not None and not flight.client.blocked:
                self._connection.resume()
        except Exception as error:
            self._task = None
            flight.broke("coding an answer", error)

    def _coded(self, data: bytes, last: bool) -> None:
        flight = self._flight
        self._sent += len(data)
        if self.keep is not None:
            self._pieces.append(data)
        flight.exchange.sent += len(data)
        made = b"%x\r\n%b\r\n" % (len(data), data) if self._chunked and data else data
        self._write(self._head + made + (b"0\r\n\r\n" if last and self._chunked else b""))
        self._head = b""
        if last:
            if self.keep is not None:
                self.keep(b"".join(self._pieces))
            noted(flight, self._coding, self._plain, self._sent)
            flight.done(monotonic())

    def _write(self, data: bytes) -> None:
        if data:
            self._flight.client.write(data)


def whole(flight: OpenRequest, coding: str, level: int, data: bytes) -> bytes:
    """A body that is all there, coded."""
    coded = coder(coding, level).last(data)
    noted(flight, coding, len(data), len(coded))
    return coded


def noted(flight: OpenRequest, coding: str, plain: int, coded: int) -> None:
    """An answer was coded: note it of its request, and count it."""
    told(flight, coding, plain, coded)
    flight.state.recorder.coded.setdefault(coding, CodedTally()).add(plain, coded)


def told(flight: OpenRequest, coding: str, plain: int, coded: int) -> None:
    """Note of a request how its answer is coded, under the names that mod_deflate's manual has for it."""
    exchange = flight.exchange
    if exchange.notes is None:
        exchange.notes = {}
    ratio = coded * 100 // plain if plain else 100
    exchange.notes |= {"coding": coding, "instream": f"{plain}", "outstream": f"{coded}", "ratio": f"{ratio}"}
