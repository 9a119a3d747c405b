"""A service with an open door, and questions to it: what the tests of the door share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from proxy_core.control.door.door import Door
from proxy_core.control.engine import Engine
from tests.control.harness import serving

SITE = """\
# my site
version = 1

[listeners.http]
address = "127.0.0.1:0"

[[routes]]
id = "all"
path = "/"
proxy = "balancer://b/"   # everything

[balancers.b.members.m0]
url = "http://127.0.0.1:9"
weight = 1   # the small one

[balancers.b.members.m1]
url = "http://127.0.0.1:10"
"""


class OpenDoor(NamedTuple):
    engine: Engine
    door: Door
    path: Path
    stopped: asyncio.Event


class Answer(NamedTuple):
    status: int
    fields: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


@asynccontextmanager
async def open_door(folder: Path, text: str = SITE, place: Path | None = None) -> AsyncIterator[OpenDoor]:
    file = folder / "site.toml"
    if not file.exists():
        file.write_text(text)
    async with serving(file) as (engine, _):
        stopped = asyncio.Event()
        door = Door(engine, place or folder / "door.sock", stopped.set)
        await door.open()
        engine.door_problem = lambda: door.problem
        try:
            yield OpenDoor(engine, door, door.path, stopped)
        finally:
            await door.close()


async def ask(path: Path, method: str, url: str, body: bytes = b"", fields: str = "") -> Answer:
    """One question on a connection of its own."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    length = f"Content-Length: {len(body)}\r\n" if body or method != "GET" else ""
    head = f"{method} {url} HTTP/1.1\r\nHost: rproxy\r\nConnection: close\r\n{length}{fields}\r\n"
    writer.write(head.encode() + body)
    async with asyncio.timeout(10):
        answer = await answered(reader)
    writer.close()
    return answer


async def answered(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
    if fields.get("transfer-encoding") == "chunked":
        body = b""
        while size := int(await reader.readline(), 16):
            body += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
    else:
        body = await reader.readexactly(int(fields.get("content-length", 0)))
    return Answer(int(head[0].split()[1]), fields, body)
