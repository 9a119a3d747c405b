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

from proxy_core.config.model import Listener
from proxy_core.errors import Problem
from proxy_core.http.target import endpoint
from proxy_core.serve.bound_listener import Accepting, BoundListener
from proxy_core.serve.connection_setup import ConnectionSetup
from proxy_core.serve.listening_sockets import BACKLOG, InheritedSockets, listening_sockets
from proxy_core.serve.proxy_protocol import Ends


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
    inherited: InheritedSockets | None = None,
) -> BoundListener:
    """Bind and listen, without accepting yet; or take over sockets that listen already: ``listening``, or what fits of
    those that this process ``inherited``. Raises OSError or ValueError, each with words for people."""
    loop = asyncio.get_running_loop()
    host, port = endpoint(listener.address)
    bound = BoundListener(name, listener.address, port, listener)
    sockets = [*listening] or await listening_sockets(host, port, name, inherited or InheritedSockets())
    bound.sockets = sockets
    bound.port = port or sockets[0].getsockname()[1]
    try:
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


def problem_of(name: str, listener: Listener, error: Exception, inherited: InheritedSockets | None = None) -> Problem:
    """Why a listener could not be bound, and what to do. The sockets that were ``inherited`` may be in the way."""
    todo = "give it another address, or stop what uses this one"
    why = str(error)
    if isinstance(error, OSError):
        why = error.strerror or str(error)
        if error.errno == errno.EADDRINUSE:
            why = "another program, or another listener, has this address"
            if held := inherited and inherited.with_port(endpoint(listener.address)[1]):
                why = f'a socket that this process was started with has this port, for "{held[0]}"'
                todo = f'listen on "{held[0]}", or give the socket the address {listener.address}'
        elif error.errno == errno.EACCES:
            why = "ports below 1024 need a privilege"
            todo = "give it a higher port, or the program CAP_NET_BIND_SERVICE"
        elif error.errno == errno.EADDRNOTAVAIL:
            why = "this machine does not have that address"
            todo = 'give it an address of this machine, or ":port" for all of them'
    return Problem(
        what=f"cannot listen on {listener.address}: {why}", todo=todo, address=("listeners", name, "address")
    )
