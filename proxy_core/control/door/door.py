"""The door: HTTP/1.1 on a unix socket, through which people and programs reach a service that runs.

It serves the table of ``endpoints`` on an EngineView and adds nothing to it: a command that comes in here is the one
that a key of the console makes. Who asks is what the kernel says. It is served by the loop that serves requests, so
everything is bounded: how many connections and questions a user has, how long a body may be and take, how much of an
answer waits for its reader, and for how long before the reader is cut. Big answers are made in pieces between which
requests go on. Whoever stalls, asks nonsense or goes away hurts nobody else.

Accepting is done here, not by aiohttp, so that a connection is known by its user before anything of it is read.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing, suppress
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError
from msgspec import DecodeError, ValidationError
from msgspec.json import decode, encode
from msgspec.structs import replace

from proxy_core.config.model.site import Control
from proxy_core.control.door import socket_path
from proxy_core.control.door.answers import HANDLERS, Asked, Behind, OpenService, Refusal
from proxy_core.control.door.bounds import (
    BODIES,
    BODY_WITHIN,
    LONGEST,
    LONGEST_OF_READERS,
    READ_WITHIN,
    WAITING,
    Bounds,
)
from proxy_core.control.door.endpoints import ENDPOINTS, JSON, Endpoint
from proxy_core.control.door.peers import Peer, peer, user_name
from proxy_core.control.door.request_parts import made_on, query_of
from proxy_core.control.door.slices import deflated, pieces
from proxy_core.control.door.watch import Watch
from proxy_core.control.editing.commands import Refused, Stale
from proxy_core.errors import Problem

SLICE = 0.002
"""Seconds of work after which requests have a turn."""
LOOK_AGAIN = 1.0
"""Seconds after which it is looked whether the socket is still there and is as the site says."""
LOG = logging.getLogger(__name__)
"""For faults of ours; ``_is_ours`` keeps the others out."""
REFUSED = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
"""What a user gets who has too many connections."""


def _is_ours(record: logging.LogRecord) -> bool:
    """Whether a fault is not that of who asks, who talks no HTTP and could fill any log with it."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


LOG.addFilter(_is_ours)


