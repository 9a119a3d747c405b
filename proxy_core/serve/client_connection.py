"""One client connection: heads, bodies, deadlines, half-close; how it is closed is in ``lingering``.

An asyncio Protocol with no task, future or timer of its own; the server's sweep looks at ``deadline``. Requests of
one connection are served one after the other (RFC 9112 §9.3.2): while one is in flight, what a client pipelines is
held here as bytes, so a good request is answered before a bad one behind it is even looked at. The parser is fed one
whole head at a time; bodies are ``request_body``'s.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from time import monotonic, time
from typing import Any, Final, cast

from proxy_core.config.model import Limits
from proxy_core.http.hop_by_hop import RefusedRequest
from proxy_core.http.request_view import NO_TLS, Connection
from proxy_core.runtime.exchange import Exchange
from proxy_core.runtime.rule_set import RuleSet
from proxy_core.serve import deadlines, error_document
from proxy_core.serve.bound_listener import BoundListener
from proxy_core.serve.buffers import HELD, WRITE_BUFFER
from proxy_core.serve.builtin_pages import Recipient, again, own_answer
from proxy_core.serve.client_certificate import client_lines, facts
from proxy_core.serve.client_limits import too_many_connections
from proxy_core.serve.flight import Flight
from proxy_core.serve.known_blocks import KnownBlocks
from proxy_core.serve.lingering import Lingering
from proxy_core.serve.proxy_protocol import Ends
from proxy_core.serve.request_body import RequestBody, judged
from proxy_core.serve.request_head import RequestReader, ascii_line, guessed
from proxy_core.serve.server_state import ServerState

TURN: Final = 64
"""Requests of one connection that are answered at once before others have their turn."""
_END = b"\r\n\r\n"
_CR = b"\r"
_BARE = re.compile(rb"(?<!\r)\n|\r(?=[^\n])").search
_EMPTY_LINES = cast(Callable[[bytes], re.Match[bytes]], re.compile(rb"(?:\r\n)*+").match)

SocketName = tuple[Any, ...] | None
"""Of IPv4 two parts, of IPv6 four; None where it is gone."""


class ClientConnection(Lingering):
    """A ClientSide: what a flight and the server may ask of it is said there."""

    __slots__ = (
        "_began", "_body", "_clients", "_ends", "_held", "_policy", "_rules", "_state", "_watched", "blocked",
        "bound", "flight", "limits", "reader", "write",
    )  # fmt: skip

    write: Callable[[bytes], None]
    """The transport's own."""
    _clients: set[ClientConnection]
    """Every open connection of the server, for the sweep over deadlines."""
    flight: Flight | None
    """The request in flight, None between two."""
    _ends: Ends | None
    """Those of a PROXY header, in place of the socket's."""
    _held: bytes
    """What was read and is not used yet: the beginning of a head, or what was pipelined."""
    _began: float
    """When the head that is not whole yet began (monotonic); 0.0: there is none."""
    _body: RequestBody | None
    """What is still to come of the request in flight, None for nothing."""
    _rules: RuleSet | None
    """Those that were in force at the last request; ``_policy`` is what they say of clients."""
    _watched: bool
    """Each request has to be asked for at admission."""

    def __init__(
        self, state: ServerState, clients: set[ClientConnection], bound: BoundListener, ends: Ends | None = None
    ) -> None:
        self._state = state
        self._clients = clients
        self._ends = ends
        self.bound = bound
        self._began = 0.0
        self._held = b""
        self._body = self._rules = None
        self._unsent = 0
        self.closing = self.blocked = self.paused = self.half_closed = False
        self.flight = None

    # -- used by the flight

    @property
    def idle(self) -> bool:
        """Between two requests, with nothing read of the next."""
        return self.flight is None and not self._held and not self.closing

    def resume(self) -> None:
        if self.paused and not self.transport.is_closing():
            super().resume()
            if self._held and not self.closing:
                held, self._held = self._held, b""
                self._read(held)

    def bound_body(self, own: int | None) -> None:
        if self._body is not None:
            self._body.most = self.reader.body_bound(own)

    def fetch_page(self, path: str) -> bool:
        return error_document.fetch(self._state, self, path)

    def hand_over(self) -> tuple[asyncio.Transport, bytes]:
        """The connection becomes a tunnel's, with what was read early; this object stays for the sweep over deadlines
        and for the listener's count, until ``connection_lost``."""
        early, self._held = self._held, b""
        return self.transport, early

    def next(self, keep: bool, now: float) -> None:
        """The flight is over; ``keep`` says that another request may follow."""
        self.flight = None
        if not keep:
            self.linger(self.reader.known.fields.last and self._body is None and not (self._held or self.paused))
            return
        self.deadline = now + self.limits.idle_time
        if self._held or self.paused or self.half_closed:
            # Not from here: a pipelined request would be served on top of the stack of the one before it.
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        if self.flight is None and not self.closing and not self.blocked:
            held, self._held = self._held, b""
            try:
                self.resume()
                if held:
                    self._read(held)
                elif self.half_closed:
                    self.linger()
            except Exception as error:
                self._state.crashed("going on with what a client sent ahead", error)
                self.cut()

    # -- transport callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        try:
            self._opened(self.transport)
        except Exception as error:
            self._state.crashed("opening a connection", error)
            self.cut()

    def _opened(self, transport: asyncio.Transport) -> None:
        self.write = transport.write
        transport.set_write_buffer_limits(high=WRITE_BUFFER)
        state = self._state
        self.reader = _reader(transport, self.bound, self._ends, state.blocks)
        self._adopt(state.current.rules)
        self.deadline = monotonic() + self.limits.idle_time
        if len(self._clients) >= min(self.limits.connections or state.most_clients, state.most_clients):
            state.admission.reached["connections"] += 1
            self.cut()
        self._clients.add(self)
        self.bound.connections += 1
        if not state.admission.opened(self.reader.peer, self._policy) and not self.closing:
            self._refuse(too_many_connections(self._policy), b"")

    def _adopt(self, rules: RuleSet) -> None:
        """These rules are in force from this request on."""
        self._rules = rules
        self._policy = policy = self._state.policy(rules, self.bound.name)
        self.limits = policy.limits
        self._watched = policy.watchful and policy.watches(self.reader.peer, time())

    def data_received(self, data: bytes) -> None:
        flight = self.flight
        if self.closing:
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
        if self.closing or (flight is None and not self._held) or (flight is not None and not flight.complete):
            return False
        if flight is None:
            self.deadline = monotonic() + deadlines.HALF_CLOSED_SECONDS
        else:
            flight.half_closed()
        return self.transport.can_write_eof()  # TLS knows no half-close

    def connection_lost(self, exc: Exception | None) -> None:
        self.closing = True
        if self.flight is not None:
            self.flight.client_left()
            self.flight = None
        if self in self._clients:
            self._clients.remove(self)
            self.bound.connections -= 1
            self._state.admission.closed(self.reader.peer)

    def pause_writing(self) -> None:
        self.blocked = True
        if self.flight is not None and self.flight.upstream is not None:
            self.flight.upstream.pause_answer()

    def resume_writing(self) -> None:
        self.blocked = False
        flight = self.flight
        if flight is not None:
            if flight.upstream is not None:
                flight.upstream.resume_answer()
        elif self._held:
            self._go_on()

    def expired(self) -> None:
        """The sweep found the deadline passed."""
        if self.closing:
            self.lingered()
        elif self.flight is not None:
            self.flight.expired()
        elif self._held and not self.blocked:
            self._refuse(RefusedRequest(408, "the client took too long over a request head", "head_time"), self._held)
        else:
            self.linger()

    # -- reading

    def _read(self, data: bytes) -> None:
        """Take bytes off the wire until none are left or a request is in flight that has to be waited for."""
        left = TURN
        try:
            while data and not self.closing:
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
                else:
                    assert self._body is not None
                    piece, taken, last = self._body.take(data)
                    if last:
                        self._body = None
                    if piece or last:
                        flight.send_body(piece, last)
                    data = data[taken:]
        except RefusedRequest as refused:
            self._refuse(refused, data)
        except Exception as error:
            self._state.crashed("reading a request", error)
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
        rules = self._state.current.rules
        if rules is not self._rules:
            self._adopt(rules)
        if self._watched:
            self._state.admission.admit(self.reader.peer, self._policy, monotonic())
        plain = head if head.isascii() else ascii_line(head)
        view, fields = self.reader.read(plain, self._policy)
        client, refused = view.client, None
        if client != self.reader.peer:  # a proxy names it, whose connection this is: others come over it
            refused = self._state.named(client, self._policy)
        length, first, rest = fields.length, b"", end
        known = self.reader.known
        if known.may_go_on is None or length < 0:
            self._body = judged(plain, known)
        if length > 0:
            rest += length
            first = data[end:rest]
            if len(first) < length:
                self._body = RequestBody(length - len(first))
        exchange = Exchange(rules, view, head, "1.1" if fields.http11 else "1.0", time(), monotonic())
        complete, keep = len(first) == length, fields.keep and known.may_go_on is True
        self.flight = flight = Flight(self._state, self, exchange, fields, keep, self.bound.fields, complete, first)
        self._state.recorder.begin(exchange)
        flight.received(refused)
        return data[rest:] if rest < len(data) else b""

    def _unfinished(self, data: bytes) -> bytes:
        """Hold the beginning of a head, unless it is too large already. Its bytes earn it time to become whole."""
        bounds = self.limits
        _refuse_hopeless(data, bounds)
        if self.half_closed:
            self.linger()
            return b""
        self._began = self._began or monotonic()
        earned = min(len(data) / bounds.head_rate, bounds.head_time) if bounds.head_rate else 0.0
        self.deadline = self._began + bounds.head_time + earned
        self._held = data
        return b""

    # -- ending

    def linger(self, heard_all: bool = False) -> None:
        self._held = b""
        super().linger(heard_all)

    def _refuse(self, refused: RefusedRequest, data: bytes) -> None:
        """Answer what is not passed on, and close: nobody knows where the next request would begin."""
        if refused.limit:
            self._state.admission.reached[refused.limit] += 1
        flight = self.flight
        if flight is not None:
            flight.refuse(refused.status, refused.why)
            if flight.over:  # else its page is still to come
                self.linger()
            return
        rules, view = self._state.current.rules, guessed(data, self.reader)
        exchange = Exchange(rules, view, data[: self.limits.head], "", time(), monotonic())
        exchange.status, exchange.cause, exchange.limit = refused.status, refused.why, refused.limit
        settings, pages = rules.program.general, self._state.outside.pages
        own = (*again(refused.again), *self.bound.fields)
        self.write(own_answer(exchange, settings, pages, Recipient(True, False, False), own))
        self._state.recorder.begin(exchange)
        self._state.record(exchange, monotonic())
        self.linger()


