"""What is asked at the door, and the answers: HTTP by aiohttp's server, on connections that the door has let in.

Each question is read as the table of ``endpoints`` says, answered by the function of its row in ``answers``, and
written in pieces between which requests go on. Bounded by ``bounds``: a body that is too long or takes too long, and a
reader who does not read, are cut. Who asks is what the door says of the connection, never what a field says.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing
from functools import partial
from typing import Any

from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError
from msgspec import DecodeError, ValidationError
from msgspec.json import decode, encode

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
from proxy_core.control.door.peers import Peer
from proxy_core.control.door.request_parts import made_on, query_of
from proxy_core.control.door.slices import deflated, pieces
from proxy_core.control.door.watch import Watch
from proxy_core.control.editing.commands import Refused, Stale

SLICE = 0.002
"""Seconds of work after which requests have a turn."""
LOG = logging.getLogger(__name__)
"""For faults of ours; ``_is_ours`` keeps the others out."""


def _is_ours(record: logging.LogRecord) -> bool:
    """Whether a fault is not that of who asks, who talks no HTTP and could fill any log with it."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


LOG.addFilter(_is_ours)


class Questions:
    """The questions to one service. ``peers`` says who is at the other end of each connection; ``stop`` is called when
    somebody asks the service to stop, ``upgrade`` when a new program is to take over."""

    def __init__(
        self,
        behind: Behind,
        bounds: Bounds,
        stop: Callable[[], object],
        upgrade: Callable[[], Awaitable[str]] | None,
    ) -> None:
        self.peers: dict[asyncio.BaseTransport, Peer] = {}
        self._behind, self._bounds = behind, bounds
        self._service = OpenService(behind=behind, watch=Watch(behind.sight), stop=stop, upgrade=upgrade)
        self._reading: dict[asyncio.BaseTransport, asyncio.Task[Any]] = {}
        """Who gets lines, and the task that writes them."""
        self._bodies = asyncio.Semaphore(BODIES)
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

    async def begin(self) -> None:
        await self._runner.setup()

    def protocol(self) -> asyncio.Protocol:
        """What speaks HTTP on one more connection."""
        server = self._runner.server
        assert server is not None
        return server()

    def left(self, transport: asyncio.BaseTransport) -> None:
        """A connection is over: nobody reads its lines any more."""
        self.peers.pop(transport, None)
        if (reading := self._reading.pop(transport, None)) is not None:
            reading.cancel()

    def let_go(self) -> None:
        """Answer what was asked, and end connections on which nothing is."""
        for reading in [*self._reading.values()]:
            reading.cancel()
        server = self._runner.server
        if isinstance(server, web.Server):
            server.pre_shutdown()

    async def close(self) -> None:
        """End what is open."""
        for transport in [*self.peers]:
            if isinstance(transport, asyncio.WriteTransport) and transport.get_write_buffer_size():
                transport.abort()  # who reads nothing must not hold up the end
        await self._runner.cleanup()

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
        asking = self.peers[request.transport]
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
