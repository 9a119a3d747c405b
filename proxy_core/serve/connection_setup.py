"""Sets up connections that need more than accepting: a PROXY header or a TLS handshake.

It takes the place of asyncio's Server; plain listeners keep that and pay nothing. Each connection is opened in a task
of its own, with one deadline for everything before HTTP. How many may be opening at once is bounded; one more costs
the oldest of them its place. What does not get through is closed without a word, but for plain HTTP on a TLS port:
that is nearly always a mistake in a URL, and is answered 400.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from proxy_core.serve.bound_listener import BoundListener
from proxy_core.serve.proxy_protocol import BadProxyHeader, Ends, receive

OPENING_SECONDS: Final = 10.0
"""From accepting to the first byte of HTTP: PROXY header and handshake."""
OPENING_MOST = 2048
SHUTDOWN_SECONDS: Final = 5.0
"""How long a client may take to answer our close_notify."""
_AT_ONCE: Final = 64
_REST: Final = 0.5
"""Seconds of rest when there are no descriptors left."""
_WRONG_PORT: Final = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 76\r\nConnection: close\r\n\r\n"
    b"This is plain HTTP, and the port speaks TLS: write https:// in place of it.\n"
)
_HANDSHAKE: Final = b"\x16"
"""The first byte of every TLS connection: a handshake record."""


class ConnectionSetup:
    """One listening socket. ``enter(ends)`` makes the protocol of a connection."""

    def __init__(
        self, bound: BoundListener, listening: socket.socket, enter: Callable[[Ends | None], asyncio.Protocol]
    ) -> None:
        self._bound = bound
        self._listening = listening
        self._enter = enter
        self._opening: dict[asyncio.Task[None], socket.socket] = {}
        self._closed = False

    async def start_serving(self) -> None:
        self._listen()

    def close(self) -> None:
        """Accept no more; what is opening may go on."""
        if not self._closed:
            self._closed = True
            asyncio.get_running_loop().remove_reader(self._listening)
            self._listening.close()

    def _listen(self) -> None:
        if not self._closed:
            asyncio.get_running_loop().add_reader(self._listening, self._accept)

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                sock, peer = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    loop = asyncio.get_running_loop()
                    loop.remove_reader(self._listening)
                    loop.call_later(_REST, self._listen)
                return
            if len(self._opening) >= OPENING_MOST:
                self._end_oldest()
            sock.setblocking(False)
            task = asyncio.get_running_loop().create_task(self._open(sock, str(peer[0])))
            self._opening[task] = sock
            task.add_done_callback(lambda done: self._opening.pop(done, None))

    def _end_oldest(self) -> None:
        """Make room: opening takes a moment, so the one that takes longest is in trouble, or an attack."""
        oldest, sock = next(iter(self._opening.items()))
        del self._opening[oldest]
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)

    async def _open(self, sock: socket.socket, peer: str) -> None:
        given = False
        try:
            async with asyncio.timeout(OPENING_SECONDS):
                ends = await self._ends(sock, peer)
                secure = self._bound.secure
                if secure is None:
                    given = True
                    await opened(lambda: self._enter(ends), sock)
                    return
                if await _first_byte(sock) not in (_HANDSHAKE, b""):
                    self._bound.turned_away += 1
                    await _tell(sock)
                    return
                given = True
                await asyncio.get_running_loop().connect_accepted_socket(
                    lambda: self._enter(ends),
                    sock,
                    ssl=secure.context,
                    ssl_handshake_timeout=OPENING_SECONDS,
                    ssl_shutdown_timeout=SHUTDOWN_SECONDS,
                )
        except (OSError, ssl.SSLError, BadProxyHeader, TimeoutError):
            self._bound.turned_away += 1
        finally:
            if not given:
                sock.close()

    async def _ends(self, sock: socket.socket, peer: str) -> Ends | None:
        trusted = self._bound.trusted
        if trusted is None:
            return None
        if not trusted.find(peer):
            raise BadProxyHeader("the peer is not trusted to say who it comes for")
        return await receive(sock)


async def opened(factory: Callable[[], asyncio.BaseProtocol], sock: socket.socket) -> None:
    """Make an accepted socket a connection, to the end: uvloop forgets one whose making is cancelled half-way."""
    await asyncio.shield(asyncio.get_running_loop().connect_accepted_socket(factory, sock))


async def _first_byte(sock: socket.socket) -> bytes:
    """Look at the first byte without taking it; b"" when there will be none."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            return sock.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            ready: asyncio.Future[None] = loop.create_future()
            loop.add_reader(sock, _done, ready)
            try:
                await ready
            finally:
                loop.remove_reader(sock)


def _done(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


async def _tell(sock: socket.socket) -> None:
    """Answer plain HTTP on a TLS port: 400, in words; then read for a moment, so that no reset overtakes it."""
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(sock, _WRONG_PORT)
    sock.shutdown(socket.SHUT_WR)
    with suppress(TimeoutError):
        async with asyncio.timeout(1):
            while await loop.sock_recv(sock, 65536):
                pass