class Door:
    """The door of one service. ``path`` is its socket, None for where the site says; ``stop`` is called when somebody
    asks the service to stop, ``upgrade`` when a new program is to take over. ``problem`` says why it is not open."""

    def __init__(
        self,
        behind: Behind,
        path: Path | None,
        stop: Callable[[], object],
        upgrade: Callable[[], Awaitable[str]] | None = None,
    ) -> None:
        self.problem: Problem | None = None
        self.path = Path()
        self._behind = behind
        self._given = path
        self._service = OpenService(behind=behind, watch=Watch(behind.sight), stop=stop, upgrade=upgrade)
        self._settings = Control()
        self._listening: socket.socket | None = None
        self._inode = 0
        self._bounds = Bounds()
        self._peers: dict[asyncio.BaseTransport, Peer] = {}
        self._reading: dict[asyncio.BaseTransport, asyncio.Task[Any]] = {}
        """Who gets lines, and the task that writes them."""
        self._bodies = asyncio.Semaphore(BODIES)
        self._names: dict[int, str] = {}
        """Names of users that were here."""
        self._admitting: set[asyncio.Task[None]] = set()
        self._looking: asyncio.Task[None] | None = None
        application = web.Application(client_max_size=LONGEST, middlewares=[self._worded])
        for endpoint in ENDPOINTS:
            application.router.add_route(endpoint.method, endpoint.path, partial(self._asked, endpoint))
        self._runner = web.AppRunner(
            application,
            access_log=None,
            logger=LOG,
            keepalive_timeout=75,
            shutdown_timeout=0.5,
            auto_decompress=False,  # a body is as long as it says
        )

    # ---- life

    @property
    def listening(self) -> socket.socket | None:
        """The socket, for who hands it on."""
        return self._listening

    async def open(self, handed: tuple[socket.socket, Path] | None = None) -> None:
        """Listen; on a socket that was ``handed`` over, with its place, where there is one. What keeps it from that is
        a ``problem``, and is tried again."""
        await self._runner.setup()
        own = os.geteuid()
        self._names[own] = await asyncio.to_thread(user_name, own)
        self._settings = self._behind.site().site.control
        if handed is not None:
            self._begin(*handed)
        else:
            await self._listen()
        self._looking = asyncio.create_task(self._look_after())

    async def close(self) -> None:
        """Stop listening, take the socket away, and end what is open."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})
        self._end()
        await asyncio.gather(*self._admitting, return_exceptions=True)
        for transport in [*self._peers]:
            if isinstance(transport, asyncio.WriteTransport) and transport.get_write_buffer_size():
                transport.abort()  # who reads nothing must not hold up the end
        await self._runner.cleanup()

    async def let_go(self) -> None:
        """Another process accepts on the socket from now on: leave it where it is, and end what is open, so that who
        asks next asks there."""
        self._inode = -1
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})
        self._end()
        for reading in [*self._reading.values()]:
            reading.cancel()
        server = self._runner.server
        if isinstance(server, web.Server):
            server.pre_shutdown()

    async def _listen(self) -> None:
        path = self._given or socket_path.socket_path(self._behind.file, self._settings.name)
        try:
            listening = await asyncio.to_thread(socket_path.listening, path, self._settings.group)
        except (OSError, KeyError) as error:
            why = error.strerror if isinstance(error, OSError) else error.args[0]
            address = ("control", "group") if isinstance(error, KeyError) else ("control",)
            what = f"the control socket {path} cannot be opened: {why}"
            self.problem = Problem(what=what, severity="warning", address=address)
            return
        self._begin(listening, path)

    def _begin(self, listening: socket.socket, path: Path) -> None:
        self.problem = None
        self.path, self._listening, self._inode = path, listening, os.lstat(path).st_ino
        listening.setblocking(False)
        self._hear(listening)

    def _end(self) -> None:
        if self._listening is not None:
            asyncio.get_running_loop().remove_reader(self._listening)
            socket_path.remove(self.path, self._inode)
            self._listening.close()
            self._listening = None

    async def _look_after(self) -> None:
        """Listen anew where the socket was taken away, could not be opened, or is to be another."""
        while True:
            await asyncio.sleep(LOOK_AGAIN)
            wanted = self._behind.site().site.control
            there = False
            with suppress(OSError):
                there = self._listening is not None and os.lstat(self.path).st_ino == self._inode
            if not there or wanted != self._settings:
                self._settings = wanted
                self._end()
                await self._listen()
            elif self._listening is not None:
                self._hear(self._listening)

    def _hear(self, listening: socket.socket) -> None:
        asyncio.get_running_loop().add_reader(listening, self._accept, listening)

    def _accept(self, listening: socket.socket) -> None:
        try:
            connection, _ = listening.accept()
        except BlockingIOError:  # whoever it was is gone
            return
        except OSError:  # no descriptors left, for a while
            asyncio.get_running_loop().remove_reader(listening)
            return
        connection.setblocking(False)
        task = asyncio.create_task(self._admit(connection))
        self._admitting.add(task)
        task.add_done_callback(self._admitting.discard)

    async def _admit(self, connection: socket.socket) -> None:
        """Let a connection in. A user whose name takes long to be found keeps nobody else waiting."""
        try:
            found = peer(connection)
            if found.uid not in self._names:
                self._names[found.uid] = await asyncio.to_thread(user_name, found.uid)
            await self._serve(connection, replace(found, name=self._names[found.uid]))
        except OSError:  # whoever it was is gone
            connection.close()

    async def _serve(self, connection: socket.socket, asking: Peer) -> None:
        if not self._bounds.enter(asking):
            with suppress(OSError):
                connection.send(REFUSED)
            connection.close()
            return
        server = self._runner.server
        assert server is not None
        protocol = _Admitted(server(), partial(self._left, asking))
        try:
            transport, _ = await asyncio.get_running_loop().connect_accepted_socket(lambda: protocol, connection)
        except OSError:
            self._bounds.leave(asking)
            raise
        transport.set_write_buffer_limits(WAITING)
        if not protocol.lost:
            self._peers[transport] = asking

    def _left(self, asking: Peer, transport: asyncio.BaseTransport) -> None:
        """A connection is over: nobody reads its lines any more."""
        self._peers.pop(transport, None)
        self._bounds.leave(asking)
        if (reading := self._reading.pop(transport, None)) is not None:
            reading.cancel()

    # ---- a question

    @web.middleware
    async def _worded(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """What aiohttp refuses itself is refused in our words."""
        try:
            try:
                answer: web.StreamResponse = await handler(request)
                return answer
            except web.HTTPException as error:
                what = {404: "there is no such path", 405: "this path takes another method"}.get(error.status)
                refusal = Refusal(error.status, what or error.reason.lower(), "see docs/control.md")
                return await self._send(request, pieces(refusal.body), refusal.status)
        except ConnectionError:  # whoever asked is gone, which is no error of ours
            return web.StreamResponse()

    async def _asked(self, endpoint: Endpoint, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        asking = self._peers[request.transport]
        try:
            if not self._bounds.ask(asking, time.monotonic()):
                raise Refusal(429, "too many questions a second", "ask again in a moment")
            if endpoint.writes and not asking.may_write:
                todo = "ask as the user that the service runs as, or as root"
                raise Refusal(403, f"user {asking.name} may only read", todo)
            asked = Asked(
                peer=asking,
                names={**request.match_info},
                query=query_of(request, endpoint.query),
                body=await self._body(request, asking, endpoint.body) if endpoint.body is not None else None,
                on=made_on(request),
            )
            answer = await HANDLERS[endpoint.name](self._service, asked)
        except Refusal as refusal:
            return await self._send(request, pieces(refusal.body), refusal.status)
        if isinstance(answer, AsyncGenerator):
            return await self._lines(request, answer, endpoint.content)
        status = 412 if isinstance(answer, Stale) else 422 if isinstance(answer, Refused) else 200
        parts = _cut(answer) if endpoint.answer is str else pieces(answer)
        return await self._send(request, parts, status, endpoint.content)

    async def _body(self, request: web.Request, asking: Peer, kind: Any) -> Any:
        most = LONGEST if asking.may_write else LONGEST_OF_READERS
        if (request.content_length or 0) > most or (request.content_length is None and not asking.may_write):
            raise Refusal(413, f"a body has at most {most} bytes, and says its length", "send a shorter one")
        try:
            async with asyncio.timeout(BODY_WITHIN):
                if asking.may_write:
                    async with self._bodies:
                        raw = await request.read()
                else:
                    raw = await request.read()
        except HttpProcessingError as error:
            raise Refusal(400, f"the body is not HTTP: {' '.join(error.message.split())}") from None
        except TimeoutError:
            raise Refusal(408, f"the body took more than {BODY_WITHIN:.0f} s to come", "send it again") from None
        try:
            return raw.decode() if kind is str else decode(raw, type=kind)
        except (DecodeError, ValidationError, UnicodeDecodeError) as error:
            raise Refusal(400, f"the body is not understood: {error}", "see docs/control.md") from None

    # ---- an answer

    async def _send(
        self, request: web.Request, parts: Iterable[bytes], status: int = 200, content: str = JSON
    ) -> web.StreamResponse:
        """Answer in pieces, between which requests have their turn."""
        response = self._response(status, content)
        if "deflate" in request.headers.get(hdrs.ACCEPT_ENCODING, ""):  # who is at the end of a slow line
            response.headers[hdrs.CONTENT_ENCODING] = "deflate"
            parts = deflated(parts)
        waiting = bytearray()
        began = time.monotonic()
        for part in parts:
            waiting += part
            if len(waiting) > WAITING:
                await _written(request, response, waiting)
                waiting = bytearray()
            if time.monotonic() - began > SLICE:
                await asyncio.sleep(0)
                began = time.monotonic()
        if not response.prepared:
            response.content_length = len(waiting)
        await _written(request, response, waiting, last=True)
        return response

    async def _lines(self, request: web.Request, lines: AsyncGenerator[Any, None], content: str) -> web.StreamResponse:
        response = self._response(200, content)
        task = asyncio.current_task()
        assert request.transport is not None
        assert task is not None
        self._reading[request.transport] = task
        async with aclosing(lines):
            async for line in lines:
                await _written(request, response, encode(line) + b"\n")
        return response

    def _response(self, status: int, content: str) -> web.StreamResponse:
        fields = {"Content-Type": content, "ETag": f'"{self._behind.site().generation}"'}
        if status == 429:
            fields["Retry-After"] = "1"
        return web.StreamResponse(status=status, headers=fields)


class _Admitted(asyncio.Protocol):
    """aiohttp's protocol of one connection, with word of its end."""

    def __init__(self, inner: Any, left: Callable[[asyncio.BaseTransport], None]) -> None:
        self.lost = False
        self._inner, self._left = inner, left
        self._transport: asyncio.BaseTransport | None = None
        for name in ("data_received", "eof_received", "pause_writing", "resume_writing"):
            setattr(self, name, getattr(inner, name))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self._inner.connection_lost(exc)
        if self._transport is not None:
            self._left(self._transport)


async def _written(
    request: web.Request, response: web.StreamResponse, data: bytes | bytearray, last: bool = False
) -> None:
    """Write a part of an answer; a reader who stalls is cut."""
    try:
        if not response.prepared:
            await response.prepare(request)
        for at in range(0, len(data), WAITING):
            async with asyncio.timeout(READ_WITHIN):
                await response.write(bytes(data[at : at + WAITING]))
        if last:
            async with asyncio.timeout(READ_WITHIN):
                await response.write_eof()
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError("the reader stalled") from None


def _cut(text: str) -> Iterable[bytes]:
    """A text in pieces."""
    return (text[at : at + WAITING].encode() for at in range(0, len(text), WAITING))
