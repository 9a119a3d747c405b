"""One connection to an upstream: it writes a request, reads its answer, and says when it may be used again.

An asyncio Protocol with no task, future or timer of its own. The head of each answer is found by its empty line, cut
into lines, and judged by llhttp (httptools) in a parser that sees this one head and nothing else; so HEAD, 204, 1xx
and keep-alive hold no traps. Bodies are counted (RFC 9112 §6.3): by length, by chunks (decoded by llhttp), or until
the connection closes. An answer that could be read in two ways is refused and its connection never used again.

Two traps of httptools: a body callback may come after the message is complete, and an error may follow the last
byte in the same read. So a connection is reused only after the parser returned without complaint.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, Protocol, cast

from httptools import HttpParserCallbackError, HttpParserError, HttpParserUpgrade, HttpResponseParser

from proxy_core.balance.member_state import UpstreamKey
from proxy_core.http.hop_by_hop import RefusedRequest
from proxy_core.runtime.upstreams.pausable import Pausable
from proxy_core.runtime.upstreams.response_head import CHUNKED, UNTIL_CLOSE, Answer, mixed, read_head, with_crlf

HEAD_BYTES: Final = 32 * 1024
INTERIMS: Final = 32
"""1xx answers that may come before the final one."""
CHUNK_OVERHEAD: Final = 64 * 1024
SLICE: Final = 8 * 1024


class Receiver(Protocol):
    """Who asked. Calls come in this order: interim*, answered, body*, then ended or failed, after which no more; or
    interim*, switched, after which the connection is no longer an Upstream's."""

    def interim(self, answer: Answer) -> None: ...
    def answered(self, answer: Answer, data: bytes) -> None:
        """The head of the final answer, and what came of its body in the same breath."""

    def switched(self, answer: Answer, data: bytes) -> None:
        """The upstream speaks the protocol that was asked for; ``data`` are the first bytes of it."""

    def body(self, data: bytes) -> None: ...
    def ended(self, reusable: bool) -> None: ...
    def failed(self, why: str, unanswered: bool) -> None:
        """``unanswered``: the connection was closed, or lost, before any byte of an answer."""

    def broke(self, where: str, error: Exception) -> None:
        """A mistake of ours was made over the answer: no more calls come."""

    def pause_sending(self) -> None:
        """The upstream is slow to read."""

    def resume_sending(self) -> None: ...


_HEAD, _LENGTH, _CHUNKS, _CLOSE, _DONE = range(5)


