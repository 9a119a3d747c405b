"""Something to look at: small upstreams for members that are not there, and gentle traffic for the listener.

Only for trying the console. Nothing here is on the path of a real request: a demo member is a server on its own
loopback port, and the traffic is a client of the proxy's own listener, so what the console shows is real. What
happens is drawn from seeds: the same members fall sick at the same minute of every demo, one at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import struct
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Literal, NamedTuple

from proxy_core.config.destination import destination
from proxy_core.config.model import Site
from proxy_core.http.target import origin

Mood = Literal["well", "slow", "failing"]

CYCLE = 240.0
"""Seconds from one sickness of a member to its next."""
SICK = 20.0
FIRST = 45.0
"""Seconds until the first member falls sick."""
WAVE = 40.0
"""Seconds from one crest of the traffic to the next."""
LONG = 0.004
"""Part of the answers that take their time, so that a drain has something to wait for."""
RETURNS = 0.4
"""Part of the visits whose client has been here before and brings its cookies."""
HEAD_LIMIT = 64 * 1024

_REASONS = {200: "OK", 404: "Not Found", 500: "Internal Server Error", 503: "Service Unavailable"}

# --- members ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Demo:
    """A running demo member."""

    host: str
    port: int
    servers: tuple[asyncio.Server, ...]
    clients: set[asyncio.Task[None]]

    async def close(self) -> None:
        """Stop listening and cut what is open."""
        for server in self.servers:
            server.close()
        for task in self.clients:
            task.cancel()
        await asyncio.gather(*self.clients, return_exceptions=True)
        for server in self.servers:
            await server.wait_closed()


async def start_members(site: Site) -> list[Demo]:
    """Start a member wherever the site names a loopback port that refuses connections; the ones started."""
    places = await refusing(site)
    started = []
    for number, (host, port) in enumerate(places):
        with contextlib.suppress(OSError):  # somebody else took the port a moment ago: then it has a server
            started.append(await start_member(host, port, turn=number / len(places)))
    return started


async def refusing(site: Site) -> list[tuple[str, int]]:
    """Host and port of each loopback upstream that the site names and that refuses connections now."""
    return [place for place in loopback_places(site) if await _refuses(*place)]


def loopback_places(site: Site) -> list[tuple[str, int]]:
    """Host and port of each loopback upstream that the site names, in the order of the file."""
    urls = [pool for route in site.routes if (pool := destination(route)[0]) is not None and "://" in pool]
    urls += [member.url for balancer in site.balancers.values() for member in balancer.members.values()]
    places: dict[tuple[str, int], None] = {}
    for url in urls:
        with contextlib.suppress(ValueError):
            upstream = origin(url)
            if upstream.host == "localhost" or upstream.host == "::1" or upstream.host.startswith("127."):
                places[upstream.host, upstream.port] = None
    return list(places)


async def start_member(host: str, port: int, turn: float = 0.0) -> Demo:
    """One member. ``turn`` (0 to 1) is where in the cycle its sick time lies. OSError when the port is taken."""
    clients: set[asyncio.Task[None]] = set()
    started = time.monotonic()
    random = Random(port)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await _answer_one(reader, writer, random, mood_at(time.monotonic() - started, turn)):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            pass  # the other side left or talks nonsense: a demo has nothing to say to that
        finally:
            writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # No coroutine for asyncio to start: it would report one that is cancelled, even before its first step.
        task = asyncio.create_task(serve(reader, writer))
        clients.add(task)
        task.add_done_callback(clients.discard)

    # localhost has two addresses, of which a machine may lack one.
    addresses = ("127.0.0.1", "::1") if host == "localhost" else (host,)
    servers, refused = [], OSError()
    for address in addresses:
        try:
            servers.append(await asyncio.start_server(accept, address, port, limit=HEAD_LIMIT))
        except OSError as error:
            refused = error
    if not servers:
        raise refused
    return Demo(host, servers[0].sockets[0].getsockname()[1], tuple(servers), clients)


def mood_at(elapsed: float, turn: float) -> Mood:
    """How a member is, ``elapsed`` seconds after its start: sick for SICK seconds in each CYCLE, slow and failing by
    turns."""
    cycle, phase = divmod(elapsed - FIRST - turn * CYCLE, CYCLE)
    if cycle < 0 or phase >= SICK:
        return "well"
    return "slow" if (cycle + round(turn * 2)) % 2 == 0 else "failing"


class Answer(NamedTuple):
    """``lasts`` is how many seconds the body takes."""

    status: int
    size: int
    delay: float
    lasts: float = 0.0


def answer_for(random: Random, mood: Mood) -> Answer:
    """What a member says next: mostly good and quick, of varied size."""
    luck = random.random()
    size = min(60_000, int(random.lognormvariate(6.5, 1.4)))
    delay = random.expovariate(1 / 0.008)
    if mood == "slow":
        delay += random.uniform(0.3, 1.2)
    elif luck < 0.02:
        delay = random.uniform(0.3, 1.5)
    if mood == "failing" and random.random() < 0.7:
        return Answer(503, 60, delay)
    if luck > 0.99:
        return Answer(500, 80, delay)
    if luck > 0.96:
        return Answer(404, 70, delay)
    return Answer(200, size, delay, random.uniform(5.0, 40.0) if random.random() < LONG else 0.0)


async def _answer_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, random: Random, mood: Mood) -> bool:
    """Read a request and answer it; False when the connection is over."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    await _skip_body(reader, head)
    answer = answer_for(random, mood)
    await asyncio.sleep(answer.delay)
    port = writer.get_extra_info("sockname")[1]
    body = (f"Server response, port {port}.\n" if answer.status == 200 else f"{_REASONS[answer.status]}\n").encode()
    body += (b"." * 79 + b"\n") * ((answer.size - len(body)) // 80)
    close = b"\r\nconnection: close" in head or b" http/1.0\r\n" in head
    reason, hop = _REASONS[answer.status].encode(), b"Connection: close\r\n" if close else b""
    fields = b"Content-Type: text/plain\r\nContent-Length: %d\r\n%b\r\n" % (len(body), hop)
    asked_for = b"" if head.startswith(b"head ") else body
    await _send(writer, b"HTTP/1.1 %d %b\r\n%b" % (answer.status, reason, fields), asked_for, answer.lasts)
    return not close


async def _send(writer: asyncio.StreamWriter, head: bytes, body: bytes, lasts: float) -> None:
    """The answer in one piece, or its body a little at a time over ``lasts`` seconds."""
    pieces = max(1, min(int(lasts * 2), len(body)))
    size = -(-len(body) // pieces) or 1
    writer.write(head + body[:size])
    for start in range(size, len(body), size):
        await writer.drain()
        await asyncio.sleep(lasts / pieces)
        writer.write(body[start : start + size])
    await writer.drain()


async def _skip_body(reader: asyncio.StreamReader, head: bytes) -> None:
    if b"\r\ntransfer-encoding:" in head:
        while size := int((await reader.readline()).split(b";")[0], 16):
            await reader.readexactly(size + 2)
        while (await reader.readline()).strip():
            pass
    elif b"\r\ncontent-length:" in head:
        await reader.readexactly(int(head.partition(b"\r\ncontent-length:")[2].split(b"\r\n")[0]))


async def _refuses(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), 0.5)
    except TimeoutError:
        return False
    except OSError:
        return True
    writer.close()
    return False


# --- traffic ---------------------------------------------------------------------------------------------------------


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
    taken = [route.path.rstrip("/") for route in site.routes if route.proxy and route.path] or [""]
    excepted = [route.path for route in site.routes if route.except_ and route.path] or ["/"]
    at = 0.0
    while True:
        asks = tuple(_ask(random, taken, excepted) for _ in range(random.choice((1, 1, 2, 3))))
        now = rate * (1 + 2 / 3 * math.sin(2 * math.pi * at / WAVE))
        after = random.expovariate(now / 1.75)
        at += after
        yield Visit(after, f"127.0.0.{random.randint(10, 40)}", random.choice(_AGENTS), asks, random.random() < RETURNS)


def _ask(random: Random, taken: list[str], excepted: list[str]) -> Ask:
    luck = random.random()
    if luck < 0.03:
        return Ask("GET", random.choice(_NEVER), b"", False)
    if luck < 0.06:
        return Ask("GET", random.choice(excepted), b"", False)
    path = random.choice(taken) + random.choice(_PAGES) or "/"
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
    await _skip_body(reader, head)
    if b"\r\nconnection: close" in head:
        raise asyncio.IncompleteReadError(b"", None)
