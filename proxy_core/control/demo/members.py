"""Servers to look at: a small upstream for each loopback member of the site that is not there.

Only for trying the console. Nothing here is on the path of a real request: a demo member is a server on its own
loopback port, so what the console shows is real. What happens is drawn from seeds: the same members fall sick at the
same minute of every demo, one at a time. They report their load where the site listens for heartbeats.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from random import Random
from typing import Literal, NamedTuple

from proxy_core.config.destination import destination
from proxy_core.config.model import Site
from proxy_core.http.target import endpoint, origin

Mood = Literal["well", "slow", "failing", "gone"]

SICKNESSES: tuple[Mood, ...] = ("slow", "failing", "gone")
CYCLE = 240.0
"""Seconds from one sickness of a member to its next."""
SICK = 20.0
FIRST = 45.0
"""Seconds until the first member falls sick."""
BEAT = 0.5
"""Seconds from one look at a member's mood to the next, and from one heartbeat to the next."""
LONG = 0.004
"""Part of the answers that take their time, so that a drain has something to wait for."""
HEAD_LIMIT = 64 * 1024
SLOTS = 20
"""Requests that a member says it can take at once."""

_REASONS = {200: "OK", 404: "Not Found", 500: "Internal Server Error", 503: "Service Unavailable"}


class Demo:
    """A running demo member. It listens except while it is ``gone``; ``turn`` (0 to 1) is where in the cycle its sick
    time lies; ``beats`` is where it reports its load, None for nowhere."""

    def __init__(self, host: str, port: int, turn: float = 0.0, beats: tuple[str, int] | None = None) -> None:
        self.host = host
        self.port = port
        self._turn = turn
        self._beats = beats
        self._started = time.monotonic()
        self._random = Random(port)
        self._servers: list[asyncio.Server] = []
        self._clients: set[asyncio.Task[None]] = set()
        self._living: asyncio.Task[None] | None = None

    @property
    def mood(self) -> Mood:
        return mood_at(time.monotonic() - self._started, self._turn)

    async def open(self) -> None:
        """Listen. OSError when the port is taken."""
        await self._listen()
        self.port = self._servers[0].sockets[0].getsockname()[1]
        self._living = asyncio.create_task(self._live())

    async def close(self) -> None:
        """Stop listening and cut what is open."""
        if self._living is not None:
            self._living.cancel()
        await self._leave()

    async def _live(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as reports:
            reports.setblocking(False)
            while True:
                await asyncio.sleep(BEAT)
                gone = self.mood == "gone"
                if gone and self._servers:
                    await self._leave()
                elif not gone and not self._servers:
                    with contextlib.suppress(OSError):  # somebody else took the port: tried again at the next beat
                        await self._listen()
                if self._beats is not None and not gone:
                    busy = len(self._clients)
                    said = f"v=1&ready={max(0, SLOTS - busy)}&busy={busy}&port={self.port}"
                    with contextlib.suppress(OSError):
                        reports.sendto(said.encode(), self._beats)

    async def _listen(self) -> None:
        # localhost has two addresses, of which a machine may lack one.
        addresses = ("127.0.0.1", "::1") if self.host == "localhost" else (self.host,)
        refused = OSError()
        for address in addresses:
            try:
                self._servers.append(await asyncio.start_server(self._accept, address, self.port, limit=HEAD_LIMIT))
            except OSError as error:
                refused = error
        if not self._servers:
            raise refused

    async def _leave(self) -> None:
        servers, self._servers = self._servers, []
        for server in servers:
            server.close()
        for task in self._clients:
            task.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        for server in servers:
            await server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # No coroutine for asyncio to start: it would report one that is cancelled, even before its first step.
        task = asyncio.create_task(self._serve(reader, writer))
        self._clients.add(task)
        task.add_done_callback(self._clients.discard)
        task.add_done_callback(lambda _: writer.close())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await _answer_one(reader, writer, self._random, self.mood):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            pass  # the other side left or talks nonsense: a demo has nothing to say to that


async def start_members(site: Site) -> list[Demo]:
    """Start a member wherever the site names a loopback port that refuses connections; the ones started."""
    beats = endpoint(site.heartbeat.address) if site.heartbeat is not None else None
    places = await refusing(site)
    started = []
    for number, (host, port) in enumerate(places):
        member = Demo(host, port, number / len(places), beats)
        with contextlib.suppress(OSError):  # somebody else took the port a moment ago: then it has a server
            await member.open()
            started.append(member)
    return started


async def refusing(site: Site) -> list[tuple[str, int]]:
    """Host and port of each loopback upstream that the site names and that refuses connections now."""
    return [place for place in loopback_places(site) if await _refuses(*place)]


def loopback_places(site: Site) -> list[tuple[str, int]]:
    """Host and port of each loopback upstream that the site names, in the order of the file."""
    urls = [row.substitution for row in site.rewrites if row.substitution]
    urls += [pool for route in site.routes if (pool := destination(route)[0]) is not None and "://" in pool]
    urls += [member.url for balancer in site.balancers.values() for member in balancer.members.values()]
    places: dict[tuple[str, int], None] = {}
    for url in urls:
        with contextlib.suppress(ValueError):  # a rewrite may make its URL of what only a request knows
            upstream = origin("/".join(url.split("/", 3)[:3]))
            if upstream.host == "localhost" or upstream.host == "::1" or upstream.host.startswith("127."):
                places[upstream.host, upstream.port] = None
    return list(places)


def mood_at(elapsed: float, turn: float) -> Mood:
    """How a member is, ``elapsed`` seconds after its start: sick for SICK seconds in each CYCLE, slow, failing and
    gone by turns."""
    cycle, phase = divmod(elapsed - FIRST - turn * CYCLE, CYCLE)
    if cycle < 0 or phase >= SICK:
        return "well"
    return SICKNESSES[(int(cycle) + round(turn * 3)) % 3]


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
    await skip_body(reader, head)
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


async def skip_body(reader: asyncio.StreamReader, head: bytes) -> None:
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
