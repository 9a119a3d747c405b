"""What the tests of maps share: opening the maps of a site, and programs that misbehave in one way each."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from proxy_core.config.model import RewriteMap, Site
from proxy_core.runtime.maps.store import MapStore
from tests.waiting import PATIENCE


@asynccontextmanager
async def maps_of(folder: Path, **settings: Any) -> AsyncIterator[MapStore]:
    """The maps of a site with one map, ``m``, in force; a program may take its time unless ``timeout`` is given."""
    if settings["type"] == "prg":
        settings = {"timeout": PATIENCE} | settings
    async with maps_in_force(folder, {"m": RewriteMap(**settings)}) as maps:
        yield maps


@asynccontextmanager
async def maps_in_force(folder: Path, named: dict[str, RewriteMap], **arguments: Any) -> AsyncIterator[MapStore]:
    maps = MapStore(**arguments)
    prepared = await maps.prepare(Site(maps=named), folder)
    assert not prepared.problems, str(prepared.problems)
    maps.commit(prepared)
    try:
        yield maps
    finally:
        await maps.close()


async def asked(maps: MapStore, key: str, name: str = "m") -> str | None:
    """What a request gets for ``key``: at once where that is possible, else by waiting."""
    known, value = maps.ask(name, key)
    return value if known else await maps.answer(name, key)


def python(code: str) -> tuple[str, ...]:
    """A command that runs ``code``; ``ask()`` reads a key (or ends the program), ``say`` writes a line."""
    before = (
        "import os, signal, sys, time\n"
        "def ask():\n    line = sys.stdin.readline()\n    return line[:-1] if line else sys.exit(0)\n"
        "def say(*words, end='\\n'):\n    sys.stdout.write(' '.join(words) + end)\n    sys.stdout.flush()\n"
    )
    return (sys.executable, "-S", "-c", before + code)


async def answered(maps: MapStore, key: str) -> str | None:
    """The first answer for ``key`` that is no miss: a program that was killed takes a moment to start again."""
    async with asyncio.timeout(20):
        while (value := await maps.answer("m", key)) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    return value
