"""Listeners of their own beside those for requests: the page for programs, and where heartbeats come in.

aiohttp's own server does both: they are off the request path, and a reader who is slow, or comes too often, is no
business of the requests. The page is a text, made anew for each reader: one path, GET and HEAD; everything else is 404
or 405. Heartbeats come in as with HeartbeatListen and the handler of mod_heartmonitor: at a UDP port, with its
multicast group where the address is one, and by HTTP POST beside it. Whoever reaches the address is believed, so it
belongs into a network of one's own. A datagram that is no report is dropped without a word; a POST gets 400.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Coroutine
from functools import partial
from ipaddress import ip_address
from typing import Any, NamedTuple

from aiohttp import web

from proxy_core.balance.heartbeat import LONGEST, LoadReport, report
from proxy_core.http.target import endpoint

Told = Callable[[LoadReport, str], None]
"""Gets each report with its sender's address."""


class AuxiliaryListener(NamedTuple):
    """``address`` is as configured, ``port`` the real one where that says 0."""

    address: str
    port: int
    close: Callable[[], Coroutine[Any, Any, None]]


async def serve_page(address: str, path: str, content_type: str, text: Callable[[], str]) -> AuxiliaryListener:
    """Listen on ``address`` and answer ``path``. Raises OSError or ValueError, each with words for people."""
    host, port = endpoint(address)

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=text().encode(), headers={"Content-Type": content_type})

    application = web.Application(client_max_size=1)
    application.router.add_get(path, answer)
    runner = web.AppRunner(application, access_log=None, keepalive_timeout=75, shutdown_timeout=0.5)
    await _accept(runner, host, port)
    return AuxiliaryListener(address, runner.addresses[0][1], runner.cleanup)


async def _accept(runner: web.BaseRunner, host: str | None, port: int) -> None:
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except BaseException:
        await runner.cleanup()
        raise


async def hear_heartbeats(address: str, told: Told) -> AuxiliaryListener:
    """Bind the address. Raises OSError and ValueError."""
    host, port = endpoint(address)
    group = host if _is_multicast(host) else ""
    opened = _socket(host, port, group)
    loop = asyncio.get_running_loop()
    datagrams, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(told), sock=opened)
    posts = web.ServerRunner(web.Server(partial(_posted, told), access_log=None), shutdown_timeout=0.5)

    async def close() -> None:
        datagrams.close()
        await posts.cleanup()

    port = opened.getsockname()[1]
    try:
        if not group:
            await _accept(posts, host or None, port)
    except OSError:
        datagrams.close()
        if endpoint(address)[1]:
            raise
        return await hear_heartbeats(address, told)  # the port that UDP was given is somebody else's with TCP
    return AuxiliaryListener(address, port, close)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, told: Told) -> None:
        self._told = told

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        load = report(data)
        if load is not None:
            self._told(load, addr[0].removeprefix("::ffff:"))


async def _posted(told: Told, request: web.BaseRequest) -> web.Response:
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


def _socket(host: str, port: int, group: str) -> socket.socket:
    family, _, _, _, there = socket.getaddrinfo(host or "0.0.0.0", port, type=socket.SOCK_DGRAM)[0]
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
