"""The rule tests in the console: what comes of each, and an edit that breaks one asks first."""

from __future__ import annotations

from proxy_core.control.editing.commands import Refused, Result
from proxy_core.errors import Problem
from tests.screens.fake import FakeEngine
from tests.screens.helpers import console
from tests.screens.sites import SITE
from tests.screens.test_form import MEMBER, open_form, shows

TESTS = """
[[tests]]
id = "good"
request = "GET http://localhost/nowhere-at-all"
pool = "backend"

[[tests]]
id = "bad"
request = "GET http://localhost/nowhere-at-all"
status = 500
"""


async def test_each_test_is_shown_with_what_comes_of_it_now_those_that_fail_first() -> None:
    async with console(FakeEngine(SITE + TESTS)) as pilot:
        await pilot.press("f3")
        await shows(pilot, "1 hold, 1 fail")
        await shows(pilot, "fails  bad")
        await shows(pilot, "status: none, expected 500")
        await pilot.press("enter")
        await shows(pilot, "edit test bad")


async def test_an_edit_that_breaks_a_test_asks_and_is_done_by_force() -> None:
    class Breaking(FakeEngine):
        async def submit(self, command, author="console", on=0) -> Result:  # type: ignore[no-untyped-def]
            if command.force:
                return await super().submit(command, author, on)
            return Refused(problems=(Problem(what="test good held and would fail"),), forcible=True)

    engine = Breaking()
    async with console(engine) as pilot:
        await open_form(pilot, MEMBER)
        await pilot.press("down", "end", "5", "enter")
        await shows(pilot, "test good held and would fail")
        await pilot.press("f")
        await shows(pilot, "applied as g2")
        assert engine.commands[-1].force  # type: ignore[union-attr]
