"""Load: wrk for closed loops when it is installed, and clients of our own.

``closed`` keeps a number of connections busy and counts answers: it finds out what a request costs. ``steady`` sends
at fixed times whatever the answers do, and measures each from the time it was due, so that a server that stands
still cannot hide it by keeping the client waiting (coordinated omission). Our own run in a process of their own:
``python -m benchmarks.load steady PORT RATE SECONDS``.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from benchmarks.machine import OTHER_CORE, ROOT, settle_on
from benchmarks.rows import ROWS, Load

CONNECTIONS = 32


_KEY, ACCEPT = b"dGhlIHNhbXBsZSBub25jZQ==", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""Of RFC 6455 §1.3: the key of a client and what a server makes of it."""
MESSAGE = b"\x82\x64" + b"x" * 100
"""A message of a WebSocket as a server sends it."""
_MASKED = b"\x82\xe4" + bytes(4) + b"x" * 100
MASKED = len(_MASKED)
"""Bytes of one as a client sends it."""
_UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: benchmark\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\n\r\n" % _KEY
)


def closed(port: int, row: str, seconds: float, folder: Path) -> int:
    """Keep CONNECTIONS busy for about ``seconds`` with the load of a row; how many requests or messages were answered,
    all of them well."""
    load = cast(Load, ROWS[row].what)
    wrk = shutil.which("wrk")
    if not wrk or load.messages:
        return int(own("closed", port, row, seconds))
    script = folder / f"{row}.lua"
    script.write_text(_script(load))
    url = f"http{'s' * load.secure}://127.0.0.1:{port}{load.path}"
    said = _pinned([wrk, "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", "-s", str(script), url], seconds)
    answered = re.search(r"(\d+) requests in", said)
    if not answered or not int(answered[1]) or "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(f"wrk met errors:\n{said}")
    return int(answered[1])


def _script(load: Load) -> str:
    """A load in wrk's words."""
    lines = [f'wrk.method = "{load.method}"']
    lines += [f'wrk.headers["{name}"] = "{value}"' for name, value in load.fields.items()]
    if load.body:
        lines.append(f'wrk.body = string.rep("x", {load.body})')
    if load.unique:
        lines.append(f'local n = 0\nrequest = function() n = n + 1; return wrk.format(nil, "{load.path}?n=" .. n) end')
    return "\n".join(lines)


def own(kind: str, port: int, what: str | float, seconds: float) -> Any:
    """Run one of our own clients in its own process, on the core of the load, and return what it found."""
    return json.loads(
        _pinned([sys.executable, "-m", "benchmarks.load", kind, str(port), str(what), str(seconds)], seconds)
    )


def body_length(head: bytes | bytearray) -> int:
    """Content-Length of a head, 0 where there is none."""
    found = re.search(rb"\r\ncontent-length:[ \t]*(\d+)", head, re.IGNORECASE)
    return int(found[1]) if found else 0