def _refuse_hopeless(data: bytes, bounds: Limits) -> None:
    """Raises RefusedRequest where the beginning of a head is too large already, or has an LF or a CR alone: its end may
    never come."""
    if bare := _BARE(data):
        raise RefusedRequest(400, f"there is {'an LF' if bare[0] != _CR else 'a CR'} alone in the request head")
    line = bounds.request_line
    if len(data) > bounds.head or (len(data) > line + 1 and b"\r\n" not in data[: line + 2]):
        if b"\r\n" in data[: line + 2]:
            raise RefusedRequest(431, f"the request head is longer than {bounds.head} bytes", "head")
        raise RefusedRequest(414, f"the request line is longer than {line} bytes", "request_line")


def _reader(
    transport: asyncio.Transport, bound: BoundListener, ends: Ends | None, blocks: KnownBlocks
) -> RequestReader:
    """What reads the requests of a new connection; ``ends`` are those of a PROXY header."""
    peer: SocketName
    own: SocketName
    if ends is not None:
        peer, own = ends
    else:
        peer, own = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
    secure = transport.get_extra_info("ssl_object") if bound.secure is not None else None
    variables = facts(secure) if secure is not None else NO_TLS
    name = _address(peer)
    connection = Connection(bound.name, _address(own), own[1] if own else 0, peer[1] if peer else 0, variables, name)
    tls = bound.settings.tls
    return RequestReader(name, connection, client_lines(tls, variables) if tls is not None else (), blocks)


def _address(name: SocketName) -> str:
    """The address of a socket; one of IPv4 that came in over IPv6 as what it is."""
    return str(name[0]).removeprefix("::ffff:") if name else ""
