"""The sides of a request in flight: what it asks of its client connection, and what the others ask of it.

Protocols alone (PEP 544), so that they know each other's methods and not each other's classes, and a flight can be run
without a socket. What lines ask of who waits in them is a Waiter (``lines``), what an upstream connection asks of who
asked it a Receiver (``runtime.upstreams.connection``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from proxy_core.balance.pool import Pool
from proxy_core.config.model import Limits
from proxy_core.runtime.exchange import Exchange
from proxy_core.serve.bound_listener import BoundListener
from proxy_core.serve.request_fields import RequestFields
from proxy_core.serve.request_head import RequestReader


class ClientSide(Protocol):
    """A client connection, as its flight and the server see it."""

    bound: BoundListener
    """The listener that it came in by."""
    limits: Limits
    """What holds for its requests."""
    deadline: float
    """When its wait is over (monotonic); the sweep then calls ``expired``."""
    blocked: bool
    """It does not read from us."""
    half_closed: bool
    """It sends no more."""
    paused: bool
    """We do not read from it."""
    flight: FlightSide | None
    """Its request in flight."""
    reader: RequestReader
    """Reads its requests, and makes others of them."""
    write: Callable[[bytes], None]
    """Writes to the client."""

    @property
    def idle(self) -> bool:
        """Between two requests, with nothing read of the next."""
        ...

    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def bound_body(self, own: int | None) -> None:
        """The body may have so many bytes, or as many as the listener allows (0: any number)."""
        ...

    def fetch_page(self, path: str) -> bool:
        """Ask for the page of an error in place of the request in flight; whether it is asked for."""
        ...

    def next(self, keep: bool, now: float) -> None:
        """The flight is over; ``keep``: another request may follow."""
        ...

    def cut(self) -> None:
        """Break the connection, so that what was sent so far cannot be taken for the whole."""
        ...

    def hand_over(self) -> tuple[asyncio.Transport, bytes]:
        """The connection becomes a tunnel's, with what was read early."""
        ...

    def expired(self) -> None:
        """The deadline passed."""
        ...

    def connection_lost(self, exc: Exception | None) -> None: ...


class FlightSide(Protocol):
    """A request in flight, as its client connection and the server see it."""

    exchange: Exchange
    """What its record will say."""
    fields: RequestFields
    """What its header fields say."""
    own_fields: tuple[bytes, ...]
    """Field lines of the proxy's own for its answer."""
    complete: bool
    """Its body has come whole."""
    over: bool
    """It is finished."""

    def send_body(self, data: bytes, last: bool) -> None:
        """A piece of the request body; ``last`` completes it."""
        ...

    def pause_answer(self) -> None:
        """The client is slow to read."""
        ...

    def resume_answer(self) -> None: ...
    def half_closed(self) -> None:
        """The client sends no more: it may want its answer still, or be gone."""
        ...

    def client_left(self) -> None: ...
    def refuse(self, status: int, cause: str) -> None:
        """What the client sends cannot be read on: answer it, and close."""
        ...

    def expired(self) -> None:
        """The deadline passed."""
        ...

    def stop(self) -> None:
        """The listener stops."""
        ...

    def give_up(self, cause: str) -> None:
        """The proxy wants it to end."""
        ...

    # for the page of an error (``error_page``)

    def may_keep(self) -> bool:
        """Whether the client's connection may go on after the answer."""
        ...

    def reply(self, status: int, cause: str, moved: bytes = b"") -> None:
        """Answer it with a page of our own."""
        ...

    def finished(self, now: float) -> None: ...


class ForwardingSide(Protocol):
    """How a request comes to a member, as the request and what is sent over a connection see it."""

    pool: Pool
    """Whose member it is for."""
    timeout: float
    """Seconds of silence that are borne."""

    def decided(self) -> None:
        """Elect a member. Raises Unknown where its key needs a fact."""
        ...

    def failed(self, why: str, unanswered: bool) -> None:
        """The connection is gone, or what came over it is not an answer. ``unanswered``: it was closed, or lost,
        before any byte of one."""
        ...

    def silent(self) -> None:
        """The member took too long, and is to blame."""
        ...

    def release(self) -> None:
        """The member is busy with it no longer."""
        ...


class UpstreamSide(Protocol):
    """What is under way over a connection to a member, as the request sees it."""

    def send_body(self, data: bytes, received: int, last: bool) -> None:
        """A piece of the body, framed; ``received`` bytes of the client's were in it."""
        ...

    def pause_answer(self) -> None:
        """The client is slow to read."""
        ...

    def resume_answer(self) -> None: ...
    def drop(self) -> None:
        """Close the connection at once; nothing more comes of it."""
        ...
