"""What tests of screens share: the console running on an engine, and the text that is on the screen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from unittest.mock import patch

from textual._context import visible_screen_stack
from textual.pilot import Pilot

from proxy_core.control.door.remote_view import RemoteView
from proxy_core.control.view import EngineView
from rproxy_tui.app import ConsoleApp

SIZES = [(60, 15), (80, 24), (120, 40)]


def text(app: ConsoleApp) -> str:
    """The screen as lines of text, as the terminal would show it (dialogs on top of what is under them)."""
    visible_screen_stack.set(app._background_screens)
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)


@asynccontextmanager
async def console(
    engine: EngineView,
    size: tuple[int, int] = (80, 24),
    page: str = "",
    *,
    read_only: bool = False,
    attachment: RemoteView | None = None,
) -> AsyncIterator[Pilot[None]]:
    """The console on ``engine``, shown once; ``page`` is the key of the page that it opens with."""
    with patch.object(ConsoleApp, "DEFAULT_MODE", page or ConsoleApp.DEFAULT_MODE):
        you = {"author": attachment.you} if attachment else {}
        app = ConsoleApp(engine, read_only=read_only, attachment=attachment, **you)
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        yield pilot


async def settled(pilot: Pilot[None]) -> None:
    """Wait until commands, questions and the tick after them are done and painted."""
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    await pilot.pause()
    app.tick()
    await pilot.pause()


async def until(pilot: Pilot[None], condition: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
    """Wait for a condition, with a deadline; the screen's text is in the failure's message."""
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}\n{text(app)}")
        await asyncio.sleep(0.01)
        await settled(pilot)
