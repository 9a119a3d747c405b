"""A whole server on loopback, raw clients, and upstreams that are named after their vice.

Clients and upstreams speak in bytes, so that nothing tidies up what a test wants to say. Every wait has an end.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from ssl import SSLContext
from time import monotonic

from proxy_core.config.model import Balancer, Limits, Listener, Member, Options, Route, Site
from proxy_core.errors import Problem
from proxy_core.runtime.compile_site import adopt, compile_site
from proxy_core.runtime.exchange import Exchange
from proxy_core.runtime.fact_lookups import Outside
from proxy_core.runtime.recent_requests import Recorder
from proxy_core.runtime.registry import Registry
from proxy_core.runtime.rule_set import Current
from proxy_core.serve.server import ProxyServer
from tests.waiting import PATIENCE, until

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

Talk = Callable[["Upstream", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""What an upstream does with one connection."""


def site(
    *ports: int,
    path: str = "",
    balanced: bool = False,
    limits: Limits | None = None,
    **options: object,
) -> Site:
    """A site that sends everything to the port, or to a balancer of all ports."""
    urls = [f"http://127.0.0.1:{port}{path}" for port in ports]
    balanced = balanced or len(ports) != 1
    members = {f"m{n}": Member(url=url) for n, url in enumerate(urls)} if balanced else {}
    return Site(
        site=Options(**options),  # type: ignore[arg-type]
        limits=limits or Limits(),
        listeners={"http": Listener(address="127.0.0.1:0")},
        routes=(Route(id="all", path="/", proxy="balancer://pool/" if balanced else urls[0] + "/"),),
        balancers={"pool": Balancer(members=members)} if balanced else {},
    )


@dataclass
class Running:
    """A server that serves a site; ``records`` are its finished exchanges."""

    server: ProxyServer
    current: Current
    recorder: Recorder
    registry: Registry
    problems: list[Problem] = field(default_factory=list)

    @property
    def port(self) -> int:
        return next(state.port for state in self.server.listeners if not state.draining)

    @property
    def records(self) -> list[Exchange]:
        return list(self.recorder.ring)

    def swap(self, new: Site) -> None:
        old = self.current.rules
        self.current.rules = compile_site(new, self.registry, old.generation + 1, old)
        adopt(self.current.rules, self.registry, monotonic())

    async def apply(self, new: Site) -> None:
        prepared = await self.server.prepare(new.listeners)
        self.swap(new)
        self.server.commit(prepared)

    async def finished(self, count: int = 1) -> Exchange:
        """Wait for ``count`` finished exchanges and return the last."""
        await until(lambda: len(self.recorder.ring) >= count)
        return self.recorder.ring[-1]

    def at_rest(self) -> None:
        """The invariants that hold whenever nothing is in flight."""
        states = self.registry.members.values()
        assert not self.recorder.live
        assert all(state.busy == 0 for state in states)
        attempts = sum(record.attempts for record in self.recorder.ring) + self.server.services.attempts
        attempts += self.server.shadows.attempts + self.server.cache.attempts
        assert sum(state.elected for state in states) == attempts
        numbers = [record.number for record in self.recorder.ring]
        assert numbers == sorted(set(numbers))


@asynccontextmanager
async def serving(what: Site, folder: Path = Path(), *, outside: Outside | None = None) -> AsyncIterator[Running]:
    """``folder`` is that of the site file."""
    registry, recorder = Registry(), Recorder()
    current = Current(compile_site(what, registry, 1))
    adopt(current.rules, registry, monotonic())
    problems: list[Problem] = []
    if outside is not None:
        await outside.pages.read(what)
    server = ProxyServer(
        current, recorder, registry, lambda problem, error=None: problems.append(problem), outside, folder
    )
    server.commit(await server.prepare(what.listeners))
    running = Running(server, current, recorder, registry, problems)
    try:
        yield running
        if not recorder.live:
            running.at_rest()
    finally:
        await server.close()
    assert not problems, problems


