"""Sockets that listen: opened here, or inherited from whoever started this process.

A socket manager (systemd's socket units) and a process that lets this one take over both leave sockets that listen
already. One is used where its address is the one that is wanted, so the site file says what is listened on, whoever
opened it; where any port would do, by its name. What nobody wants is closed by ``close_rest``, or clients would wait
on it for ever. What a manager holds is never closed for good here: a listener that goes and comes back finds it again.
The convention is that of sd_listen_fds(3).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

BACKLOG: Final = 4096
METRICS, HEARTBEAT = "@metrics", "@heartbeat"
"""Names of sockets that are for no listener of the site, where they are handed on: none can have such a name."""


class Inherited(Struct, frozen=True):
    """A socket with the name that it came under."""

    name: str
    socket: socket.socket


class InheritedSockets:
    """The sockets that nobody has taken yet. ``held``: whoever gave them keeps them open, and so do we."""

    def __init__(self, given: Iterable[Inherited] = (), *, held: bool = False) -> None:
        self._left = [*given]
        self._held = held
        self._used = set[socket.socket]()

    def take(self, name: str, kind: socket.SocketKind, family: int, address: str, port: int) -> socket.socket | None:
        """The socket of this kind with this address; with port 0, the one of this name. None where there is none."""
        for each in self._left:
            found = each.socket
            if (found.type, found.family) != (kind, family):
                continue
            bound = found.getsockname()
            if bound[0] == address and (bound[1] == port or (not port and each.name == name)):
                self._used.add(found)
                if self._held:
                    return found.dup()
                self._left.remove(each)
                return found
        return None

    def with_port(self, port: int) -> list[str]:
        """The addresses of those that have this port, as a site file would name them."""
        streams = [each.socket for each in self._left if each.socket.type == socket.SOCK_STREAM]
        names = [each.getsockname() for each in streams if each.family != socket.AF_UNIX]
        return [f"{_spelled(name[0])}:{port}" for name in names if name[1] == port]

    def close_rest(self) -> list[str]:
        """Close what nobody took; returns the addresses. Those that a manager holds stay for later."""
        rest = [each.socket for each in self._left if each.socket not in self._used]
        addresses = [":".join(map(str, each.getsockname()[:2])) for each in rest if each.family != socket.AF_UNIX]
        if not self._held:
            self._left.clear()
            for each in rest:
                each.close()
        return addresses


async def listening_sockets(host: str, port: int, name: str, inherited: InheritedSockets) -> list[socket.socket]:
    """The sockets for an address, one for each that ``host`` stands for. Raises OSError."""
    sockets: list[socket.socket] = []
    try:
        for family, address in await _addresses(host):
            opened = inherited.take(name, socket.SOCK_STREAM, family, address, port)
            if opened is None:
                opened = _listening(family, address, port)
            opened.setblocking(False)
            sockets.append(opened)
            port = port or opened.getsockname()[1]
    except BaseException:
        for opened in sockets:
            opened.close()
        raise
    return sockets


def _spelled(host: str) -> str:
    """A host in an address of the site file: nothing for all of them."""
    if host in ("::", "0.0.0.0"):
        return ""
    return f"[{host}]" if ":" in host else host


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
        opened.bind((address, port))
        opened.listen(BACKLOG)
    except BaseException:
        opened.close()
        raise
    return opened
