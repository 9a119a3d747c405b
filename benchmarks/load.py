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
from typing import Any, NamedTuple, cast

from benchmarks.machine import OTHER_CORE, ROOT, settle_on

CONNECTIONS = 32


class Case(NamedTuple):
    """A kind of request; ``secure``: over TLS."""

    method: str
    path: str
    body: int
    secure: bool = False

    def request(self) -> bytes:
        length = f"Content-Length: {self.body}\r\n" if self.body else ""
        head = (
            f"{self.method} {self.path} HTTP/1.1\r\nHost: benchmark\r\nUser-Agent: load\r\nAccept: */*\r\n{length}\r\n"
        )
        return head.encode() + b"x" * self.body


CASES = {
    "1 KiB GET": Case("GET", "/1k", 0),
    "1 KiB POST": Case("POST", "/1k", 1024),
    "100 KiB GET": Case("GET", "/100k", 0),
    "1 KiB over TLS": Case("GET", "/1k", 0, secure=True),
    "1 KiB from a TLS member": Case("GET", "/secure/1k", 0),
}


def closed(port: int, case: str, seconds: float, folder: Path) -> int:
    """Keep CONNECTIONS busy for about ``seconds``; how many requests were answered, all of them with 200."""
    wrk = shutil.which("wrk")
    if not wrk:
        return int(own("closed", port, case, seconds))
    method, path, body, secure = CASES[case]
    script = folder / f"{method}.lua"
    script.write_text(f'wrk.method = "{method}"\nwrk.body = {f"string.rep([[x]], {body})" if body else "nil"}\n')
    url = f"http{'s' * secure}://127.0.0.1:{port}{path}"
    said = _pinned([wrk, "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", "-s", str(script), url], seconds)
    answered = re.search(r"(\d+) requests in", said)
    if not answered or "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(f"wrk met errors:\n{said}")
    return int(answered[1])


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


async def _closed(port: int, case: Case, seconds: float) -> int:
    request, context = case.request(), None
    if case.secure:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    answered, until, loop = 0, time.monotonic() + seconds, asyncio.get_running_loop()

    def again(client: _Client) -> None:
        nonlocal answered
        answered += 1
        client.due = until if time.monotonic() < until else 0.0
        if client.due:
            client.transport.write(request)

    for _ in range(CONNECTIONS):
        _, client = await loop.create_connection(lambda: _Client(again), "127.0.0.1", port, ssl=context)
        client.due = until
        client.transport.write(request)
    await asyncio.sleep(seconds + 0.2)
    return answered


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
        found: object = uvloop.run(_closed(int(port), CASES[what], float(seconds)))
    else:
        found = uvloop.run(_steady(int(port), CASES["1 KiB GET"].request(), float(what), float(seconds)))
    print(json.dumps(found))


if __name__ == "__main__":
    _main(*sys.argv[1:])