@dataclass
class Upstream:
    """A raw upstream; ``heads`` are the request heads it received, ``open`` its connections."""

    port: int
    heads: list[bytes] = field(default_factory=list)
    connections: int = 0
    open: int = 0
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    server: asyncio.Server | None = None

    async def die(self) -> None:
        """Stop listening and break every connection."""
        assert self.server is not None
        self.server.close()
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


@asynccontextmanager
async def upstream(talk: Talk, ssl: SSLContext | None = None, port: int = 0) -> AsyncIterator[Upstream]:
    """Serve ``talk`` for each connection, on a port of its own where none is given."""
    this = Upstream(0)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        this.tasks.add(task)
        this.connections += 1
        this.open += 1
        try:
            await talk(this, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            this.open -= 1
            this.tasks.discard(task)
            writer.close()

    this.server = server = await asyncio.start_server(
        connected, "127.0.0.1", port, limit=1 << 20, backlog=2048, ssl=ssl
    )
    this.port = server.sockets[0].getsockname()[1]
    try:
        yield this
    finally:
        await this.die()


async def read_request(this: Upstream, reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """One request's head and decoded body."""
    head = await reader.readuntil(b"\r\n\r\n")
    this.heads.append(head)
    return head, await read_body(head, reader)


async def read_body(head: bytes, reader: asyncio.StreamReader) -> bytes:
    length = re.search(rb"(?im)^content-length: *(\d+)\r?$", head)
    if length:
        return await reader.readexactly(int(length[1]))
    body = b""
    if re.search(rb"(?im)^transfer-encoding: *chunked\r?$", head):
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            body += await reader.readexactly(size)
            assert await reader.readexactly(2) == b"\r\n"
        assert await reader.readexactly(2) == b"\r\n"
    return body


def answers(*raw: bytes) -> Talk:
    """A good upstream that gives these answers in turn, the last one for ever, and keeps its connections."""

    async def talk(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_request(this, reader)
            writer.write(raw[min(len(this.heads), len(raw)) - 1])

    return talk


async def echoes(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A good upstream that answers with the head and body it received."""
    while True:
        head, body = await read_request(this, reader)
        seen = head + body
        shown = b"" if head[:5] == b"HEAD " else seen
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(seen) + shown)
        await writer.drain()


class Client:
    """A raw client connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def answer(self, head_only: bool = False) -> tuple[bytes, bytes]:
        """The next answer's head and decoded body; interim answers count as answers without a body."""
        async with asyncio.timeout(PATIENCE):
            head = await self.reader.readuntil(b"\r\n\r\n")
            status = int(head[9:12])
            if head_only or status < 200 or status in (204, 304):
                return head, b""
            if re.search(rb"(?im)^(content-length|transfer-encoding):", head):
                return head, await read_body(head, self.reader)
            return head, await self.reader.read()

    async def answer_head(self) -> bytes:
        """The next answer's head alone."""
        async with asyncio.timeout(PATIENCE):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def rest(self) -> bytes:
        """Everything until the server closes; a reset counts as closing."""
        async with asyncio.timeout(PATIENCE):
            data = b""
            try:
                while more := await self.reader.read(65536):
                    data += more
            except ConnectionError:
                pass
            return data


@asynccontextmanager
async def client(port: int) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()


async def ask(port: int, raw: bytes) -> bytes:
    """Send bytes on a connection of their own, end the sending side only when the server is done, return all."""
    async with client(port) as one:
        one.send(raw)
        return await one.rest()


async def get(port: int, target: str = "/", *fields: str) -> tuple[bytes, bytes]:
    """Head and body of a plain GET that closes."""
    lines = [f"GET {target} HTTP/1.1", "Host: localhost", "Connection: close", *fields]
    async with client(port) as one:
        one.send("\r\n".join([*lines, "", ""]).encode())
        return await one.answer()
