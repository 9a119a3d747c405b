"""The door: HTTP/1.1 on a unix socket, through which people and programs reach a service that runs.

It serves the table of ``endpoints`` on an EngineView and adds nothing to it: a command that comes in here is the one
that a key of the console makes. Who asks is what the kernel says. It is served by the loop that serves requests, so
everything is bounded: how many connections and questions a user has, how long a body may be and take, how much of an
answer waits for its reader, and for how long before the reader is cut. Whoever stalls, asks nonsense or goes away hurts
nobody else.

Here is the socket and who is let in, before anything of a connection is read; what is asked on it is the business of
``questions``. That takes aiohttp's server, which is as much to load as all else that serves. A thread loads it once the
service is ready, not when somebody asks: then another version may be on the disk, which is what an upgrade is asked
for. Who comes meanwhile waits to be accepted.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from proxy_core.config.model.site import Control
from proxy_core.control.door import socket_path
from proxy_core.control.door.bounds import WAITING, Bounds
from proxy_core.control.door.peers import Peer, peer, user_name
from proxy_core.errors import Problem

if TYPE_CHECKING:
    from proxy_core.control.door.answers import Behind
    from proxy_core.control.door.questions import Questions

LOOK_AGAIN = 1.0
"""Seconds after which it is looked whether the socket is still there and is as the site says."""
REFUSED = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
"""What a user gets who has too many connections."""


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
        self._stop, self._upgrade = stop, upgrade
        self._settings = Control()
        self._listening: socket.socket | None = None
        self._inode = 0
        self._bounds = Bounds()
        self._names: dict[int, str] = {}
        """Names of users that were here."""
        self._admitting: set[asyncio.Task[None]] = set()
        self._looking: asyncio.Task[None] | None = None
        self._questions: asyncio.Task[Questions] | None = None

    # ---- life

    @property
    def listening(self) -> socket.socket | None:
        """The socket, for who hands it on."""
        return self._listening

    async def open(self, handed: tuple[socket.socket, Path] | None = None) -> None:
        """Listen; on a socket that was ``handed`` over, with its place, where there is one. What keeps it from that is
        a ``problem``, and is tried again."""
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
        if self._questions is not None:
            await (await self._questions).close()

    async def let_go(self) -> None:
        """Another process accepts on the socket from now on: leave it where it is, and end what is open, so that who
        asks next asks there."""
        self._inode = -1
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})
        self._end()
        if self._questions is not None:
            (await self._questions).let_go()

    async def _loaded(self) -> Questions:
        questions = (await asyncio.to_thread(_import))(self._behind, self._bounds, self._stop, self._upgrade)
        await questions.begin()
        return questions

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
        self._questions = self._questions or asyncio.create_task(self._loaded())
        self._questions.add_done_callback(lambda _: self._hear())

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
            else:
                self._hear()

    def _hear(self) -> None:
        """Accept, once questions can be answered."""
        if self._listening is not None and self._questions is not None and self._questions.done():
            loop = asyncio.get_running_loop()
            loop.add_reader(self._listening, self._accept, self._listening, self._questions.result())

    def _accept(self, listening: socket.socket, questions: Questions) -> None:
        try:
            connection, _ = listening.accept()
        except BlockingIOError:  # whoever it was is gone
            return
        except OSError:  # no descriptors left, for a while
            asyncio.get_running_loop().remove_reader(listening)
            return
        connection.setblocking(False)
        task = asyncio.create_task(self._admit(questions, connection))
        self._admitting.add(task)
        task.add_done_callback(self._admitting.discard)

    async def _admit(self, questions: Questions, connection: socket.socket) -> None:
        """Let a connection in. A user whose name takes long to be found keeps nobody else waiting."""
        try:
            found = peer(connection)
            if found.uid not in self._names:
                self._names[found.uid] = await asyncio.to_thread(user_name, found.uid)
            await self._serve(questions, connection, replace(found, name=self._names[found.uid]))
        except OSError:  # whoever it was is gone
            connection.close()

    async def _serve(self, questions: Questions, connection: socket.socket, asking: Peer) -> None:
        if not self._bounds.enter(asking):
            with suppress(OSError):
                connection.send(REFUSED)
            connection.close()
            return
        protocol = _Admitted(questions.protocol(), partial(self._left, questions, asking))
        try:
            transport, _ = await asyncio.get_running_loop().connect_accepted_socket(lambda: protocol, connection)
        except OSError:
            self._bounds.leave(asking)
            raise
        transport.set_write_buffer_limits(WAITING)
        if not protocol.lost:
            questions.peers[transport] = asking

    def _left(self, questions: Questions, asking: Peer, transport: asyncio.BaseTransport) -> None:
        questions.left(transport)
        self._bounds.leave(asking)


def _import() -> type[Questions]:
    from proxy_core.control.door.questions import Questions

    return Questions


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
