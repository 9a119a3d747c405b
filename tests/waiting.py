"""Waiting for what tells nobody: files, counters, other processes. Asked again and again, with an end to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

PATIENCE = 20.0
"""Seconds after which a test that waits has failed; far above what is needed, for machines are shared."""


async def until(true: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait until a condition is true; AssertionError when that takes longer than ``seconds``."""
    end = monotonic() + seconds
    while not true():
        assert monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.005)


async def still(number: Callable[[], int]) -> int:
    """Wait until a number no longer changes, however often all others have had their turn; returns it."""
    before, looks = number(), 0
    while looks < 20:
        await asyncio.sleep(0.01)
        before, looks = (before, looks + 1) if number() == before else (number(), 0)
    return before
