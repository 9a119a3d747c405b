"""Makes connections to upstreams, and keeps the idle ones for the next request: a stack for each UpstreamKey.

The last one in is the first one out. So under a light load few connections are used, and the others grow old and are
closed. A connection belongs to its key and to nothing that can be edited: swapping the rules leaves the stacks as they
are. Connecting is the one thing on a request's way that has to be waited for. Where a name has several addresses they
race, each with a small head start over the next (Happy Eyeballs, RFC 8305, by aiohappyeyeballs).
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from aiohappyeyeballs import AddrInfoType, start_connection

from proxy_core.balance.member_state import UpstreamKey
from proxy_core.config.folders import INSIDE
from proxy_core.runtime.certificates import BadTls, ClientContexts
from proxy_core.runtime.peer_certificates import flaw_of
from proxy_core.runtime.upstreams.connection import Upstream
from proxy_core.runtime.upstreams.resolver import Addresses, Resolver, Unresolved

IDLE_SECONDS: Final = 15.0
IDLE_CONNECTIONS: Final = 256
"""Idle connections kept for one key."""
IDLE_KEYS: Final = 4096
"""Keys beyond which idle connections of TLS are kept for no other: clients may name the host that they are for."""
HEAD_START: Final = 0.25
"""Seconds that one address of a name is tried before the next is tried beside it (RFC 8305 §5)."""


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

    def __init__(self, write_buffer: int, resolver: Resolver | None = None, folder: Path = Path()) -> None:
        """``folder`` is that of the site file: certificates are relative to it. ``inside`` connects to the member that
        serves files."""
        self.idle: dict[UpstreamKey, list[Upstream]] = {}
        self.resolver = resolver or Resolver()
        self.resolver.on_resolved = self._moved
        self.inside: Callable[[], Awaitable[socket.socket]] | None = None
        self._write_buffer = write_buffer
        self._contexts = ClientContexts(folder)

    def take(self, key: UpstreamKey) -> Upstream | None:
        """An idle connection, if there is one that has not been closed meanwhile."""
        stack = self.idle.get(key)
        while stack:
            upstream = stack.pop()
            if not upstream.closed and not upstream.transport.is_closing():
                return upstream
        return None

    def give_back(self, upstream: Upstream, now: float, ttl: float = IDLE_SECONDS) -> None:
        """The connection has done its exchange and may do another within ``ttl`` seconds."""
        stack = self.idle.get(upstream.key)
        if stack is None:
            if upstream.key.tls is not None and len(self.idle) >= IDLE_KEYS:
                upstream.drop()
                return
            stack = self.idle[upstream.key] = []
        if len(stack) >= IDLE_CONNECTIONS or upstream.transport.is_closing():
            upstream.drop()
            return
        if upstream.paused:
            upstream.resume()
        upstream.expires = now + ttl
        stack.append(upstream)

    async def connect(self, key: UpstreamKey, seconds: float, keepalive: bool = False) -> Upstream:
        """A fresh connection within ``seconds``, whichever address of the name it takes. Raises Unreachable."""
        upstream = Upstream(key)
        end = asyncio.get_running_loop().time() + seconds
        try:
            context = self._contexts.of(key.tls) if key.tls is not None else None
            async with asyncio.timeout_at(end):
                if key.host == INSIDE and self.inside is not None:
                    near = await self.inside()
                    await asyncio.get_running_loop().create_unix_connection(lambda: upstream, sock=near)
                else:
                    addresses = await self.resolver.addresses(key.host)
                    opened = await _connected(upstream, addresses, context is not None)
            if context is not None:
                await _secured(upstream, opened, context, end)
        except BadTls as error:
            raise Unreachable(f"{key} cannot be asked over TLS: {error}", 502) from error
        except Unresolved as error:
            raise Unreachable(str(error), unresolved=True) from error
        except TimeoutError as error:
            raise Unreachable(f"{key} did not accept within {seconds:g} s") from error
        except (OSError, RuntimeError) as error:  # uvloop raises both
            if getattr(error, "errno", None) in (errno.EMFILE, errno.ENFILE):
                raise Unreachable("there are no file descriptors left", ours=True) from error
            refused = isinstance(error, ConnectionRefusedError)
            detail = "" if refused else f": {getattr(error, 'strerror', None) or error}"
            raise Unreachable(f"{key} refused the connection{detail}") from error
        except asyncio.CancelledError:
            if upstream.connected:
                upstream.drop()  # the client left in the moment between the connection and our waking up
            raise
        upstream.transport.set_write_buffer_limits(high=self._write_buffer)
        opened = upstream.transport.get_extra_info("socket")
        if keepalive and opened is not None and key.port:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return upstream

    def _moved(self, host: str, addresses: Addresses) -> None:
        """A name was resolved anew: rest no more on connections to addresses that it has left."""
        for key, stack in self.idle.items():
            if key.host == host:
                for upstream in [each for each in stack if _address(each) not in addresses]:
                    stack.remove(upstream)
                    upstream.drop()

    def sweep(self, now: float) -> None:
        """Close what has been idle for too long."""
        for key, stack in list(self.idle.items()):
            for upstream in [each for each in stack if each.expires < now]:
                stack.remove(upstream)
                upstream.drop()
            if not stack:
                del self.idle[key]

    def close(self) -> None:
        for stack in self.idle.values():
            for upstream in stack:
                upstream.drop()
        self.idle.clear()
        self.resolver.close()


async def _connected(upstream: Upstream, addresses: Addresses, bare: bool) -> socket.socket | None:
    """Connect to whichever address answers first; ``bare`` gives the socket, which nothing has been sent over, instead
    of the connection. Raises OSError."""
    loop = asyncio.get_running_loop()
    port = upstream.key.port
    if addresses[0].startswith("unix:"):
        await loop.create_unix_connection(lambda: upstream, addresses[0][5:])
        return None
    if len(addresses) == 1 and not bare:
        await loop.create_connection(lambda: upstream, addresses[0], port)
        return None
    infos: list[AddrInfoType] = [
        (socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port, 0, 0))
        if ":" in address
        else (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port))
        for address in addresses
    ]
    opened = await start_connection(infos, happy_eyeballs_delay=HEAD_START, interleave=1)
    if bare:
        return opened
    try:
        await loop.create_connection(lambda: upstream, sock=opened)
    finally:
        if not upstream.connected:
            opened.close()
    return None


async def _secured(upstream: Upstream, opened: socket.socket | None, context: ssl.SSLContext, end: float) -> None:
    """Shake hands over a socket before ``end`` of the loop's time. Raises Unreachable: the member is there, and what it
    says is no TLS that we take."""
    loop, key = asyncio.get_running_loop(), upstream.key
    assert key.tls is not None
    assert opened is not None
    name = key.tls.server_name or key.host
    try:
        async with asyncio.timeout_at(end):
            await loop.create_connection(lambda: upstream, sock=opened, ssl=context, server_hostname=name)
        if flaw := flaw_of(key.tls, name, upstream.transport.get_extra_info("ssl_object")):
            upstream.drop()
            raise Unreachable(f"{key} has a certificate that is {flaw}", 502)
    except TimeoutError as error:
        raise Unreachable(f"{key} did not complete the TLS handshake in time", 502) from error
    except OSError as error:  # what the ssl module raises is one
        raise Unreachable(f"{key} {_no_handshake(error)}", 502) from error
    finally:
        if not upstream.connected:
            opened.close()


def _address(upstream: Upstream) -> str | None:
    peer = upstream.transport.get_extra_info("peername")
    return str(peer[0]) if peer else None


def _no_handshake(error: OSError) -> str:
    """Why a member's TLS was not to our liking, in words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"has a certificate that is not trusted: {error.verify_message.rstrip('.')}"
    why = (error.reason or str(error)) if isinstance(error, ssl.SSLError) else (error.strerror or str(error))
    return f"did not complete the TLS handshake: {why.replace('_', ' ').lower() or 'it closed the connection'}"
