"""Every screen as text, at three sizes, as it is kept in ``pictures``: a review sees what a change does to a screen.

``python -m tests.screens.test_pictures`` makes them anew; look at the difference before it is committed. One console
for each size walks through all of them, on made-up numbers whose time stands still.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from proxy_core.control.watching.effects import GenerationEffect, Side
from proxy_core.control.watching.troubles import Sign, Subject, Trouble
from rproxy_tui import sentences
from rproxy_tui.app import ConsoleApp
from rproxy_tui.page import Page
from tests.control.watching.test_details import step
from tests.screens.fake import FakeEngine
from tests.screens.helpers import SIZES, console, settled, text
from tests.screens.numbers import START
from tests.screens.sites import RULES

FOLDER = Path(__file__).parent / "pictures"
RENEW = "python -m tests.screens.test_pictures makes it anew; look at the difference before you commit it"

WALK = {
    "dashboard": "1", "traffic": "2", "inspector": "up|enter", "routes": "escape|3", "details": "j|j|enter",
    "balancers": "escape|4", "compare": "space|c", "drain": "escape|D", "rewrites": "escape|5",
    "tried": "T|/service1/x", "maps": "escape|6", "history": "7", "revert": "j|R", "form": "n|3|j|e",
    "past": "escape|1|[|[", "why": "0|W", "help": "escape|question_mark", "palette": "escape|colon",
}  # fmt: skip
"""What is pressed to get from one screen to the next."""
MOVING = (
    (re.compile(r" *\d+ % console"), "   0 % console"),
    (re.compile(r"/\S*fake-site-\w+/"), "/"),
)
"""What differs from run to run."""


@contextmanager
def still() -> Iterator[None]:
    """Generations are made when the made-up time begins, and clocks are those of UTC."""
    with patch.dict(os.environ, {"TZ": "UTC"}), patch("proxy_core.control.editing.editor.time") as clock:
        clock.time = lambda: START + 30
        time.tzset()
        yield
    time.tzset()


async def made_up() -> FakeEngine:
    """Two minutes of a shop with rules, three edits, and a member that is ill."""
    fake = FakeEngine(RULES, rate=8.0)
    fake.advance(60)
    for weight, author in ((2, "alice"), (3, "ctl")):
        await fake.submit(sentences.set_weights("backend", {"a": weight}), author)
    await fake.submit(sentences.toggle_row("routes", fake.site().site.routes[2]), "file")
    fake.advance(60)
    before, after = Side(900, 0.0, 0.02, 0.04, 300.0), Side(850, 0.004, 0.02, 0.042, 60.0)
    fake.effects = {3: GenerationEffect(before=before, after=after, first=2)}
    fake.hour = [step(n, errors=n // 12, pool="backend", route="api") for n in range(24)]
    sign = Sign(measure="5xx", part=0.021, expected=0.0, per_second=0.3, since=START + 60, found=START + 90)
    subject = Subject("member", "backend", "b")
    fake.troubles = (Trouble(subject=subject, signs=(sign,), p95=0.2, p95_expected=0.02, peers=2, generation=3),)
    for seconds in (20, 10):
        fake.kept.append(replace(fake.snapshot(), at=fake.now - seconds, past=True))
    return fake


async def pictures(size: tuple[int, int]) -> AsyncIterator[tuple[str, str]]:
    """Each screen's name and its text."""
    with still():
        async with console(await made_up(), size) as pilot:
            for name, keys in WALK.items():
                for key in keys.split("|"):
                    await pilot.press(*(key if "/" in key else (key,)))
                await settled(pilot)
                await done(pilot)
                yield name, _shown(pilot)


async def done(pilot: Pilot[None]) -> None:
    """Wait for what a page asks; a question to the person waits for ever."""
    app = pilot.app
    if isinstance(app.screen, Page):
        async with asyncio.timeout(20):
            await app.workers.wait_for_complete()
    await settled(pilot)


def _shown(pilot: Pilot[None]) -> str:
    assert isinstance(pilot.app, ConsoleApp)
    shown = text(pilot.app)
    for pattern, instead in MOVING:
        shown = pattern.sub(instead, shown)
    return shown + "\n"


def file_of(name: str, size: tuple[int, int]) -> Path:
    return FOLDER / f"{name}-{size[0]}x{size[1]}.txt"


@pytest.mark.parametrize(
    "size", [size if size == (80, 24) else pytest.param(size, marks=pytest.mark.soak) for size in SIZES]
)
async def test_every_screen_is_as_its_picture(size: tuple[int, int]) -> None:
    differ = [name async for name, shown in pictures(size) if file_of(name, size).read_text() != shown]
    assert not differ, f"{', '.join(differ)} at {size[0]}x{size[1]} are not as their pictures: {RENEW}"


async def renew() -> None:
    for size in SIZES:
        async for name, shown in pictures(size):
            file_of(name, size).write_text(shown)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    asyncio.run(renew())
    sys.stdout.write(f"{len(WALK) * len(SIZES)} pictures in {FOLDER}\n")
