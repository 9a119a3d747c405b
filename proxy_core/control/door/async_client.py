"""Questions to a service through its socket, asked by a loop: for who must not wait. ``client`` is for who may.

Made of the same table as the door and the client. A question that is given up (its task is cancelled) costs its
connection and nothing else. How long the first byte of an answer takes is measured with each question; where that is
long, answers are asked for in a form that takes a small part of the room. Nothing is asked twice here: only who asks
knows what a second time would do.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
from msgspec import DecodeError
from msgspec.json import decode

from proxy_core.control.door.client import ENDPOINT_OF, NobodyThere, denial, url_of
from proxy_core.control.door.endpoints import WatchLine, WatchQuery

SLOW = 0.05
"""Seconds of delay from which a line is slow."""
SILENT = 15.0
"""Seconds without a byte after which a question is given up; in a watch a sign of life comes more often."""
CONNECT = 10.0
"""Seconds that a connection may take."""
CONNECTIONS = 8
LONGEST_LINE = 1024 * 1024
"""Bytes of a line in a watch."""
_LATELY = 0.3
"""How much the newest measure counts."""


class CutOff(NobodyThere):
    """The service was asked, and no answer came: what it has done is not known."""


class DoorLine:
    """The line to the socket at ``path``. ``delay`` is how long the first byte of an answer takes, in seconds;
    ``heard`` is when the last byte came (monotonic), ``waiting`` how many questions wait for theirs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.delay = 0.0
        self.heard = time.monotonic()
        self.waiting = 0
        self._session: aiohttp.ClientSession | None = None

    @property
    def slow(self) -> bool:
        return self.delay > SLOW

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def ask(
        self, name: str, *, names: Mapping[str, str] | None = None, query: Any = None, body: bytes | None = None,
        on: int = 0,
    ) -> Any:  # fmt: skip
        """The answer, of the type that the table says. Raises NobodyThere, CutOff and Denied."""
        endpoint = ENDPOINT_OF[name]
        fields = {aiohttp.hdrs.ACCEPT_ENCODING: "deflate" if self.slow else "identity"}
        if on:
            fields[aiohttp.hdrs.IF_MATCH] = f'"{on}"'
        began = time.monotonic()
        if not self.waiting:
            self.heard = began
        self.waiting += 1
        try:
            url = f"http://rproxy{url_of(endpoint, names or {}, query)}"
            async with self._open.request(endpoint.method, url, data=body, headers=fields) as answer:
                self._hear(began)
                data = bytearray()
                async for part in answer.content.iter_any():
                    self.heard = time.monotonic()
                    data += part
                if answer.status != 200:
                    raise denial(answer.status, bytes(data))
            return data.decode() if endpoint.answer is str else decode(data, type=endpoint.answer)
        except (aiohttp.ClientError, OSError, DecodeError, UnicodeDecodeError) as error:
            raise self._nobody(error) from None
        finally:
            self.waiting -= 1

    async def watch(self) -> AsyncIterator[WatchLine]:
        """What happens from now on, until the service ends."""
        endpoint = ENDPOINT_OF["watch"]
        url = f"http://rproxy{url_of(endpoint, {}, WatchQuery())}"
        try:
            async with self._open.request(endpoint.method, url) as answer:
                if answer.status != 200:
                    raise denial(answer.status, await answer.read())
                while line := await answer.content.readline():
                    yield decode(line, type=WatchLine)
        except (aiohttp.ClientError, OSError, DecodeError, ValueError) as error:
            raise self._nobody(error) from None

    @property
    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.UnixConnector(str(self.path), limit=CONNECTIONS),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT, sock_read=SILENT),
                read_bufsize=LONGEST_LINE,
            )
        return self._session

    def _hear(self, began: float) -> None:
        self.heard = time.monotonic()
        took = self.heard - began
        self.delay = took if not self.delay else self.delay + (took - self.delay) * _LATELY

    def _nobody(self, error: Exception) -> NobodyThere:
        if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
            why = error.os_error.strerror if isinstance(error, aiohttp.ClientConnectorError) else "it does not accept"
            return NobodyThere(f"no service answers at {self.path}: {why}")
        if isinstance(error, DecodeError):
            return CutOff(f"what {self.path} answers is not understood: {error}")
        why = "it is silent" if isinstance(error, TimeoutError) else "it was cut off"
        return CutOff(f"no answer came from {self.path}: {why}")


async def ended(*tasks: asyncio.Task[None]) -> None:
    """Cancel tasks and wait for their end."""
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
