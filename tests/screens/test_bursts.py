"""Keys that come in one write do what they do when they come one by one."""

from __future__ import annotations

import random

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from rproxy_tui.app import ConsoleApp
from tests.screens.fake import FakeEngine
from tests.screens.helpers import console, settled
from tests.screens.sites import RULES

KEYS = [
    *("3", "4", "5", "6", "7"), *("e", "e", "e", "w", "a", "m", "x", "D", "d", "t", "J", "K", "r", "u", "U"), *"y2b./",
    *("down", "down", "up", "tab", "enter", "enter", "escape", "escape", "space", "right", "left", "backspace", "end"),
    *("+", "-", "c", "s", "?", "p", ":", "W"),
]  # fmt: skip
"""What is typed: keys that open, choose, answer, leave and write, those that matter most more often."""
LONG = 20
"""Keys in a row."""


def outcome(pilot: Pilot[None], engine: FakeEngine) -> tuple[object, ...]:
    """What was done, where the person is now, and what stands in every input."""
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    screens = [type(screen).__name__ for screen in app.screen_stack]
    texts = [each.value for each in app.screen.query(Input)]
    focus = (type(app.focused).__name__, app.focused.id) if app.focused else None
    return engine.commands, engine.site().text, screens, texts, focus


async def typed(keys: list[str], in_one_write: bool) -> tuple[object, ...]:
    engine = FakeEngine(RULES)
    async with console(engine, (100, 30), page="4") as pilot:
        for write in [keys] if in_one_write else [[key] for key in keys]:
            await pilot.press(*write)
            await settled(pilot)
        await pilot.pause(0.2)
        await settled(pilot)
        return outcome(pilot, engine)


@pytest.mark.parametrize("seed", [20, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(20))])
async def test_keys_in_one_write_do_what_they_do_one_by_one(seed: int) -> None:
    keys = random.Random(seed).choices(KEYS, k=LONG)
    assert await typed(keys, True) == await typed(keys, False), keys
