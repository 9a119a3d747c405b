"""The sides of a request in flight: what it asks of its client connection, and what the others ask of it.

Protocols alone (PEP 544): the sides know each other's methods and not each other's classes, so a flight can be run
without a socket. Two more stand where they are used: a Waiter stands in line (``waiting_lines``), a Receiver gets the
answer of an upstream connection (``runtime.upstreams.connection``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from proxy_core.balance.pool import Pool
from proxy_core.config.model import Limits
from proxy_core.serve.bound_listener import BoundListener
from proxy_core.serve.request_head import RequestReader


class ClientSide(Protocol):
    """A client connection, as its flight sees it."""

    bound: BoundListener
    """The listener that it came in by."""
    limits: Limits
    """What holds for its requests."""
    deadline: float
    """When its wait is over (monotonic)."""
    blocked: bool
    """It does not read from us."""
    half_closed: bool
    """It sends no more."""
    paused: bool
    """We do not read from it."""
    reader: RequestReader
    """Reads its requests, and makes others of them."""
    write: Callable[[bytes], None]
    """Writes to the client."""

    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def bound_body(self, own: int | None) -> None:
        """The body may have so many bytes, or as many as the listener allows (0: any number)."""

    def fetch_page(self, path: str) -> bool:
        """Ask for the page of an error in place of the request in flight; whether it is asked for."""

    def next(self, keep: bool, now: float) -> None:
        """The flight is over; ``keep``: another request may follow."""

    def cut(self) -> None:
        """Break the connection, so that what was sent so far cannot be taken for the whole."""

    def hand_over(self) -> tuple[asyncio.Transport, bytes]:
        """The connection becomes a tunnel's, with what was read early."""

    def connection_lost(self, exc: Exception | None) -> None: ...


class ForwardingSide(Protocol):
    """How a request comes to a member, as the request and what is sent over a connection see it."""

    @property
    def pool(self) -> Pool:
        """Whose member it is for."""

    @property
    def timeout(self) -> float:
        """Seconds of silence that are borne."""

    def decided(self) -> None:
        """Elect a member, or wait for one."""

    def failed(self, why: str, unanswered: bool) -> None:
        """The connection is gone, or what came over it is not an answer. ``unanswered``: it was closed, or lost,
        before any byte of one."""

    def silent(self) -> None:
        """The member took too long, and is to blame."""

    def release(self) -> None:
        """The member is busy with it no longer."""

    def rescued(self, status: int) -> bool:
        """Whether the client got an answer that is kept in place of an error with this status."""

    def expired(self) -> None:
        """It has waited for long enough for another request's answer."""


class UpstreamSide(Protocol):
    """What is under way over a connection to a member, as the request sees it."""

    def send_body(self, data: bytes, received: int, last: bool) -> None:
        """A piece of the body, framed; ``received`` bytes of the client's were in it."""

    def pause_answer(self) -> None:
        """The client is slow to read."""

    def resume_answer(self) -> None: ...
    def drop(self) -> None:
        """Close the connection at once; nothing more comes of it."""
