"""A service as a process, with members behind it and clients before it that do not forgive a thing.

Requests come at a steady rate, half of them on connections of their own and half on kept ones. Beside them go a
download, an upload and a WebSocket, each of which takes its time and must arrive whole.
"""

from __future__ import annotations

import asyncio
import base64
import os
import re
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.control.door.harness import Answer, ask
from tests.e2e.harness import Upstream, read_body, upstream
from tests.waiting import PATIENCE

SITE = """\
version = 1

[listeners.http]
address = "127.0.0.1:0"

[metrics]
address = "127.0.0.1:0"

[[routes]]
id = "all"
path = "/"
proxy = "balancer://b/"
upgrade = ["websocket"]

[balancers.b]
method = "byrequests"
"""
PART = b"x" * 1024
CHUNK, LAST = b"400\r\n%b\r\n" % PART, b"0\r\n\r\n"
READY = re.compile(r"^rproxy: ready on .*?http://127\.0\.0\.1:(\d+).*pid (\d+)\)$", re.MULTILINE)


async def member(
    enough: asyncio.Event, this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Says how long a body was; /download sends parts until ``enough``; /chat echoes."""
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split()[1].decode()
        if path == "/chat":
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n")
            while data := await reader.read(65536):
                writer.write(data)
            return
        body = await read_body(head, reader)
        if path == "/download":
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while not enough.is_set():
                writer.write(CHUNK)
                await asyncio.sleep(0.05)
            writer.write(LAST)
        else:
            told = b"%d" % len(body)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(told) + told)
        await writer.drain()


@dataclass(slots=True)
class Service:
    """``rproxy`` on a site; after an upgrade it is another process, whose number the log says."""

    folder: Path
    file: Path
    process: asyncio.subprocess.Process
    log: Path
    enough: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def control(self) -> Path:
        return self.folder / "c.sock"

    def ready(self) -> list[tuple[int, int]]:
        """Port and number of each process that has said that it is ready."""
        return [(int(port), int(pid)) for port, pid in READY.findall(self.log.read_text())]

    async def until_ready(self, times: int = 1) -> tuple[int, int]:
        async with asyncio.timeout(3 * PATIENCE):
            while len(self.ready()) < times:
                assert self.process.returncode is None or times > 1, self.log.read_text()
                await asyncio.sleep(0.02)
        return self.ready()[times - 1]

    async def upgrade(self) -> Answer:
        """As ctl does it, with a longer patience than it has here."""
        reader, writer = await asyncio.open_unix_connection(str(self.control))
        writer.write(b"POST /v1/upgrade HTTP/1.1\r\nHost: r\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        async with asyncio.timeout(4 * PATIENCE):
            raw = await reader.read()
        writer.close()
        head, _, body = raw.partition(b"\r\n\r\n")
        return Answer(int(head.split()[1]), {}, body)

    async def ask(self, path: str) -> Answer:
        return await ask(self.control, "GET", path)

    def stop(self) -> None:
        for _, pid in self.ready():
            with suppress(ProcessLookupError):
                os.kill(pid, 15)


async def becomes(look: Callable[[], Awaitable[object]], wanted: object) -> None:
    """Look again and again until it is what is wanted."""
    async with asyncio.timeout(PATIENCE):
        while await look() != wanted:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)


def environment(folder: Path, more: Mapping[str, str]) -> dict[str, str]:
    return {**os.environ, "XDG_STATE_HOME": str(folder / "state"), "XDG_RUNTIME_DIR": str(folder), **more}


async def started(folder: Path, file: Path, more: Mapping[str, str], *fds: int, log: str = "log") -> Service:
    """The process, not yet ready. It finds ``more`` in its environment, and the descriptors from 3 on."""
    command = [sys.executable, "-m", "proxy_core.control.cli", str(file), "--control", str(folder / "c.sock")]
    place = folder / log
    with place.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=out, stderr=out, env=environment(folder, more), pass_fds=fds
        )
    return Service(folder, file, process, place)


@asynccontextmanager
async def service(
    folder: Path, more: Mapping[str, str] | None = None, *, site: str = SITE
) -> AsyncIterator[tuple[Service, int]]:
    """A service that is ready, with two members; and its port."""
    enough = asyncio.Event()
    behaves = partial(member, enough)
    async with upstream(behaves) as one, upstream(behaves) as two:
        file = folder / "site.toml"
        file.write_text(site + members(one.port, two.port))
        made = await started(folder, file, more or {})
        made.enough = enough
        try:
            port, _ = await made.until_ready()
            yield made, port
        finally:
            made.stop()
            if made.process.returncode is None:
                with suppress(ProcessLookupError):
                    made.process.terminate()
            async with asyncio.timeout(PATIENCE):
                await made.process.wait()


def members(*ports: int) -> str:
    return "".join(f'\n[balancers.b.members.m{n}]\nurl = "http://127.0.0.1:{port}"\n' for n, port in enumerate(ports))


@dataclass(slots=True)
class Load:
    """What became of the requests of clients that come at a steady rate."""

    port: int
    rate: float
    answered: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    over: bool = False

    async def run(self) -> None:
        """Until ``over``: eight clients, every other on kept connections."""
        await asyncio.gather(*(self._client(number % 2 == 0) for number in range(8)))

    async def _client(self, keeps: bool) -> None:
        loop = asyncio.get_running_loop()
        due, streams = loop.time(), None
        close = b"" if keeps else b"Connection: close\r\n"
        while not self.over:
            due = max(due + 8 / self.rate, loop.time() - 1)
            await asyncio.sleep(due - loop.time())
            try:
                async with asyncio.timeout(PATIENCE):
                    if streams is None:
                        streams = await asyncio.open_connection("127.0.0.1", self.port)
                    reader, writer = streams
                    writer.write(b"GET /r HTTP/1.1\r\nHost: a\r\n%b\r\n" % close)
                    head = await reader.readuntil(b"\r\n\r\n")
                    body = await read_body(head, reader)
            except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                self.failed[f"{'kept' if keeps else 'new'}: {type(error).__name__}"] += 1
                if streams is not None:
                    streams[1].close()
                streams = None
                continue
            if b" 200 " in head[:15] and body == b"0":
                self.answered += 1
            else:
                self.failed[head[:15].decode()] += 1
            if not keeps or b"connection: close" in head.lower():
                writer.close()
                streams = None
        if streams is not None:
            streams[1].close()


@asynccontextmanager
async def load(port: int, rate: float) -> AsyncIterator[Load]:
    made = Load(port, rate)
    running = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        made.over = True
        await running


async def download(port: int, enough: asyncio.Event) -> bool:
    """Whether a download that lasts until ``enough`` came whole."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /download HTTP/1.1\r\nHost: a\r\n\r\n")
    body = await read_body(await reader.readuntil(b"\r\n\r\n"), reader)
    writer.close()
    return enough.is_set() and body == PART * (len(body) // len(PART))


async def upload(port: int, enough: asyncio.Event) -> bool:
    """The same of an upload."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /u HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n")
    parts = 0
    while not enough.is_set():
        writer.write(CHUNK)
        parts += 1
        await asyncio.sleep(0.05)
    writer.write(LAST)
    raw = await reader.read()
    writer.close()
    return raw.partition(b"\r\n\r\n")[2] == b"%d" % (parts * len(PART))


async def chat(port: int, enough: asyncio.Event) -> bool:
    """The same of a WebSocket, on which each message comes back before the next."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    key = base64.b64encode(bytes(16))
    writer.write(
        b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\n\r\n" % key
    )
    head = await reader.readuntil(b"\r\n\r\n")
    whole, number = b" 101 " in head[:15], 0
    while not enough.is_set():
        message = b"\x82\x04%04d" % (number % 10_000)
        number += 1
        writer.write(message)
        whole = whole and await reader.readexactly(6) == message
        await asyncio.sleep(0.05)
    writer.close()
    return whole
