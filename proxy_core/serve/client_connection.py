"""One client connection, whole, in some 420 lines: heads, bodies, deadlines, half-close and lingering close.

An asyncio Protocol with no task, future or timer of its own; the server's sweep looks at ``deadline``. Requests of
one connection are served one after the other (RFC 9112 §9.3.2): while one is in flight, what a client pipelines is
held here as bytes, so a good request is answered before a bad one behind it is even looked at. The parser is fed one
whole head at a time; a body with a length is counted and needs no parser; ``chunks`` feeds it the others.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from time import monotonic, time
from typing import Final, cast

from proxy_core.http.hop_by_hop import RefusedRequest
from proxy_core.http.view import Connection, RequestView
from proxy_core.rules.fields.edits import Edits
from proxy_core.runtime.exchange import Exchange
from proxy_core.runtime.rule_set import RuleSet
from proxy_core.runtime.upstreams.pausable import Pausable
from proxy_core.serve import deadlines, error_page
from proxy_core.serve.bound_listener import BoundListener
from proxy_core.serve.buffers import HELD, WRITE_BUFFER
from proxy_core.serve.chunked_body import Chunks
from proxy_core.serve.client_certificate import client_lines, facts
from proxy_core.serve.flight import receive
from proxy_core.serve.own_answer import Recipient, again, own_answer
from proxy_core.serve.proxy_protocol import Ends
from proxy_core.serve.request_fields import RequestFields
from proxy_core.serve.request_head import RequestReader, ascii_line, guessed
from proxy_core.serve.server_state import ServerState
from proxy_core.serve.sides import FlightSide
from proxy_core.serve.strict_parser import StrictParser

TURN: Final = 64
"""Requests of one connection that are answered at once before others have their turn."""
_END = b"\r\n\r\n"
_EMPTY_LINES = cast(Callable[[bytes], re.Match[bytes]], re.compile(rb"(?:\r\n)*+").match)


class ClientConnection(Pausable):
    """A ClientSide: what a flight and the server may ask of it is said there."""

    __slots__ = (
        "_began", "_chunks", "_closing", "_ends", "_held", "_judge", "_judged", "_left", "_may_go_on", "_method",
        "_reader", "_rules", "_service", "_terms", "_unsent", "_watched", "blocked", "bound", "deadline", "flight",
        "half_closed", "limits", "write",
    )  # fmt: skip

    deadline: float
    write: Callable[[bytes], None]

    def __init__(self, service: ServerState, bound: BoundListener, ends: Ends | None = None) -> None:
        """``ends`` are those of a PROXY header, in place of the socket's."""
        self._service = service
        self._ends = ends
        self.bound = bound
        self._began = 0.0
        self._held = b""
        self._left = 0
        self._chunks: Chunks | None = None
        self._rules: RuleSet | None = None
        self._unsent = 0
        self._closing = False
        self.blocked = False
        self.paused = False
        self.half_closed = False
        self.flight: FlightSide | None = None

    # -- used by the flight

    @property
    def idle(self) -> bool:
        """Between two requests, with nothing read of the next."""
        return self.flight is None and not self._held and not self._closing

    def resume(self) -> None:
        if self.paused and not self.transport.is_closing():
            super().resume()
            if self._held and not self._closing:
                held, self._held = self._held, b""
                self._read(held)

    def bound_body(self, own: int | None) -> int:
        """The body may have so many bytes, or as many as the listener allows (0: any number); returns which."""
        most = self.limits.body if own is None else own
        if self._chunks is not None:
            self._chunks.most = most
        return most

    def earn(self, count: int) -> None:
        """Body bytes buy time, up to a whole silence; a client that trickles runs out of it."""
        bounds = self.limits
        most = monotonic() + bounds.body_time
        self.deadline = min(self.deadline + count / bounds.body_rate, most) if bounds.body_rate else most

    def changed(self, fields: RequestFields, edits: Edits, exchange: Exchange) -> RequestFields:
        """The fields of the request in flight after the site's edits. Raises Refused."""
        return self._reader.changed(fields, edits, exchange)

    def early(self, fields: RequestFields, edits: Edits, exchange: Exchange) -> tuple[RequestView, RequestFields]:
        """The request as its rules see it. Raises Refused."""
        return self._reader.early(fields, edits, exchange)

    def redirected(self, exchange: Exchange, fields: RequestFields, path: str) -> tuple[RequestView, RequestFields]:
        """The request that asks for the page of an error. Raises Refused."""
        return self._reader.redirected(exchange, fields, path)

    def fetch_page(self, path: str) -> bool:
        """Ask for the page of an error in place of the request in flight; whether it is asked for."""
        return error_page.fetch(self._service, self, path)

    def cut(self) -> None:
        """Break the connection, so that what was sent so far cannot be taken for the whole."""
        self._closing = True
        self.transport.abort()

    def hand_over(self) -> tuple[asyncio.Transport, bytes]:
        """The connection becomes a tunnel's, with what was read early; this object stays for the sweep over deadlines
        and for the listener's count, until ``connection_lost``."""
        early, self._held = self._held, b""
        return self.transport, early

    def next(self, keep: bool, now: float) -> None:
        """The flight is over; ``keep`` says that another request may follow."""
        self.flight = None
        if not keep:
            self._linger()
            return
        self.deadline = now + self.limits.idle_time
        if self._held or self.paused or self.half_closed:
            # Not from here: a pipelined request would be served on top of the stack of the one before it.
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        if self.flight is None and not self._closing and not self.blocked:
            held, self._held = self._held, b""
            try:
                self.resume()
                if held:
                    self._read(held)
                elif self.half_closed:
                    self._linger()
            except Exception as error:
                self._service.crashed("going on with what a client sent ahead", error)
                self.cut()

    # -- transport callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        try:
            self._opened(self.transport)
        except Exception as error:
            self._service.crashed("opening a connection", error)
            self.cut()

    def _opened(self, transport: asyncio.Transport) -> None:
        self.write = transport.write
        transport.set_write_buffer_limits(high=WRITE_BUFFER)
        if self._ends is not None:
            peer, own = self._ends
        else:
            peer, own = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        secure = transport.get_extra_info("ssl_object") if self.bound.secure is not None else None
        known = facts(secure) if secure is not None else {}
        name, ports = _address(peer), (own[1] if own else 0, peer[1] if peer else 0)
        here = Connection(self.bound.name, _address(own), *ports, known, name)
        tls = self.bound.settings.tls
        self._reader = RequestReader(name, here, client_lines(tls, known) if tls is not None else ())
        self._judge = StrictParser(asyncio.get_running_loop())
        self._judged: RequestFields | None = None
        self._method = b""
        self._may_go_on = False
        service = self._service
        self._adopt(service.current.rules)
        self.deadline = monotonic() + self.limits.idle_time
        most = min(self.limits.connections or service.most_clients, service.most_clients)
        if len(service.clients) >= most:
            service.gate.reached["connections"] += 1
            self.cut()
        service.clients.add(self)
        self.bound.connections += 1
        if not service.gate.opened(self._reader.peer, self._terms) and not self._closing:
            self._refuse(
                RefusedRequest(
                    429,
                    "the client has more connections open than client_connections",
                    "client_connections",
                    self.limits.idle_time,
                ),
                b"",
            )

    def _adopt(self, rules: RuleSet) -> None:
        """These rules are in force from this request on."""
        self._rules = rules
        self._terms = terms = self._service.terms(rules, self.bound.name)
        self.limits = terms.limits
        self._watched = terms.watches(self._reader.peer, time())

    def data_received(self, data: bytes) -> None:
        flight = self.flight
        if self._closing:
            return
        if self.paused or (self.blocked if flight is None else flight.complete):
            self._hold(self._held + data)
        elif self._held:
            held, self._held = self._held, b""
            self._read(held + data)
        else:
            self._read(data)

    def eof_received(self) -> bool:
        """The client sends no more. It may want its answer still, or be gone: the answer gets a short deadline."""
        self.half_closed = True
        flight = self.flight
        if self._closing or (flight is None and not self._held) or (flight is not None and not flight.complete):
            return False
        if flight is None:
            self.deadline = monotonic() + deadlines.HALF_CLOSED_SECONDS
        else:
            flight.half_closed()
        return self.transport.can_write_eof()  # TLS knows no half-close

    def connection_lost(self, exc: Exception | None) -> None:
        self._closing = True
        if self.flight is not None:
            self.flight.client_left()
            self.flight = None
        if self in self._service.clients:
            self._service.clients.remove(self)
            self.bound.connections -= 1
            self._service.gate.closed(self._reader.peer)

    def pause_writing(self) -> None:
        self.blocked = True
        flight = self.flight
        if flight is not None:
            flight.pause_answer()

    def resume_writing(self) -> None:
        self.blocked = False
        flight = self.flight
        if flight is not None:
            flight.resume_answer()
        elif self._held:
            self._go_on()

    def expired(self) -> None:
        """The sweep found the deadline passed."""
        if self._closing:
            unsent = self.transport.get_write_buffer_size()
            if 0 < unsent < self._unsent:
                self._unsent = unsent
                self.deadline = monotonic() + deadlines.SEND_SECONDS  # slow, but it reads
            else:
                self.transport.abort()
        elif self.flight is not None:
            self.flight.expired()
        elif self._held and not self.blocked:
            self._refuse(RefusedRequest(408, "the client took too long over a request head", "head_time"), self._held)
        else:
            self._linger()

    # -- reading

    def _read(self, data: bytes) -> None:
        """Take bytes off the wire until none are left or a request is in flight that has to be waited for."""
        left = TURN
        try:
            while data and not self._closing:
                flight = self.flight
                if flight is None:
                    if self.blocked:
                        self._hold(data)  # what is answered here at once would pile up for who does not read
                        return
                    if not left:
                        self._held = data
                        self.pause()
                        asyncio.get_running_loop().call_soon(self._go_on)
                        return
                    left -= 1
                    data = self._read_head(data)
                elif flight.complete or self.paused:
                    self._held = data
                    return
                elif self._chunks is None:
                    data = self._read_counted(flight, data)
                else:
                    data = self._read_chunks(flight, data, self._chunks)
        except RefusedRequest as refused:
            self._refuse(refused, data)
        except Exception as error:
            self._service.crashed("reading a request", error)
            self._refuse(RefusedRequest(500, "reading the request failed"), data)

    def _hold(self, data: bytes) -> None:
        """Keep bytes for later, and read no more when they are many."""
        self._held = data
        if len(data) > HELD:
            self.pause()

    def _read_head(self, data: bytes) -> bytes:
        """Start the request whose head ``data`` begins with; hold the data when the head is not whole yet."""
        if data[:2] == b"\r\n":
            data = data[_EMPTY_LINES(data).end() :]  # RFC 9112 §2.2: before a request they are nothing
            if not data:
                return b""
        end = data.find(_END) + 4
        if end < 4 or end > self.limits.head:
            return self._unfinished(data)
        self._began = 0.0
        head = data if end == len(data) else data[:end]
        rules = self._service.current.rules
        if rules is not self._rules:
            self._adopt(rules)
        if self._watched:
            self._service.gate.admit(self._reader.peer, self._terms, monotonic())
        plain = head if head.isascii() else ascii_line(head)
        view, fields = self._reader.read(plain, self._terms)
        refused = None if view.client == self._reader.peer else self._turned_away(view.client)
        length = fields.length
        if fields is self._judged and view.method == self._method and length >= 0:
            # The same method with the same block of fields, byte for byte, was judged on this connection; what may
            # differ is the target, which is read here more strictly than the parser reads it.
            may_go_on = self._may_go_on
        else:
            may_go_on, payload = self._judge.head(plain, length)
            self._judged, self._method, self._may_go_on = fields, view.method, may_go_on
            if length > 0:
                self._judge.renew()  # it would wait for the body that it is spared
        first, rest = b"", end
        if length > 0:
            rest += length
            first = data[end:rest]
            self._left = length - len(first)
            self._chunks = None
        elif length:
            self._chunks = Chunks(self._judge, payload)
        exchange = Exchange(rules, view, head, "1.1" if fields.http11 else "1.0", time(), monotonic())
        receive(self._service, self, exchange, fields, fields.keep and may_go_on, first, refused)
        return data[rest:] if rest < len(data) else b""

    def _turned_away(self, client: str) -> RefusedRequest | None:
        """Why a client that a proxy names may not ask. The connection is the proxy's, and others come over it."""
        if self._terms.watches(client, time()):
            try:
                self._service.gate.admit(client, self._terms, monotonic())
            except RefusedRequest as refused:
                return refused
        return None

    def _unfinished(self, data: bytes) -> bytes:
        """Hold the beginning of a head, unless it is too large already; it has so much time, and what its bytes earn
        it, to be whole."""
        bounds = self.limits
        line = bounds.request_line
        if len(data) > bounds.head or (len(data) > line + 1 and b"\r\n" not in data[: line + 2]):
            if b"\r\n" in data[: line + 2]:
                raise RefusedRequest(431, f"the request head is longer than {bounds.head} bytes", "head")
            raise RefusedRequest(414, f"the request line is longer than {line} bytes", "request_line")
        if self.half_closed:
            self._linger()
            return b""
        self._began = self._began or monotonic()
        earned = min(len(data) / bounds.head_rate, bounds.head_time) if bounds.head_rate else 0.0
        self.deadline = self._began + bounds.head_time + earned
        self._held = data
        return b""

    def _read_counted(self, flight: FlightSide, data: bytes) -> bytes:
        piece = data if len(data) <= self._left else data[: self._left]
        self._left -= len(piece)
        flight.send_body(piece, self._left == 0)
        return data[len(piece) :]

    def _read_chunks(self, flight: FlightSide, data: bytes, chunks: Chunks) -> bytes:
        body, taken = chunks.take(data)
        if chunks.ended:
            self._chunks = None
        if body or chunks.ended:
            flight.send_body(body, chunks.ended)
        return data[taken:]

    # -- ending

    def _refuse(self, refused: RefusedRequest, data: bytes) -> None:
        """Answer what is not passed on, and close: nobody knows where the next request would begin."""
        if refused.limit:
            self._service.gate.reached[refused.limit] += 1
        flight = self.flight
        if flight is not None:
            flight.refuse(refused.status, refused.why)
            if flight.over:  # else its page is still to come
                self._linger()
            return
        exchange = Exchange(
            self._service.current.rules,
            guessed(data, self._reader),
            data[: self.limits.head],
            "",
            time(),
            monotonic(),
        )
        exchange.status, exchange.cause = refused.status, refused.why
        settings, pages = exchange.rules.program.general, self._service.outside.pages
        own = (*again(refused.again), *self.bound.fields)
        self.write(own_answer(exchange, settings, pages, Recipient(True, False, False), own))
        self._service.recorder.begin(exchange)
        self._service.record(exchange, monotonic())
        self._linger()

    def _linger(self) -> None:
        """Say that no more will come, then read and throw away for a while: closing with unread input resets the
        connection, and a reset may overtake the answer (RFC 9112 §9.6)."""
        if self._closing or self.transport.is_closing():
            return
        self._closing = True
        self._held = b""
        self._unsent = self.transport.get_write_buffer_size()
        self.deadline = monotonic() + (deadlines.SEND_SECONDS if self._unsent else deadlines.LINGER_SECONDS)
        if self.half_closed or not self.transport.can_write_eof():
            self.transport.close()
            return
        self.transport.write_eof()
        super().resume()


def _address(name: tuple[str, int] | None) -> str:
    """The address of a socket; one of IPv4 that came in over IPv6 as what it is."""
    return str(name[0]).removeprefix("::ffff:") if name else ""
