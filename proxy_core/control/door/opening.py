"""Opening the door of a service, in whichever program serves it. aiohttp is imported here and not before."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from proxy_core.control.engine import Engine

if TYPE_CHECKING:
    from proxy_core.control.door.door import Door

Place = Path | Literal[False] | None
"""Where the socket is: what --control says; False for --no-control; None for where the site says."""


async def opened(
    engine: Engine,
    place: Place,
    stop: Callable[[], object],
    upgrade: Callable[[], Awaitable[str]],
    handed: tuple[socket.socket, Path] | None = None,
) -> Door | None:
    """The open door, on a socket that was ``handed`` over where there is one; None where there is to be none. One that
    cannot be opened is a problem of the engine."""
    if place is False:
        return None
    from proxy_core.control.door.door import Door

    door = Door(engine, place, stop, upgrade)
    await door.open(handed)
    engine.door_problem = lambda: door.problem
    return door
