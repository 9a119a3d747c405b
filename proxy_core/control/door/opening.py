"""Opening the door of a service, in whichever program serves it. aiohttp is imported here and not before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from proxy_core.control.engine import Engine

if TYPE_CHECKING:
    from proxy_core.control.door.door import Door

Place = Path | Literal[False] | None
"""Where the socket is: what --control says; False for --no-control; None for where the site says."""


async def opened(engine: Engine, place: Place, stop: Callable[[], object]) -> Door | None:
    """The open door; None where there is to be none. One that cannot be opened is a problem of the engine."""
    if place is False:
        return None
    from proxy_core.control.door.door import Door

    door = Door(engine, place, stop, engine.upgrade)
    await door.open()
    engine.door_problem = lambda: door.problem
    return door
