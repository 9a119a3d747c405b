"""Long work in the loop that serves requests, in pieces between which requests have their turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from time import perf_counter
from typing import TypeVar

Row = TypeVar("Row")
AT_ONCE = 100
"""Rows of a piece."""
SLICE = 0.002
"""Seconds of work after which requests have a turn."""


async def in_turns(rows: Sequence[Row]) -> AsyncIterator[Sequence[Row]]:
    """The rows in pieces. Whoever works on them gives way every few milliseconds."""
    began = perf_counter()
    for at in range(0, len(rows), AT_ONCE):
        yield rows[at : at + AT_ONCE]
        if perf_counter() - began > SLICE:
            await asyncio.sleep(0)
            began = perf_counter()


async def passing(rows: Sequence[Row], holds: Callable[[Row], bool]) -> list[Row]:
    """Those that it holds for."""
    found: list[Row] = []
    async for piece in in_turns(rows):
        found += filter(holds, piece)
    return found
