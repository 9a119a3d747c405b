"""Listening sockets: bound before a site is applied, kept across swaps, drained when they are gone.

Binding is what can fail, so it happens first and names every address that could not be had; starting to accept and
stopping cannot fail. A listener whose address stays is the same listener, under whatever name: its connections notice
nothing. One that is gone stops accepting at once; its connections finish what is in flight.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Sequence
from typing import Final

from proxy_core.config.model import Listener
from proxy_core.errors import Problem
from proxy_core.http.target import endpoint
from proxy_core.serve.bound_listener import Accepting, BoundListener
from proxy_core.serve.connection_setup import ConnectionSetup
from proxy_core.serve.proxy_protocol import Ends

BACKLOG: Final = 4096


class ListenError(Exception):
    """Addresses that could not be bound; nothing new stays bound."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = problems


def is_plain(listener: Listener) -> bool:
    """Whether accepting is all that it takes."""
    return listener.tls is None and not listener.proxy_protocol


async def bind(
    name: str,
    listener: Listener,
    factory: Callable[[BoundListener, Ends | None], asyncio.Protocol],
    listening: Sequence[socket.socket] = (),
) -> BoundListener:
    """Bind and listen, without accepting yet; or take over sockets that listen already. Raises OSError or ValueError,
    each with words for people."""
    loop = asyncio.get_running_loop()
    host, port = endpoint(listener.address)
    bound = BoundListener(name, listener.address, port, listener)
    sockets = bound.sockets = [*listening]
    try:
        bound.port = bound.port or (sockets[0].getsockname()[1] if sockets else 0)
        for family, address in () if sockets else await _addresses(host):
            opened = _listening(family, address, bound.port)
            sockets.append(opened)
            bound.port = bound.port or opened.getsockname()[1]
        for opened in sockets:
            if is_plain(listener):
                server: Accepting = await loop.create_server(
                    lambda: factory(bound, None), sock=opened, backlog=BACKLOG, start_serving=False
                )
            else:
                server = ConnectionSetup(bound, opened, lambda ends: factory(bound, ends))
            bound.servers.append(server)
    except BaseException:
        for opened in sockets:
            opened.close()
        raise
    return bound


async def _addresses(host: str) -> list[tuple[socket.AddressFamily, str]]:
    if not host:
        if socket.has_dualstack_ipv6():
            return [(socket.AF_INET6, "::")]
        return [(socket.AF_INET, "0.0.0.0")]
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((entry[0], str(entry[4][0])) for entry in found))


def _listening(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if address == "::" else 1)
        opened.setblocking(False)
        opened.bind((address, port))
        opened.listen(BACKLOG)
    except BaseException:
        opened.close()
        raise
    return opened


def problem_of(name: str, listener: Listener, error: Exception) -> Problem:
    """Why a listener could not be bound, and what to do."""
    todo = "give it another address, or stop what uses this one"
    why = str(error)
    if isinstance(error, OSError):
        why = error.strerror or str(error)
        if error.errno == errno.EADDRINUSE:
            why = "another program, or another listener, has this address"
        elif error.errno == errno.EACCES:
            why = "ports below 1024 need a privilege"
            todo = "give it a higher port, or the program CAP_NET_BIND_SERVICE"
        elif error.errno == errno.EADDRNOTAVAIL:
            why = "this machine does not have that address"
            todo = 'give it an address of this machine, or ":port" for all of them'
    return Problem(
        what=f"cannot listen on {listener.address}: {why}", todo=todo, address=("listeners", name, "address")
    )