class Upstream(Pausable):
    """``receiver`` is who waits for an answer now, None while the connection is idle. ``expires`` (monotonic) is when
    it has been idle for too long."""

    __slots__ = (
        "_asked_head", "_buffer", "_done", "_interims", "_keep", "_last", "_left", "_old", "_overhead", "_parser",
        "_phase", "_pieces", "_upgrade", "closed", "connected", "expires", "key", "receiver",
    )  # fmt: skip

    def __init__(self, key: UpstreamKey) -> None:
        self.key = key
        self.receiver: Receiver | None = None
        self.closed = False
        self.connected = False
        self.paused = False
        self.expires = 0.0
        self._phase = _DONE
        self._buffer = b""
        self._last: Answer | None = None
        self._left = 0
        self._interims = 0
        self._asked_head = False
        self._old = False
        self._upgrade = b""
        self._keep = False
        self._done = False
        self._overhead = 0
        self._parser: Any = None

    # -- used by whoever asks

    def ask(self, receiver: Receiver, request: bytes, asked_head: bool, upgrade: bytes = b"") -> None:
        """Write a request's head; its answer goes to ``receiver``. ``asked_head``: it was HEAD, so no body follows;
        ``upgrade``: the protocol that it asks for."""
        self.receiver = receiver
        self._phase = _HEAD
        self._asked_head = asked_head
        self._upgrade = upgrade
        self._interims = 0
        self.transport.write(request)

    def write(self, data: bytes) -> None:
        """Write a piece of the request's body, framed already."""
        if not self.closed:
            self.transport.write(data)

    def use_up(self) -> None:
        """Nobody else may have this connection after the answer that is coming."""
        self._keep = False

    def drop(self) -> None:
        """Close at once, whatever is going on; nobody is told."""
        self.receiver = None
        if not self.closed:
            self.closed = True
            self.transport.abort()

    # -- transport callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        self.connected = True

    def data_received(self, data: bytes) -> None:
        receiver = self.receiver
        try:
            if receiver is None:
                self.drop()  # bytes that nobody asked for
            elif self._phase == _LENGTH:
                self._counted(receiver, data)
            elif self._phase == _HEAD:
                self._head(receiver, data)
            elif self._phase == _CHUNKS:
                self._chunks(receiver, data)
            elif self._phase == _CLOSE:
                receiver.body(data)
        except Exception as error:
            self.drop()
            if receiver is not None:
                receiver.broke("reading an answer", error)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        receiver, self.receiver = self.receiver, None
        if receiver is not None:
            try:
                self._lost(receiver, exc)
            except Exception as error:
                receiver.broke("ending an answer", error)

    def _lost(self, receiver: Receiver, exc: Exception | None) -> None:
        if self._phase == _CLOSE and (exc is None or self._old):
            # RFC 9112 §8: an answer without a length is complete when its connection is closed. One that breaks is
            # not, but HTTP/1.0 servers that never read their request end every answer with a reset.
            receiver.ended(False)
        elif self._phase == _HEAD:
            how, unanswered = "reset" if exc else "closed", not (self._buffer or self._interims)
            receiver.failed(f"the upstream {how} the connection before it answered", unanswered)
        else:
            receiver.failed("the upstream closed the connection in the middle of its answer", False)

    def pause_writing(self) -> None:
        if self.receiver is not None:
            self.receiver.pause_sending()

    def resume_writing(self) -> None:
        if self.receiver is not None:
            self.receiver.resume_sending()

    # -- reading

    def _head(self, receiver: Receiver, data: bytes) -> None:
        if self._buffer:
            data = self._buffer + data
        last = self._last
        while True:
            end = data.find(b"\r\n\r\n") + 4
            if end < 4:
                if crlf := with_crlf(data):
                    data = crlf
                    continue
                self._buffer = data
                if mixed(data):
                    self._refuse("the upstream's answer has bare line ends")
                elif len(data) > HEAD_BYTES:
                    self._refuse("the upstream's answer has a head that is too large")
                elif data[:7] != b"HTTP/1."[: len(data)]:
                    self._refuse("the upstream's answer is not HTTP")
                return
            try:
                if end > HEAD_BYTES:
                    raise RefusedRequest(502, "the upstream's answer has a head that is too large")
                head = data[:end]
                answer = last if last is not None and last.raw == head else read_head(head)
                if answer.status == 101:
                    self._switch(receiver, answer, data[end:])
                    return
            except RefusedRequest as error:
                if crlf := with_crlf(data):  # the CRLF CRLF is its body's
                    data = crlf
                    continue
                self._buffer = data
                self._refuse(error.why)
                return
            data = data[end:]
            if answer.status >= 200:
                break
            self._interims += 1
            if self._interims > INTERIMS:
                self._refuse("the upstream sent interim answers without end")
                return
            receiver.interim(answer)
            self._buffer = data
            if not data:
                return
        self._buffer = b""
        self._last = answer
        self._keep = answer.reusable
        length = answer.length
        if self._asked_head or answer.status in (204, 304):
            receiver.answered(answer, b"")
            self._end(receiver, not data)
        elif length >= 0:
            self._left = left = length - len(data)
            if left > 0:
                self._phase = _LENGTH
                receiver.answered(answer, data)
            else:
                receiver.answered(answer, data[:length] if left else data)
                self._end(receiver, left == 0)
        elif length == CHUNKED:
            self._phase = _CHUNKS
            self._done = False
            self._overhead = CHUNK_OVERHEAD
            self._parser = HttpResponseParser(self)
            self._parser.feed_data(answer.raw)
            receiver.answered(answer, b"")
            if data and self.receiver is receiver:
                self._chunks(receiver, data)
        else:
            self._phase = _CLOSE
            self._old = answer.raw[:8] == b"HTTP/1.0"
            receiver.answered(answer, data)

    def _switch(self, receiver: Receiver, answer: Answer, data: bytes) -> None:
        """A 101: the upstream may speak what it was asked to, by the name that it was asked by, and nothing else."""
        if not self._upgrade:
            raise RefusedRequest(502, "the upstream switched protocols unasked")
        if answer.upgrade.lower() != self._upgrade.lower() or answer.length != UNTIL_CLOSE:
            raise RefusedRequest(502, "the upstream switched to a protocol that nobody asked for")
        self.receiver = None
        receiver.switched(answer, data)
        self.closed = True  # for the pool and for drop: it is the tunnel's now

    def _counted(self, receiver: Receiver, data: bytes) -> None:
        left = self._left - len(data)
        self._left = left
        receiver.body(data[:left] if left < 0 else data)
        if left <= 0:
            self._end(receiver, left == 0)

    def _chunks(self, receiver: Receiver, data: bytes) -> None:
        for at in range(0, len(data), SLICE):
            piece = data[at : at + SLICE] if len(data) > SLICE else data
            bodies: list[bytes] = []
            self._pieces = bodies
            try:
                self._parser.feed_data(piece)
            except HttpParserCallbackError:
                raise  # a mistake of ours
            except (HttpParserError, HttpParserUpgrade):
                if not self._done:
                    if bodies:
                        receiver.body(b"".join(bodies))  # it was good, wherever the bytes were split
                    self._refuse("the upstream's chunks are malformed")
                    return
                self._keep = False
            body = b"".join(bodies)
            if body:
                self._overhead += 16 * len(body)
                receiver.body(body)
            self._overhead -= len(piece)
            if self.receiver is not receiver:
                return
            if self._done:
                self._end(receiver, at + len(piece) == len(data))
                return
            if self._overhead < 0:
                self._refuse("the upstream's chunks are almost all overhead")
                return

    def on_body(self, piece: bytes) -> None:
        if self._done:
            self._keep = False
        else:
            self._pieces.append(piece)

    def on_message_begin(self) -> None:
        if self._done:
            self._keep = False

    def on_message_complete(self) -> None:
        self._done = True

    def _end(self, receiver: Receiver, clean: bool) -> None:
        """The answer is complete. ``clean``: nothing came after it."""
        if self.receiver is not receiver:
            return  # it dropped us meanwhile
        self.receiver = None
        self._phase = _DONE
        self._parser = None
        receiver.ended(self._keep and clean and not self.closed)

    def _refuse(self, why: str) -> None:
        receiver = self.receiver
        self.drop()
        if receiver is not None:
            receiver.failed(why, False)