class _Client(asyncio.Protocol):
    """A connection with at most one request in flight; ``done`` is called at the end of each answer."""

    def __init__(self, done: Callable[[_Client], None]) -> None:
        self._done = done
        self._head = bytearray()
        self._missing = 0
        self.due = 0.0
        """When the request in flight should have been sent; 0.0 when there is none."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._missing:
            self._missing -= len(data)
        else:
            self._head += data
            end = self._head.find(b"\r\n\r\n") + 4
            if end < 4:
                return
            if not self._head.startswith(b"HTTP/1.1 200"):
                _give_up(f"not 200: {bytes(self._head[:80])!r}")
            self._missing = end + body_length(self._head[:end]) - len(self._head)
            self._head.clear()
        if not self._missing:
            self._done(self)

    def connection_lost(self, error: Exception | None) -> None:
        if self.due:
            _give_up("a connection was lost while its answer was due")


def _give_up(why: str) -> None:
    """A benchmark with errors in it measures nothing; an exception would be caught by the event loop."""
    print(why, file=sys.stderr, flush=True)
    os._exit(1)


class _Talker(_Client):
    """A WebSocket with at most one message in flight."""

    def data_received(self, data: bytes) -> None:
        self._head += data
        if not self._missing:
            end = self._head.find(b"\r\n\r\n") + 4
            if end < 4:
                return
            if not self._head.startswith(b"HTTP/1.1 101"):
                _give_up(f"no WebSocket: {bytes(self._head[:80])!r}")
            del self._head[:end]
            self._missing = len(MESSAGE)
            self._done(self)
        elif len(self._head) >= self._missing:
            del self._head[: self._missing]
            self._done(self)


async def _closed(port: int, load: Load, seconds: float) -> int:
    context = None
    if load.secure:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    answered, until, loop = 0, time.monotonic() + seconds, asyncio.get_running_loop()
    kind, first = (_Talker, _UPGRADE) if load.messages else (_Client, load.request())
    opening = set[asyncio.Task[None]]()

    def request() -> bytes:
        return load.request(answered) if load.unique else _MASKED if load.messages else first

    def again(client: _Client) -> None:
        nonlocal answered
        answered += 1
        client.due = until if time.monotonic() < until else 0.0
        if client.due and not load.close:
            client.transport.write(request())
        elif load.close:
            more, client.due = client.due, 0.0
            client.transport.close()
            if more:
                opening.add(task := loop.create_task(connect()))
                task.add_done_callback(opening.discard)

    async def connect() -> None:
        _, client = await loop.create_connection(lambda: kind(again), "127.0.0.1", port, ssl=context)
        client.due = until
        client.transport.write(first)

    for _ in range(CONNECTIONS):
        await connect()
    await asyncio.sleep(seconds + 0.2)
    return answered - (CONNECTIONS if load.messages else 0)


async def _steady(port: int, request: bytes, rate: float, seconds: float) -> list[float]:
    loop = asyncio.get_running_loop()
    count = int(rate * seconds)
    latencies: list[float] = []
    idle: deque[_Client] = deque()
    opening: list[asyncio.Task[None]] = []
    finished = asyncio.Event()

    def answered(client: _Client) -> None:
        latencies.append(time.monotonic() - client.due)
        client.due = 0.0
        idle.append(client)
        if len(latencies) == count:
            finished.set()

    async def connect() -> _Client:
        return (await loop.create_connection(lambda: _Client(answered), "127.0.0.1", port))[1]

    def send(client: _Client, due: float) -> None:
        client.due = min(due, time.monotonic())  # timers of the loop may fire up to a millisecond early
        client.transport.write(request)

    async def connect_and_send(due: float) -> None:
        send(await connect(), due)

    idle.extend([await connect() for _ in range(CONNECTIONS)])
    started = time.monotonic() + 0.1
    for number in range(count):
        due = started + number / rate
        if (early := due - time.monotonic()) > 0:
            await asyncio.sleep(early)
        if idle:
            send(idle.popleft(), due)
        else:
            opening.append(asyncio.create_task(connect_and_send(due)))
    async with asyncio.timeout(10):
        await finished.wait()
    return latencies


def _pinned(command: list[str], seconds: float) -> str:
    """Run a client on the core of the load, with a deadline; what it printed."""
    done = subprocess.run(
        command, preexec_fn=lambda: settle_on(OTHER_CORE), cwd=ROOT,
        capture_output=True, text=True, timeout=seconds + 20, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def _main(kind: str, port: str, what: str, seconds: str) -> None:
    import uvloop

    gc.disable()
    if kind == "closed":
        found: object = uvloop.run(_closed(int(port), cast(Load, ROWS[what].what), float(seconds)))
    else:
        found = uvloop.run(_steady(int(port), Load().request(), float(what), float(seconds)))
    print(json.dumps(found))


if __name__ == "__main__":
    _main(*sys.argv[1:])
