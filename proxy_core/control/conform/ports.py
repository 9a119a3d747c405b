"""Ports for those who have to be told one: each is kept from everybody else.

A port that was free a moment ago may be given away in the next. A bound socket that never listens holds it: nobody
gets it from port 0 or as the source of a connection, connections to it are refused, and whoever binds it by its number
with SO_REUSEADDR, as all servers here do, may listen.
"""

from __future__ import annotations

import socket

KEPT = 200
"""Ports that are held at most, far more than one user of this asks for."""
_held: list[socket.socket] = []


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on until the caller does."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    _held.append(held)
    if len(_held) > KEPT:
        _held.pop(0).close()
    port: int = held.getsockname()[1]
    return port
