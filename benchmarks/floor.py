"""The floor: what a request costs in this interpreter and event loop before anything of a proxy is done.

A bare protocol takes each piece for a whole request, passes it to a member over a kept connection as it is, and passes
the answer back. It reads no field but the answer's length, judges, edits and records nothing. What is above it is
ours. ``python -m benchmarks.floor PORT MEMBER…`` serves plain HTTP; ``python -m benchmarks cpu --only floor`` runs it.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from itertools import cycle
from typing import cast

_idle: list[_Member] = []
_tasks = set[asyncio.Task[None]]()


class _Client(asyncio.Protocol):
    def __init__(self, ports: cycle[int]) -> None:
        self._ports = ports

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.last = b"onnection: close" in data
        if _idle:
            _idle.pop().ask(self, data)
        else:
            _tasks.add(task := asyncio.get_running_loop().create_task(self._connect(data)))
            task.add_done_callback(_tasks.discard)

    async def _connect(self, data: bytes) -> None:
        _, member = await asyncio.get_running_loop().create_connection(_Member, "127.0.0.1", next(self._ports))
        member.ask(self, data)


class _Member(asyncio.Protocol):
    _missing = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def ask(self, client: _Client, request: bytes) -> None:
        self._client = client
        self._transport.write(request.replace(b"Connection: close\r\n", b""))

    def data_received(self, data: bytes) -> None:
        if not self._missing:
            head = data[: data.find(b"\r\n\r\n") + 4]
            self._missing = len(head) + int(head.partition(b"ontent-Length: ")[2].split(b"\r", 1)[0])
        self._missing -= len(data)
        client = self._client
        client.transport.write(data.replace(b": keep-alive", b": close", 1) if client.last else data)
        if not self._missing:
            _idle.append(self)
            if client.last:
                client.transport.close()


async def _serve(port: int, *members: int) -> None:
    ports = cycle(members)
    await asyncio.get_running_loop().create_server(lambda: _Client(ports), "127.0.0.1", port, backlog=4096)
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)
    await asyncio.Event().wait()


if __name__ == "__main__":
    import uvloop

    uvloop.run(_serve(*map(int, sys.argv[1:])))
