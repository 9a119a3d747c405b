"""Traffic to look at: visits to the site's first listener, for routes and rewrite rules alike.

Only for trying the console. The traffic is a client of the proxy's own listener, so what the console shows is real.
What happens is drawn from seeds: every demo of a site sees the same visits.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import struct
import sys
from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from proxy_core.config.model import Site
from proxy_core.rules.text import pattern

WAVE = 40.0
"""Seconds from one crest of the traffic to the next."""
RETURNS = 0.4
"""Part of the visits whose client has been here before and brings its cookies."""


class Ask(NamedTuple):
    """One request of a visit. A client that ``leaves`` does not wait for the answer."""

    method: str
    path: str
    body: bytes
    leaves: bool


class Visit(NamedTuple):
    """A client that comes ``after`` seconds, asks one thing after another on one connection, and goes. One that
    ``returns`` brings the cookies that its address was given."""

    after: float
    address: str
    user_agent: str
    asks: tuple[Ask, ...]
    returns: bool = False


_AGENTS = ("Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0", "curl/8.14.1", "python-requests/2.32", "Googlebot/2.1")
_PAGES = ("", "/", "/cart", "/list?page=2", "/item/1742", "/search?q=blue+shoes", "/api/v1/orders", "/img/logo.svg")
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER that turns a close into a reset: a client that is gone, not one that has finished asking."""
_NEVER = ("/favicon.ico", "/wp-login.php", "/.env")


def visits(site: Site, rate: float, seed: int = 1) -> Iterator[Visit]:
    """Visits without end, about ``rate`` requests a second in calm waves between a third and five thirds of it."""
    random = Random(seed)
    taken = [route.path.rstrip("/") + page for route in site.routes if route.proxy and route.path for page in _PAGES]
    taken = [path or "/" for path in taken] + _rewritten(site) or list(_PAGES[1:])
    excepted = [route.path for route in site.routes if route.except_ and route.path] or ["/"]
    at = 0.0
    while True:
        asks = tuple(_ask(random, taken, excepted) for _ in range(random.choice((1, 1, 2, 3))))
        now = rate * (1 + 2 / 3 * math.sin(2 * math.pi * at / WAVE))
        after = random.expovariate(now / 1.75)
        at += after
        yield Visit(after, f"127.0.0.{random.randint(10, 40)}", random.choice(_AGENTS), asks, random.random() < RETURNS)


def _rewritten(site: Site) -> list[str]:
    """Paths that rewrite rules wait for, as far as their patterns spell out how these begin."""
    found = []
    for row in site.rewrites:
        with contextlib.suppress(pattern.PatternError, pattern.Runaway):
            compiled = pattern.compile(row.pattern)
            if row.enabled and compiled.prefix.startswith("/"):
                paths = [compiled.prefix.rstrip("/") + page for page in _PAGES]
                found += [path for path in paths if compiled.search(path.partition("?")[0])]
    return found


def _ask(random: Random, taken: list[str], excepted: list[str]) -> Ask:
    luck = random.random()
    if luck < 0.03:
        return Ask("GET", random.choice(_NEVER), b"", False)
    if luck < 0.06:
        return Ask("GET", random.choice(excepted), b"", False)
    path = random.choice(taken)
    if luck < 0.14:
        return Ask("POST", path, b"x" * random.randint(20, 4_000), False)
    return Ask("GET", path, b"", luck > 0.99)


async def traffic(port: int, site: Site, rate: float = 15.0, host: str = "127.0.0.1") -> None:
    """Visit the listener until cancelled; then every client has gone. Errors are part of the show."""
    clients: set[asyncio.Task[None]] = set()
    jars: dict[str, dict[str, str]] = {}
    try:
        for visit in visits(site, rate):
            await asyncio.sleep(visit.after)
            jar = jars.setdefault(visit.address, {}) if visit.returns else {}
            task = asyncio.create_task(_visit(visit, host, port, jar))
            clients.add(task)
            task.add_done_callback(clients.discard)
    finally:
        for task in clients:
            task.cancel()
        await asyncio.gather(*clients, return_exceptions=True)


async def _visit(visit: Visit, host: str, port: int, jar: dict[str, str]) -> None:
    # Every 127.x.y.z is loopback on Linux alone; elsewhere all clients share one address.
    source = (visit.address, 0) if sys.platform == "linux" and host == "127.0.0.1" else None
    try:
        reader, writer = await asyncio.open_connection(host, port, local_addr=source)
    except OSError:
        return
    try:
        for ask in visit.asks:
            length = f"Content-Length: {len(ask.body)}\r\n" if ask.body else ""
            head = f"{ask.method} {ask.path} HTTP/1.1\r\nHost: localhost:{port}\r\nUser-Agent: {visit.user_agent}\r\n"
            cookies = f"Cookie: {'; '.join(f'{name}={value}' for name, value in jar.items())}\r\n" if jar else ""
            writer.write(f"{head}{cookies}{length}\r\n".encode() + ask.body)
            if ask.leaves:
                await asyncio.sleep(0.002)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                return
            await _read_answer(reader, jar)
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
        pass  # cut off: the proxy's log says why
    finally:
        writer.close()


async def _read_answer(reader: asyncio.StreamReader, jar: dict[str, str]) -> None:
    given = await reader.readuntil(b"\r\n\r\n")
    for line in given.decode("latin-1").split("\r\n"):
        if line.lower().startswith("set-cookie:"):
            name, _, value = line[11:].partition(";")[0].strip().partition("=")
            jar[name] = value
    head = given.lower()
    await skip_body(reader, head)
    if b"\r\nconnection: close" in head:
        raise asyncio.IncompleteReadError(b"", None)


async def skip_body(reader: asyncio.StreamReader, head: bytes) -> None:
    """Read past the body of a message with this head, in lower case. Raises ValueError for a size that is none."""
    if b"\r\ntransfer-encoding:" in head:
        while size := int((await reader.readline()).split(b";")[0], 16):
            await reader.readexactly(size + 2)
        while (await reader.readline()).strip():
            pass
    elif b"\r\ncontent-length:" in head:
        await reader.readexactly(int(head.partition(b"\r\ncontent-length:")[2].split(b"\r\n")[0]))
