"""A tunnel: after an upstream's 101, two connections and the bytes between them, in any protocol.

Both transports get a new protocol, an ``End``; so a connection that never changes pays nothing for those that do. What
one side sends is written to the other as it is. A side that reads slowly stops the other (flow control by the
transports' buffers), a side that ends its sending ends it for the other (over TLS, which has no half-close, that is
the end of both), and a tunnel in which nothing moves for ``idle`` seconds is closed. The request stays in flight
until the client is gone: its member is busy, its record counts the bytes. A WebSocket is told when the proxy stops.

No HTTP here: what flows is nobody's request any more (RFC 9110 §7.8).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from time import monotonic
from typing import Final

from proxy_core.balance.member_state import MemberState
from proxy_core.http.upgrade import WEBSOCKET
from proxy_core.runtime.exchange import Exchange
from proxy_core.runtime.upstreams.connection import Upstream
from proxy_core.runtime.upstreams.pausable import Pausable
from proxy_core.serve.sides import ClientSide
from proxy_core.serve.websocket_frames import GOING_AWAY, Frames

HALF_CLOSED: Final = 60.0
"""Seconds in which nothing moves that are borne once one side has ended its sending: it may be gone for good."""
LAST_BYTES: Final = 5.0
"""Seconds that the last bytes may take to leave when one end is gone already."""


class End(Pausable):
    """One end. ``pass_on`` gets what comes in; ``other`` is where it goes."""

    __slots__ = ("lost", "other", "pass_on", "said_eof", "tunnel")

    other: End

    def __init__(self, tunnel: Tunnel, transport: asyncio.Transport, paused: bool) -> None:
        self.tunnel = tunnel
        self.transport = transport
        self.paused = paused
        self.said_eof = False
        self.lost = False
        self.pass_on: Callable[[bytes], None]

    def data_received(self, data: bytes) -> None:
        self.pass_on(data)

    def eof_received(self) -> bool:
        self.tunnel.eof(self)
        return self.transport.can_write_eof()

    def pause_writing(self) -> None:
        self.other.pause()

    def resume_writing(self) -> None:
        self.other.resume()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self.tunnel.lost(self)


class Tunnel:
    """Two connections and the bytes between them."""

    __slots__ = (
        "_ended", "_exchange", "_frames", "_idle", "_state", "client", "downstream", "stopping", "upstream", "why",
    )  # fmt: skip

    client: ClientSide
    """Keeps the deadline, and is told when the client is gone."""
    downstream: End
    """The end at the client."""
    upstream: End
    """The end at the member."""
    why: str
    """Why it ends, for the record; "" when both sides have done."""
    stopping: bool
    """The proxy stops, or the listener does."""
    _exchange: Exchange
    """Whose bytes are counted."""
    _state: MemberState
    """The member's, whose bytes are counted."""
    _idle: float
    """Seconds in which nothing moves that are borne."""
    _ended: Callable[[str], None]
    """Is called once, with ``why``."""
    _frames: Frames | None
    """Where the frames of a WebSocket end, on the way to the client; None for other protocols."""

    def __init__(
        self,
        client: ClientSide,
        upstream: Upstream,
        exchange: Exchange,
        protocol: bytes,
        idle: float,
        ended: Callable[[str], None],
    ) -> None:
        transport, early = client.hand_over()
        self.client = client
        self.stopping = False
        self.why = ""
        self._exchange = exchange
        assert exchange.member is not None
        self._state = exchange.member.state
        self._idle = idle
        self._ended = ended
        self._frames = Frames() if protocol.lower() == WEBSOCKET else None
        self.downstream = End(self, transport, client.paused)
        self.upstream = End(self, upstream.transport, upstream.paused)
        self.downstream.other, self.upstream.other = self.upstream, self.downstream
        self.downstream.pass_on = self.up
        self.upstream.pass_on = self.down if self._frames is None else self._down_in_frames
        transport.set_protocol(self.downstream)
        upstream.transport.set_protocol(self.upstream)
        self._moved()
        self.downstream.resume()
        if early:
            self.up(early)
        if client.half_closed:
            self.eof(self.downstream)

    def _moved(self) -> None:
        self.client.deadline = monotonic() + self._idle

    # -- bytes

    def up(self, data: bytes) -> None:
        """From the client to the upstream."""
        self._exchange.received += len(data)
        self._state.transferred += len(data)
        self._moved()
        self.upstream.transport.write(data)

    def down(self, data: bytes) -> None:
        """From the upstream to the client."""
        self._exchange.sent += len(data)
        self._state.read += len(data)
        self._moved()
        self.downstream.transport.write(data)

    def _down_in_frames(self, data: bytes) -> None:
        frames = self._frames
        assert frames is not None
        if not self.stopping:
            frames.follow(data)
            self.down(data)
        elif not frames.closed:
            # As far as this frame goes, then our close; what the upstream says after it has no place any more.
            self.down(data[: frames.follow(data, stop=True)])
            self._say_goodbye()

    # -- the end

    def stop(self) -> None:
        """The proxy stops, or this listener does: a WebSocket is told so (1001) and closes by itself. Other protocols
        have no words that we know; they go on until they are cut."""
        if not self.stopping:
            self.stopping = True
            self.why = "the proxy stopped"
            self._say_goodbye()

    def _say_goodbye(self) -> None:
        frames = self._frames
        if frames is not None and frames.between and not frames.closed and not self.downstream.lost:
            frames.closed = True
            self.down(GOING_AWAY)

    def expired(self) -> None:
        """The sweep found the deadline passed: idle for too long, or the last bytes did not leave in time."""
        if not self.why:
            self.why = f"nothing moved in the tunnel for {self._idle:g} s"
        self.client.deadline = math.inf
        for end in (self.downstream, self.upstream):
            end.transport.abort()

    def eof(self, end: End) -> None:
        """One side sends no more; the other is told, and may go on sending."""
        end.said_eof = True
        self._idle = min(self._idle, HALF_CLOSED)
        self._moved()
        other = end.other.transport
        if end.other.said_eof or not (other.can_write_eof() and end.transport.can_write_eof()):
            for transport in (end.transport, other):
                transport.close()
        elif not other.is_closing():
            other.write_eof()

    def lost(self, end: End) -> None:
        """One connection is gone: what is on its way to the other still arrives, then that closes too. The tunnel
        has ended when the client's is gone."""
        try:
            if not end.other.lost:
                self._close(end.other, end is self.downstream, end.said_eof)
        finally:
            if end is self.downstream:
                self._over()

    def _close(self, end: End, client_lost: bool, said_eof: bool) -> None:
        """The end that is left; whether it is the client that was lost, and whether it had done."""
        if not said_eof and not self.why:
            self.why = f"the {'client' if client_lost else 'upstream'} broke the tunnel off"
        self.client.deadline = min(self.client.deadline, monotonic() + LAST_BYTES)
        if client_lost:
            asyncio.get_running_loop().call_later(LAST_BYTES, end.transport.abort)
        end.resume()  # nobody is left to wait for, and its own end must be noticed
        end.transport.close()

    def _over(self) -> None:
        try:
            self._ended(self.why)
        finally:
            self.client.connection_lost(None)
