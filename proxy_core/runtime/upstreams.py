"""Connections to upstreams that are shared between requests: a stack of idle ones for each UpstreamKey.

Last in, first out, so that under a light load few connections stay warm and the others grow old and are closed. A
connection belongs to its key and to nothing that can be edited: swapping the rules leaves the stacks as they are.
Connecting is the one thing on a request's way that has to be waited for.
"""

from __future__ import annotations

import asyncio
import errno
from typing import Final

from proxy_core.balance.state import UpstreamKey
from proxy_core.runtime.resolver import Resolver, Unresolved
from proxy_core.runtime.upstream import Upstream

IDLE_SECONDS: Final = 15.0
IDLE_CONNECTIONS: Final = 256
"""Idle connections kept for one key."""


class Unreachable(Exception):
    """No connection could be made. ``status`` is what a client is told when nobody else can take its request;
    ``ours``: it is no fault of the member."""

    def __init__(self, why: str, status: int = 503, unresolved: bool = False, ours: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.status = status
        self.unresolved = unresolved
        self.ours = ours


class Upstreams:
    """``idle`` holds the stacks, the newest at the end."""

    def __init__(self, write_buffer: int, resolver: Resolver | None = None) -> None:
        self.idle: dict[UpstreamKey, list[Upstream]] = {}
        self._resolver = resolver or Resolver()
        self._write_buffer = write_buffer

    def take(self, key: UpstreamKey) -> Upstream | None:
        """An idle connection, if there is one that has not been closed meanwhile."""
        stack = self.idle.get(key)
        while stack:
            upstream = stack.pop()
            if not upstream.closed and not upstream.transport.is_closing():
                return upstream
        return None

    def give_back(self, upstream: Upstream, now: float) -> None:
        """The connection has done its exchange and may do another."""
        stack = self.idle.get(upstream.key)
        if stack is None:
            stack = self.idle[upstream.key] = []
        if len(stack) >= IDLE_CONNECTIONS or upstream.transport.is_closing():
            upstream.drop()
            return
        if upstream.paused:
            upstream.resume()
        upstream.idle_since = now
        stack.append(upstream)

    async def connect(self, key: UpstreamKey, seconds: float) -> Upstream:
        """A fresh connection within ``seconds``, whichever address of the name it takes. Raises Unreachable."""
        loop = asyncio.get_running_loop()
        refusal = ""
        upstream = Upstream(key)
        try:
            async with asyncio.timeout(seconds):
                for address in await self._resolver.addresses(key.host):
                    try:
                        await loop.create_connection(lambda: upstream, address, key.port)
                    except OSError as error:
                        if error.errno in (errno.EMFILE, errno.ENFILE):
                            raise Unreachable("there are no file descriptors left", ours=True) from error
                        refusal = refusal or error.strerror or str(error)
                        continue
                    upstream.transport.set_write_buffer_limits(high=self._write_buffer)
                    return upstream
        except Unresolved as error:
            raise Unreachable(str(error), unresolved=True) from error
        except TimeoutError as error:
            raise Unreachable(f"{key.host}:{key.port} did not accept within {seconds:g} s", 504) from error
        except asyncio.CancelledError:
            if upstream.connected:
                upstream.drop()  # the client left in the moment between the connection and our waking up
            raise
        raise Unreachable(f"{key.host}:{key.port} refused the connection: {refusal}")

    def sweep(self, now: float) -> None:
        """Close what has been idle for too long; the oldest are at the bottom of each stack."""
        for key, stack in list(self.idle.items()):
            old = 0
            while old < len(stack) and now - stack[old].idle_since > IDLE_SECONDS:
                stack[old].drop()
                old += 1
            if old:
                del stack[:old]
            if not stack:
                del self.idle[key]

    def close(self) -> None:
        for stack in self.idle.values():
            for upstream in stack:
                upstream.drop()
        self.idle.clear()
