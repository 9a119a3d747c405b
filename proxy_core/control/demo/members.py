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
from http import HTTPStatus
from random import Random
from typing import TYPE_CHECKING, Literal, NamedTuple

from proxy_core.config.destination import destination, service
from proxy_core.config.model import Site
from proxy_core.http.target import endpoint, origin

if TYPE_CHECKING:
    from aiohttp import web

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
"""Bytes of a request line or field that a member takes."""
CUT = 0.01
"""Seconds that requests have left when a member goes (0 would be no end)."""
SLOTS = 20
"""Requests that a member says it can take at once."""


class DemoMember:
    """A small server of aiohttp's, which is imported only where one is made. It listens except while it is ``gone``;
    ``turn`` (0 to 1) is where in the cycle its sick time lies; ``beats`` is where it reports its load, None for
    nowhere. Made where a loop runs."""

    def __init__(self, host: str, port: int, turn: float = 0.0, beats: tuple[str, int] | None = None) -> None:
        from aiohttp import web

        self.host = host
        self.port = port
        self._turn = turn
        self._beats = beats
        self._started = time.monotonic()
        self._random = Random(port)
        self._servers: list[asyncio.Server] = []
        self._connections = web.Server(
            self._answer, access_log=None, max_line_size=HEAD_LIMIT, max_field_size=HEAD_LIMIT
        )
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
                    busy = len(self._connections.connections)
                    report = f"v=1&ready={max(0, SLOTS - busy)}&busy={busy}&port={self.port}"
                    with contextlib.suppress(OSError):
                        reports.sendto(report.encode(), self._beats)

    async def _listen(self) -> None:
        # localhost has two addresses, of which a machine may lack one.
        addresses = ("127.0.0.1", "::1") if self.host == "localhost" else (self.host,)
        refused = OSError()
        for address in addresses:
            try:
                server = await asyncio.get_running_loop().create_server(self._connections, address, self.port)
                self._servers.append(server)
            except OSError as error:
                refused = error
        if not self._servers:
            raise refused

    async def _leave(self) -> None:
        servers, self._servers = self._servers, []
        for server in servers:
            server.close()
        await self._connections.shutdown(CUT)
        for server in servers:
            await server.wait_closed()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        from aiohttp import web

        while await request.content.readany():
            pass
        page = page_for(self._random, self.mood)
        await asyncio.sleep(page.delay)
        line = f"Server response, port {self.port}.\n" if page.status == 200 else f"{HTTPStatus(page.status).phrase}\n"
        body = line.encode() + (b"." * 79 + b"\n") * ((page.size - len(line)) // 80)
        if not page.lasts or request.method == "HEAD":
            return web.Response(status=page.status, body=body, content_type="text/plain")
        answer = web.StreamResponse(status=page.status, headers={"Content-Type": "text/plain"})
        answer.content_length = len(body)
        await answer.prepare(request)
        pieces = max(1, min(int(page.lasts * 2), len(body)))
        size = -(-len(body) // pieces)
        for start in range(0, len(body), size):
            await answer.write(body[start : start + size])
            await asyncio.sleep(page.lasts / pieces)
        return answer


async def start_members(site: Site) -> list[DemoMember]:
    """Start a member wherever the site names a loopback port that refuses connections; the ones started."""
    beats = endpoint(site.heartbeat.address) if site.heartbeat is not None else None
    places = await refusing(site)
    started = []
    for number, (host, port) in enumerate(places):
        member = DemoMember(host, port, number / len(places), beats)
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
    urls += [pool for each in site.forward_auth.values() if "://" in (pool := service(each.url)[0])]
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


class DemoPage(NamedTuple):
    """An answer to be given after ``delay`` seconds, of about ``size`` bytes, whose body ``lasts`` so many seconds."""

    status: int
    size: int
    delay: float
    lasts: float = 0.0


def page_for(random: Random, mood: Mood) -> DemoPage:
    """What a member says next: mostly good and quick, of varied size."""
    luck = random.random()
    size = min(60_000, int(random.lognormvariate(6.5, 1.4)))
    delay = random.expovariate(1 / 0.008)
    if mood == "slow":
        delay += random.uniform(0.3, 1.2)
    elif luck < 0.02:
        delay = random.uniform(0.3, 1.5)
    if mood == "failing" and random.random() < 0.7:
        return DemoPage(503, 60, delay)
    if luck > 0.99:
        return DemoPage(500, 80, delay)
    if luck > 0.96:
        return DemoPage(404, 70, delay)
    return DemoPage(200, size, delay, random.uniform(5.0, 40.0) if random.random() < LONG else 0.0)


async def _refuses(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), 0.5)
    except TimeoutError:
        return False
    except OSError:
        return True
    writer.close()
    return False
