"""From a key to the user's own file: the real engine on a scratch file, edited by keys alone."""

from __future__ import annotations

import difflib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from textual.pilot import Pilot

from proxy_core.control.engine import Engine
from rproxy_tui.app import ConsoleApp
from tests.screens.helpers import console, text, until

SITE = """\
version = 1

[listeners.http]
address = "127.0.0.1:0"   # any free port

# the shop, by whole segments
[[routes]]
path = "/shop"
proxy = "balancer://backend/shop"   # ends as it begins

# everything else
[[routes]]
id = "rest"
path = "/"
proxy = "balancer://backend/"

[balancers.backend]
method = "byrequests"

# the old machine
[balancers.backend.members.a]
url = "http://127.0.0.1:8000"
weight = 1      # twice the weight, twice the requests

[balancers.backend.members.b]
url = "http://127.0.0.1:8001"
"""


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    file = tmp_path / "site.toml"
    file.write_text(SITE)
    made = Engine(file)
    await made.start()
    yield made
    await made.stop(0)


def screen(pilot: Pilot[None]) -> str:
    assert isinstance(pilot.app, ConsoleApp)
    return " ".join(text(pilot.app).replace("│", " ").split())


async def shown(pilot: Pilot[None], words: str) -> None:
    await until(pilot, lambda: words in screen(pilot), f"{words!r} on the screen")


async def applied(pilot: Pilot[None], engine: Engine, sentence: str) -> None:
    await until(pilot, lambda: engine.history()[-1].sentence == sentence, f"{sentence!r} applied")


def lines(before: str, after: str) -> list[str]:
    """The lines that differ, without what is round them and the empty ones between rows."""
    return [line for line in difflib.ndiff(before.splitlines(), after.splitlines()) if line[0] in "+-" and line[2:]]


async def test_six_edits_by_keys_change_exactly_their_lines_of_the_file(engine: Engine) -> None:
    async with console(engine, page="4") as pilot:
        await shown(pilot, "▸ backend")
        await pilot.press("plus", "plus")
        await applied(pilot, engine, "set weight of backend/a to 3")
        await pilot.press("j", "D")
        await shown(pilot, "Drain backend/b?")
        await pilot.press("y")
        await applied(pilot, engine, "drain backend/b")
        await pilot.press("3")
        await shown(pilot, "takes /shop and all below it")
        await pilot.press("x", *"cart")
        await shown(pilot, "except /shop/cart from shop")
        await pilot.press("enter")
        await applied(pilot, engine, "except /shop/cart from shop")
        await pilot.press("j", "t")
        await until(pilot, lambda: not engine.site().site.routes[1].enabled, "the shop out of service")
        await pilot.press("u")
        await applied(pilot, engine, "undo: disable route shop")
        await pilot.press("J")
        await shown(pilot, "▲ shadowed")
        await pilot.press("f")
        await until(pilot, lambda: [row.id for row in engine.site().site.routes][1:] == ["shop", "rest"], "order again")
        await until(pilot, lambda: engine.snapshot().saved == "saved", "all saved")
    assert lines(SITE, engine.file.read_text()) == [
        "+ [[routes]]",
        '+ path = "/shop/cart"',
        "+ except = true",
        "- weight = 1      # twice the weight, twice the requests",
        "+ weight = 3      # twice the weight, twice the requests",
        '+ status = "draining"',
    ]


async def test_restoring_the_first_generation_brings_the_file_back_to_the_byte(engine: Engine) -> None:
    async with console(engine, page="4") as pilot:
        await shown(pilot, "▸ backend")
        await pilot.press("plus")
        await applied(pilot, engine, "set weight of backend/a to 2")
        await pilot.press("d")
        await shown(pilot, "Remove backend/a?")
        await pilot.press("y")
        await applied(pilot, engine, "remove backend/a")
        await pilot.press("7")
        await shown(pilot, "● in force")
        await pilot.press("G", "r")
        await shown(pilot, "Bring the site file back to generation 1?")
        await pilot.press("y")
        await until(pilot, lambda: engine.site().text == SITE, "the first text")
        await until(pilot, lambda: engine.snapshot().saved == "saved", "saved")
    assert engine.file.read_text() == SITE
