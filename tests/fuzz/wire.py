"""The data path without sockets: a client's and an upstream's bytes go in, what is written to either comes out."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any, cast

from proxy_core.config.model import Limits, Listener, Site
from proxy_core.runtime.compile_site import adopt, compile_site
from proxy_core.runtime.recent_requests import Recorder
from proxy_core.runtime.registry import Registry
from proxy_core.runtime.rule_set import Current
from proxy_core.runtime.upstreams.connection import Upstream
from proxy_core.runtime.upstreams.connector import Unreachable
from proxy_core.serve.bound_listener import BoundListener
from proxy_core.serve.client_connection import ClientConnection
from proxy_core.serve.server import ProxyServer
from tests.e2e.harness import site
from tests.fuzz.reader import answers, requests


class Transport(asyncio.Transport):
    """Keeps what is written. Never full, never slow."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.1", 1), "sockname": ("192.0.2.2", 80)})
        self.written = b""
        self.closed = False

    def write(self, data: Any) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closed

    def abort(self) -> None:
        self.closed = True

    close = abort

    def write_eof(self) -> None: ...
    def can_write_eof(self) -> bool:
        return True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...
    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


class Wire:
    """One client connection and, for each request, a fresh connection to the one upstream; ``answer`` is what the
    upstream says to each, in pieces. ``problems`` are mistakes of the proxy."""

    def __init__(self, answer: list[bytes], limits: Limits | None = None, what: Site | None = None) -> None:
        what = what or site(1, limits=limits)
        self.problems: list[str] = []
        registry, recorder = Registry(), Recorder()
        rules = compile_site(what, registry, 1)
        adopt(rules, registry, monotonic())
        self.recorder = recorder
        server = ProxyServer(
            Current(rules), recorder, registry, lambda problem, error=None: self.problems.append(str(problem))
        )
        self.state = server._state
        self.upstreams: list[Upstream] = []
        self.answer = answer
        self.client = ClientConnection(self.state, set(), BoundListener("http", "", 80, Listener(address=":80")))
        self.transport = Transport()
        self.state.upstreams.take = self._take  # type: ignore[method-assign, assignment]
        self.state.upstreams.connect = self._connect  # type: ignore[method-assign]
        self.client.connection_made(self.transport)

    def _take(self, key: Any) -> Upstream:
        fresh = Upstream(key)
        fresh.connection_made(Transport())
        self.upstreams.append(fresh)
        return fresh

    async def _connect(self, key: Any, *_: Any) -> Upstream:
        """Asking again is of no use."""
        raise Unreachable("it is gone")

    async def send(self, *pieces: bytes) -> None:
        """The client's bytes; the upstream answers whatever has become of them by then."""
        for piece in pieces:
            if piece and not self.transport.closed:
                self.client.data_received(piece)
                await self._settle()

    async def _settle(self) -> None:
        for _ in range(50):
            flight = self.client.flight
            upstream = next((each for each in reversed(self.upstreams) if each.receiver is not None), None)
            if upstream is None or flight is None or not flight.complete:
                break
            for piece in self.answer:
                if piece and upstream.receiver is not None:
                    upstream.data_received(piece)
            if upstream.receiver is not None:
                upstream.connection_lost(None)
            await asyncio.sleep(0)
        for _ in range(5):
            await asyncio.sleep(0)

    def end(self) -> None:
        self.client.connection_lost(None)

    @property
    def forwarded(self) -> list[bytes]:
        """What was written over each upstream connection."""
        return [cast(Transport, each.transport).written for each in self.upstreams]


BUSY = site(1, path="/app", trusted_proxies=("192.0.2.0/24",), forwarded_header=True, via="on")
"""A site that reads and writes more: whom the client comes for, and where answers send to."""


async def request_goes_well(answer: bytes, *pieces: bytes, what: Site | None = None) -> None:
    """What is forwarded of a client's bytes can be read in one way, what it gets for them too, and nothing is left."""
    wire = Wire([answer], what=what)
    await wire.send(*pieces)
    wire.end()
    assert not wire.problems, wire.problems
    assert not wire.recorder.live
    for written in wire.forwarded:
        requests(written)
    raw = b"".join(pieces)
    if b"HEAD" not in raw[1:] and (raw[:1] != b"H" or wire.recorder.newest == 1):  # else whose answer has no body?
        answers(wire.transport.written, bodiless=raw.startswith(b"HEAD"), closed=True)


async def answer_goes_well(request: bytes, *pieces: bytes, what: Site | None = None) -> None:
    """Of an upstream's bytes, at most one answer goes on, whole or cut off."""
    wire = Wire([*pieces], what=what)
    await wire.send(request)
    assert not wire.problems, wire.problems
    assert answers(wire.transport.written, request.startswith(b"HEAD"), wire.transport.closed) <= 1
    assert not wire.recorder.live
    wire.end()
