"""The next key waits for what the one before it did, and no longer."""

from __future__ import annotations

import asyncio

from textual import work
from textual.screen import Screen

from rproxy_tui.settling import APPLY, LONGEST, settled, way_of_a_key
from rproxy_tui.widgets.dialogs import Choice
from tests.screens.fake import FakeEngine
from tests.screens.helpers import console, until


class AskingScreen(Screen[None]):
    """Asks before it applies."""

    @work(name=APPLY)
    async def action_apply(self) -> None:
        await self.app.push_screen_wait(Choice("Sure?", "", (("y", "Yes"), ("n", "No"))))
        self.dismiss()


async def test_a_question_that_is_asked_before_something_is_applied_takes_keys_at_once() -> None:
    async with console(FakeEngine()) as pilot:
        app, asking = pilot.app, AskingScreen()
        await app.push_screen(asking)
        way = way_of_a_key(app)
        asking.action_apply()
        async with asyncio.timeout(LONGEST / 2):
            await settled(app, way)
        assert isinstance(app.screen, Choice)
        await pilot.press("y")
        await until(pilot, lambda: asking not in app.screen_stack, "it is applied")
