"""The floor: the least that a proxy in Python over uvloop costs, beside which what rproxy does more can be read.

``python -m benchmarks.floor PORT SECURE CERTIFICATE UPSTREAM…`` passes each request on as it came, to the members in
turn, over connections that are kept, and each answer back. It judges nothing, decides nothing, records nothing and has
no deadlines: a contender that nobody may put on a network, for requests and answers that come in one piece or two.
"""

from __future__ import annotations

import asyncio
import gc
import ssl
import sys
from itertools import cycle
from pathlib import Path
from typing import cast

import uvloop

from benchmarks.configurations import Commands, Ends
from benchmarks.load import body_length
from benchmarks.rows import Work

_ASKS, _CLOSES = b"Connection: close\r\n", b"Connection: close"


def floor(_folder: Path, ends: Ends, _work: Work) -> Commands:
    """How it is run; it has no configuration."""
    ports = [str(port) for port in (ends.port, ends.secure)]
    run = [sys.executable, "-m", "benchmarks.floor", *ports, str(ends.certificate), *map(str, ends.upstreams)]
    return Commands(run, [sys.executable, "-c", ""])


class _Member(asyncio.Protocol):
    """A connection to a member; ``idle`` are those of its port."""

    def __init__(self, idle: list[_Member]) -> None:
        self.idle = idle

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def ask(self, client: _Client, request: bytes) -> None:
        self.client, self.got, self.whole = client, b"", 0
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.got = got = self.got + data if self.got else data
        if not self.whole:
            self.whole = got.find(b"\r\n\r\n") + 4
            self.whole += body_length(got[: self.whole])
        if len(got) >= self.whole:
            if _CLOSES not in got:
                self.idle.append(self)
            self.client.answer(got)

    def connection_lost(self, error: Exception | None) -> None:
        if self in self.idle:
            self.idle.remove(self)


class _Client(asyncio.Protocol):
    def __init__(self, turns: cycle[tuple[int, list[_Member]]], opening: set[asyncio.Task[None]]) -> None:
        self.turns, self.opening = turns, opening

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.last = _ASKS in data
        request = data.replace(_ASKS, b"") if self.last else data
        port, idle = next(self.turns)
        if idle:
            idle.pop().ask(self, request)
        else:
            self.opening.add(task := asyncio.get_running_loop().create_task(self._connect(port, idle, request)))
            task.add_done_callback(self.opening.discard)

    async def _connect(self, port: int, idle: list[_Member], request: bytes) -> None:
        loop = asyncio.get_running_loop()
        _, member = await loop.create_connection(lambda: _Member(idle), "127.0.0.1", port)
        member.ask(self, request)

    def answer(self, whole: bytes) -> None:
        if self.last:
            self.transport.write(whole.replace(b"keep-alive", b"close", 1))
            self.transport.close()
        else:
            self.transport.write(whole)


async def _serve(port: int, secure: int, certificate: str, upstreams: list[int]) -> None:
    turns, opening = cycle([(each, list[_Member]()) for each in upstreams]), set[asyncio.Task[None]]()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    for listens, spoken in ((secure, context), (port, None)):
        await loop.create_server(lambda: _Client(turns, opening), "127.0.0.1", listens, ssl=spoken, backlog=4096)
    gc.collect()
    gc.freeze()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], [int(port) for port in sys.argv[4:]]))
