"""One connection to an upstream: writes a request, reads its answer, and says when it may be used again.

An asyncio Protocol with no task, future or timer of its own. The head of each answer is found by its empty line, cut
into lines, and judged by llhttp (httptools) in a parser that sees this one head and nothing else; so HEAD, 204, 1xx
and keep-alive hold no traps. Bodies are counted (RFC 9112 §6.3): by length, by chunks (decoded by llhttp), or until
the connection closes. An answer that could be read in two ways is refused and its connection never used again.

Two traps of httptools: a body callback may come after the message is complete, and an error may follow the last
byte in the same read; a connection goes back to the pool only after the parser returned without complaint.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, Protocol

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from proxy_core.balance.state import UpstreamKey
from proxy_core.http.headers import ANSWER_KINDS, REASONS, Kind, Refused, length_of, tokens, without

HEAD_BYTES: Final = 64 * 1024
FIELDS: Final = 500
INTERIMS: Final = 32
"""1xx answers that may come before the final one."""
CHUNK_OVERHEAD: Final = 64 * 1024
SLICE: Final = 8 * 1024

UNTIL_CLOSE: Final = -1
CHUNKED: Final = -2


class Answer:
    """A final answer's head. ``lines`` are its status line and the field lines that are passed on; Content-Length is
    not among them. ``length`` is the field's number or UNTIL_CLOSE or CHUNKED; ``addresses`` are the indexes of lines
    that hold URLs of the upstream."""

    __slots__ = ("addresses", "challenges", "dated", "length", "lines", "raw", "status")

    def __init__(self, raw: bytes, status: int, lines: list[bytes]) -> None:
        self.raw = raw
        self.status = status
        self.lines = lines
        self.length = UNTIL_CLOSE
        self.dated = False
        self.addresses: list[int] = []
        self.challenges: list[bytes] = []


class Receiver(Protocol):
    """Who asked. Calls come in this order: interim*, answered, body*, then ended or failed, after which no more."""

    def interim(self, answer: Answer) -> None: ...
    def answered(self, answer: Answer) -> None: ...
    def body(self, data: bytes) -> None: ...
    def ended(self, reusable: bool) -> None: ...
    def failed(self, why: str, stale: bool) -> None:
        """``stale``: an idle connection was used again and closed before any byte of an answer."""
        ...

    def pause_sending(self) -> None: ...
    def resume_sending(self) -> None: ...


class _Judge:
    """llhttp calls nobody: it is asked for its opinion only."""


_JUDGE = _Judge()
_status_lines: dict[bytes, tuple[int, bytes]] = {}


def read_head(raw: bytes) -> tuple[Answer, bool]:
    """Read a whole answer head; also says whether the connection outlives the message. Raises Refused(502)."""
    parser = HttpResponseParser(_JUDGE)
    try:
        parser.feed_data(raw)
    except HttpParserUpgrade as error:
        raise Refused(502, "the upstream switched protocols unasked") from error
    except HttpParserError as error:
        raise Refused(502, f"the upstream's answer is not HTTP: {error}") from error
    lines = raw[:-4].split(b"\r\n")
    if len(lines) > FIELDS:
        raise Refused(502, "the upstream's answer has too many header fields")
    status, out = _status_lines.get(lines[0]) or _status_line(lines[0])
    answer = Answer(raw, status, [out])
    kept = answer.lines
    kinds = ANSWER_KINDS
    length = coding = None
    connection: list[bytes] = []
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        kind = kinds[name]
        if kind == Kind.PASS:
            if not colon or name[:1] in b" \t":
                raise Refused(502, "the upstream's answer has a line that is not a field")
            kept.append(line)
        elif kind == Kind.LENGTH:
            value = value.strip(b" \t")
            if length is not None and length != value:
                raise Refused(502, "the upstream's answer has two lengths")
            length = value
        elif kind == Kind.CODING:
            if coding is not None or value.strip(b" \t").lower() != b"chunked":
                raise Refused(502, "the upstream's answer has a transfer coding other than chunked")
            coding = value
        elif kind == Kind.CONNECTION:
            connection.append(value)
        elif kind == Kind.DATE:
            answer.dated = True
            kept.append(line)
        elif kind == Kind.ADDRESS:
            answer.addresses.append(len(kept))
            kept.append(line)
        elif kind == Kind.CHALLENGE:
            answer.challenges.append(line)
            kept.append(line)
    if raw.count(b"\n") != len(lines) + 1:
        raise Refused(502, "the upstream's answer has bare line ends")
    if coding is not None:
        if length is not None:
            raise Refused(502, "the upstream's answer has both a length and a transfer coding")
        answer.length = CHUNKED
    elif length is not None:
        try:
            answer.length = length_of(length)
        except ValueError as error:
            raise Refused(502, f"the upstream's {error}") from error
    if connection:
        named = tokens(connection) - {b"close", b"keep-alive"}
        if named:
            _leave_out(answer, named)
    return answer, bool(parser.should_keep_alive())


def _leave_out(answer: Answer, named: set[bytes]) -> None:
    """Take out the fields that Connection names; indexes of those that stay move up."""
    addresses = [answer.lines[at] for at in answer.addresses]
    answer.lines = [answer.lines[0], *without(answer.lines[1:], named)]
    answer.challenges = without(answer.challenges, named)
    answer.addresses = [at for at, line in enumerate(answer.lines) if at and line in addresses]
    answer.dated = answer.dated and b"date" not in named


def _status_line(line: bytes) -> tuple[int, bytes]:
    """Status and the line that the client gets: our version, their code and reason (one of ours where none is)."""
    version, _, rest = line.partition(b" ")
    code, _, reason = rest.partition(b" ")
    if version not in (b"HTTP/1.1", b"HTTP/1.0") or len(code) != 3 or not code.isdigit() or not b"100" <= code < b"600":
        raise Refused(502, "the upstream's status line is not one of HTTP/1.1 or HTTP/1.0")
    status = int(code)
    known = status, b"HTTP/1.1 %b %b" % (code, reason or REASONS.get(status, b""))
    if len(_status_lines) < 512 and len(line) < 128:
        _status_lines[line] = known
    return known


_HEAD, _LENGTH, _CHUNKS, _CLOSE, _DONE = range(5)


class Upstream(asyncio.Protocol):
    """``receiver`` is who waits for an answer now, None while the connection is idle. ``idle_since`` is monotonic."""

    __slots__ = (
        "_asked_head", "_buffer", "_done", "_interims", "_keep", "_left", "_overhead", "_parser", "_phase", "_pieces",
        "closed", "idle_since", "key", "receiver", "reused", "transport",
    )  # fmt: skip

    def __init__(self, key: UpstreamKey) -> None:
        self.key = key
        self.receiver: Receiver | None = None
        self.closed = False
        self.reused = False
        self.idle_since = 0.0
        self._phase = _DONE
        self._buffer = b""
        self._left = 0
        self._interims = 0
        self._asked_head = False
        self._keep = False
        self._done = False
        self._overhead = 0
        self._parser: Any = None

    # -- used by whoever asks

    def ask(self, receiver: Receiver, request: bytes, asked_head: bool) -> None:
        """Write a request's head; its answer goes to ``receiver``. ``asked_head``: it was HEAD, so no body follows."""
        self.receiver = receiver
        self._phase = _HEAD
        self._asked_head = asked_head
        self._interims = 0
        self.transport.write(request)

    def drop(self) -> None:
        """Close at once, whatever is going on; nobody is told."""
        self.receiver = None
        if not self.closed:
            self.closed = True
            self.transport.abort()

    # -- transport callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        receiver = self.receiver
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

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        receiver, self.receiver = self.receiver, None
        if receiver is None:
            return
        if self._phase == _CLOSE:
            # RFC 9112 §8: an answer that ends with its connection is complete however that ended.
            receiver.ended(False)
        elif self._phase == _HEAD:
            reset = "reset" if exc else "closed"
            receiver.failed(
                f"the upstream {reset} the connection before it answered", self.reused and not self._buffer
            )
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
        while True:
            end = data.find(b"\r\n\r\n") + 4
            if end < 4:
                self._buffer = data
                if len(data) > HEAD_BYTES:
                    self._refuse("the upstream's answer has a head that is too large")
                elif data[:7] != b"HTTP/1."[: len(data)]:
                    self._refuse("the upstream's answer is not HTTP")
                return
            try:
                answer, keep = read_head(data[:end])
                if answer.status == 101:
                    raise Refused(502, "the upstream switched protocols unasked")
            except Refused as error:
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
        self._keep = keep
        raw = answer.raw
        receiver.answered(answer)
        if self.receiver is not receiver:
            return
        if self._asked_head or answer.status in (204, 304):
            self._end(receiver, not data)
        elif answer.length >= 0:
            self._phase = _LENGTH
            self._left = answer.length
            self._counted(receiver, data)
        elif answer.length == CHUNKED:
            self._phase = _CHUNKS
            self._done = False
            self._overhead = CHUNK_OVERHEAD
            self._parser = HttpResponseParser(self)
            self._parser.feed_data(raw)
            if data:
                self._chunks(receiver, data)
        else:
            self._phase = _CLOSE
            if data:
                receiver.body(data)

    def _counted(self, receiver: Receiver, data: bytes) -> None:
        left = self._left - len(data)
        self._left = left
        if left > 0:
            if data:
                receiver.body(data)
            return
        if left < 0:
            data = data[:left]
        if data:
            receiver.body(data)
        if self.receiver is receiver:
            self._end(receiver, left == 0)

    def _chunks(self, receiver: Receiver, data: bytes) -> None:
        for at in range(0, len(data), SLICE):
            piece = data[at : at + SLICE] if len(data) > SLICE else data
            bodies: list[bytes] = []
            self._pieces = bodies
            try:
                self._parser.feed_data(piece)
            except (HttpParserError, HttpParserUpgrade):
                if not self._done:
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
        self.receiver = None
        self._phase = _DONE
        self._parser = None
        receiver.ended(self._keep and clean and not self.closed)

    def _refuse(self, why: str) -> None:
        receiver = self.receiver
        self.drop()
        if receiver is not None:
            receiver.failed(why, False)
