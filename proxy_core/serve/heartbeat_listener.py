"""Where heartbeats come in: a UDP port, with its multicast group where the address is one, and HTTP POST beside it.

As HeartbeatListen and the handler of mod_heartmonitor. Whoever reaches the address is believed, so it belongs into a
network of one's own. A datagram that is no report is dropped without a word; a POST gets 400.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from ipaddress import ip_address

from aiohttp import web

from proxy_core.balance.heartbeat import LONGEST, LoadReport, report
from proxy_core.http.target import endpoint

Told = Callable[[LoadReport, str], None]
"""Gets each report with its sender's address."""


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, told: Told) -> None:
        self._told = told

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        said = report(data)
        if said is not None:
            self._told(said, addr[0].removeprefix("::ffff:"))


class HeartbeatListener:
    """A bound address. ``port`` is the real one where the site says 0."""

    def __init__(self, address: str, port: int, datagrams: asyncio.DatagramTransport, posts: web.ServerRunner | None):
        self.address = address
        self.port = port
        self._datagrams = datagrams
        self._posts = posts

    async def close(self) -> None:
        self._datagrams.close()
        if self._posts is not None:
            await self._posts.cleanup()


async def listen(address: str, told: Told) -> HeartbeatListener:
    """Bind the address. Raises OSError and ValueError."""
    host, port = endpoint(address)
    group = host if _is_multicast(host) else ""
    opened = _socket(host, port, group)
    loop = asyncio.get_running_loop()
    datagrams, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(told), sock=opened)
    port = opened.getsockname()[1]
    if group:
        return HeartbeatListener(address, port, datagrams, None)
    try:
        return HeartbeatListener(address, port, datagrams, await _posts(host or None, port, told))
    except OSError:
        datagrams.close()
        if endpoint(address)[1]:
            raise
    return await listen(address, told)  # port 0: the one that UDP was given is somebody else's with TCP


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


async def _posts(host: str | None, port: int, told: Told) -> web.ServerRunner:
    async def posted(request: web.BaseRequest) -> web.Response:
        if request.method != "POST":
            return web.Response(status=405, headers={"Allow": "POST"})
        said = report(await request.content.read(LONGEST))
        if said is None:
            return web.Response(status=400, text='a report is "v=1&ready=5&busy=2"\n')
        told(said, (request.remote or "").removeprefix("::ffff:"))
        return web.Response(text="OK\n")

    runner = web.ServerRunner(web.Server(posted, access_log=None), shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError:
        await runner.cleanup()
        raise
    return runner
