"""An engine that really serves, members behind it and requests to it: what the tests of control share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from proxy_core.control.editing.commands import Change, Delete, Insert, Move, Result, Set
from proxy_core.control.engine import Engine
from tests.e2e.harness import Upstream, upstream

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter


@asynccontextmanager
async def member(name: str = "m", port: int = 0) -> AsyncIterator[int]:
    """A small keep-alive upstream that answers with its name; gives its port."""

    async def serve(this: Upstream, reader: Reader, writer: Writer) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            body = f"{name} {head.split()[1].decode()}".encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    async with upstream(serve, port=port) as running:
        yield running.port


async def get(port: int, path: str = "/", fields: str = "") -> tuple[int, str]:
    """One request on a connection of its own: status and body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{fields}\r\n".encode())
    async with asyncio.timeout(10):
        raw = await reader.read()
    writer.close()
    head, _, body = raw.partition(b"\r\n\r\n")
    return int(head.split()[1]), body.decode()


@asynccontextmanager
async def serving(file: Path) -> AsyncIterator[tuple[Engine, int]]:
    engine = Engine(file)
    await engine.start()
    try:
        yield engine, engine.snapshot().listeners[0].port if engine.snapshot().listeners else 0
    finally:
        await engine.stop(1)


def site_with(*ports: int, more: str = "") -> str:
    members = "".join(f'\n[balancers.b.members.m{n}]\nurl = "http://127.0.0.1:{p}"\n' for n, p in enumerate(ports))
    return f'version = 1\n\n[listeners.http]\naddress = "127.0.0.1:0"\n{more}\n[[routes]]\nid = "all"\npath = "/"\nproxy = "balancer://b/"\n\n[balancers.b]\n{members}'  # noqa: E501


async def submitted(engine: Engine, *edits: Set | Insert | Move | Delete) -> Result:
    return await engine.submit(Change(edits=edits, sentence="test"))
