"""A service behind its door, and a console's view of it at the far end: what the tests of attaching share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from proxy_core.control.door.async_client import DoorLine
from proxy_core.control.door.remote_view import RemoteView


@asynccontextmanager
async def attached(path: Path) -> AsyncIterator[RemoteView]:
    view = RemoteView(DoorLine(path))
    try:
        await view.open()
        yield view
    finally:
        await view.close()


class Relay:
    """A slow line: a socket at ``path`` that hands on to ``to``, each byte ``delay`` seconds later (there and back:
    twice that), and so many ``rate`` bytes a second each way. ``cut`` ends what is open."""

    def __init__(self, path: Path, to: Path, delay: float = 0.0, rate: float = 1e9) -> None:
        self.path, self._to, self._delay, self._rate = path, to, delay, rate
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._free = {"there": 0.0, "back": 0.0}
        self.carried = 0

    async def __aenter__(self) -> Relay:
        self._server = await asyncio.start_unix_server(self._serve, self.path)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            far_reader, far_writer = await asyncio.open_unix_connection(str(self._to))
        except OSError:
            writer.close()
            return
        self._open.add(far_writer)
        for way, source, target in (("there", reader, far_writer), ("back", far_reader, writer)):
            lane = asyncio.Queue[tuple[float, bytes]]()
            for coroutine in (self._take(way, source, lane), self._give(lane, target)):
                task = asyncio.create_task(coroutine)
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _take(self, way: str, source: asyncio.StreamReader, lane: asyncio.Queue[tuple[float, bytes]]) -> None:
        """All connections share the room of the line."""
        now = asyncio.get_running_loop().time
        try:
            while data := await source.read(512):
                self.carried += len(data)
                self._free[way] = max(self._free[way], now()) + len(data) / self._rate
                await asyncio.sleep(self._free[way] - now())
                lane.put_nowait((now() + self._delay, data))
        except OSError:
            pass
        lane.put_nowait((now() + self._delay, b""))

    async def _give(self, lane: asyncio.Queue[tuple[float, bytes]], target: asyncio.StreamWriter) -> None:
        now = asyncio.get_running_loop().time
        try:
            while True:
                due, data = await lane.get()
                await asyncio.sleep(due - now())
                if not data:
                    break
                target.write(data)
                await target.drain()
        except OSError:
            pass
        target.close()


async def until(true: Callable[[], object], what: str, seconds: float = 20.0) -> None:
    """Wait for what comes over a line."""
    end = asyncio.get_running_loop().time() + seconds
    while not true():
        assert asyncio.get_running_loop().time() < end, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.01)
