"""Listeners of their own beside those for requests: the pages for programs, and where heartbeats come in.

aiohttp's own server does both: they are off the request path, and a reader who is slow, or comes too often, is no
business of the requests. The pages are texts, made anew for each reader: GET and HEAD; everything else is 404 or 405.
Heartbeats come in as with HeartbeatListen and the handler of mod_heartmonitor: at a UDP port, with its multicast group
where the address is one, and by HTTP POST beside it. Whoever reaches the address is believed, so it belongs into a
network of one's own. A datagram that is no report is dropped without a word; a POST gets 400.

Both answer only where Host names them: by the address that the request came to, by loopback, or by a name of the site's
choosing. A browser that was led here under the name of some web page (DNS rebinding) gets 421 and reads nothing.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from functools import partial
from ipaddress import ip_address
from typing import Any

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from msgspec import Struct

from proxy_core.balance.heartbeat import LONGEST, LoadReport, report
from proxy_core.http.syntax import host_name
from proxy_core.http.target import endpoint
from proxy_core.rules.access.networks import parse
from proxy_core.serve.listening_sockets import HEARTBEAT, METRICS, InheritedSockets, listening_sockets

TextPage = tuple[str, Callable[[], tuple[int, str]]]
"""What a path answers: its type, and what gives the status and the text, anew for each reader."""
Told = Callable[[LoadReport, str], None]
"""Gets each report with its sender's address."""
Names = Callable[[], Collection[str]]
"""Gives the names that are answered to beside addresses."""


class AuxiliaryListener(Struct, frozen=True):
    """``address`` is as configured, ``port`` the real one where that says 0."""

    address: str
    port: int
    sockets: tuple[socket.socket, ...]
    close: Callable[[], Coroutine[Any, Any, None]]


async def serve_pages(
    address: str, pages: Mapping[str, TextPage], names: Names = tuple, inherited: InheritedSockets | None = None
) -> AuxiliaryListener:
    """Listen on ``address`` and answer ``pages``, each by its path; on a socket that was ``inherited`` where one fits.
    Raises OSError or ValueError, each with words for people."""
    host, port = endpoint(address)

    async def answer(page: TextPage, _: web.Request) -> web.Response:
        content_type, made = page
        status, text = made()
        return web.Response(status=status, body=text.encode(), headers={"Content-Type": content_type})

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await handler(request) if _names_us(request, names()) else _misdirected()

    application = web.Application(client_max_size=1, middlewares=[guard])
    for path, page in pages.items():
        application.router.add_get(path, partial(answer, page))
    runner = web.AppRunner(application, access_log=None, keepalive_timeout=75, shutdown_timeout=0.5)
    sockets = await listening_sockets(host, port, METRICS, inherited or InheritedSockets())
    await _accept(runner, sockets)
    return AuxiliaryListener(address, sockets[0].getsockname()[1], tuple(sockets), runner.cleanup)


def _names_us(request: web.BaseRequest, names: Collection[str]) -> bool:
    """Whether a request is for us by its Host. One without Host comes from no browser."""
    said = request.headers.getall(hdrs.HOST, [])
    if len(said) > 1 or not request.raw_path.startswith("/") or request.transport is None:
        return False
    host = host_name(said[0]) if said else "localhost"
    if host in map(host_name, names):
        return True
    address = parse(host.strip("[]"))
    if address is None:
        return host == "localhost" or host.endswith(".localhost")  # RFC 6761 §6.3
    return address.is_loopback or address == parse(request.transport.get_extra_info("sockname")[0])


def _misdirected() -> web.Response:
    text = "this page answers to the address that it listens on, to localhost, and to its names in the site file\n"
    return web.Response(status=421, text=text)


async def _accept(runner: web.BaseRunner, sockets: Sequence[socket.socket]) -> None:
    await runner.setup()
    try:
        for each in sockets:
            await web.SockSite(runner, each).start()
    except BaseException:
        await runner.cleanup()
        for each in sockets:
            each.close()
        raise


async def hear_heartbeats(
    address: str, told: Told, names: Names = tuple, inherited: InheritedSockets | None = None
) -> AuxiliaryListener:
    """Bind the address, or take what was ``inherited`` for it. Raises OSError and ValueError."""
    host, port = endpoint(address)
    group = host if _is_multicast(host) else ""
    given = inherited or InheritedSockets()
    opened = _socket(host, port, group, given)
    loop = asyncio.get_running_loop()
    datagrams, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(told), sock=opened)
    posts = web.ServerRunner(web.Server(partial(_posted, told, names), access_log=None), shutdown_timeout=0.5)

    async def close() -> None:
        datagrams.close()
        await posts.cleanup()

    port = opened.getsockname()[1]
    sockets = list[socket.socket]()
    try:
        if not group:
            sockets = await listening_sockets(host, port, HEARTBEAT, given)
            await _accept(posts, sockets)
    except OSError:
        datagrams.close()
        if endpoint(address)[1]:
            raise
        # the port that UDP was given is somebody else's with TCP
        return await hear_heartbeats(address, told, names)
    return AuxiliaryListener(address, port, (opened, *sockets), close)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, told: Told) -> None:
        self._told = told

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        load = report(data)
        if load is not None:
            self._told(load, addr[0].removeprefix("::ffff:"))


async def _posted(told: Told, names: Names, request: web.BaseRequest) -> web.Response:
    if not _names_us(request, names()):
        return _misdirected()
    if request.method != "POST":
        return web.Response(status=405, headers={"Allow": "POST"})
    load = report(await request.content.read(LONGEST))
    if load is None:
        return web.Response(status=400, text='a report is "v=1&ready=5&busy=2"\n')
    told(load, (request.remote or "").removeprefix("::ffff:"))
    return web.Response(text="OK\n")


def _is_multicast(host: str) -> bool:
    try:
        return ip_address(host).is_multicast
    except ValueError:
        return False


def _socket(host: str, port: int, group: str, inherited: InheritedSockets) -> socket.socket:
    family, _, _, _, there = socket.getaddrinfo(host or "0.0.0.0", port, type=socket.SOCK_DGRAM)[0]
    taken = inherited.take(HEARTBEAT, socket.SOCK_DGRAM, family, str(there[0]), port)
    if taken is not None:
        taken.setblocking(False)
        return taken
    opened = socket.socket(family, socket.SOCK_DGRAM)
    try:
        opened.setblocking(False)
        if group:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(there)
        if group and family == socket.AF_INET6:
            joined = socket.inet_pton(family, group) + struct.pack("@I", 0)
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, joined)
        elif group:
            joined = socket.inet_aton(group) + struct.pack("=I", socket.INADDR_ANY)
            opened.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, joined)
    except OSError:
        opened.close()
        raise
    return opened
