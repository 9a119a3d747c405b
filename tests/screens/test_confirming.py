"""A change that is made for a while: every page counts it down, one key keeps it, another takes it back."""

from __future__ import annotations

from tests.screens.fake import FakeEngine
from tests.screens.helpers import console
from tests.screens.test_form import MEMBER, open_form, shows


async def test_a_form_applies_for_a_while_and_y_keeps_it() -> None:
    engine = FakeEngine()
    async with console(engine) as pilot:
        await open_form(pilot, MEMBER)
        await pilot.press("down", "end", "5", "f2")
        await shows(pilot, "5: backend → api")
        await pilot.press("c", "ctrl+t")
        await shows(pilot, "takes itself back in")
        assert engine.site().site.balancers["backend"].members["b"].weight == 25
        assert "25" not in engine.editor.file.read_text()
        await pilot.press("7")
        await shows(pilot, "y keeps it   n takes it back")
        await pilot.press("y")
        await shows(pilot, "confirmed: set weight of backend/b to 25")
        assert engine.snapshot().pending is None


async def test_a_question_applies_for_a_while_and_n_takes_it_back_on_any_page() -> None:
    engine = FakeEngine()
    async with console(engine, page="4") as pilot:
        await pilot.press("D")
        await shows(pilot, "Apply for 60 s (A)")
        await pilot.press("w")
        await shows(pilot, "5 of 10 requests (50.0 %) would go elsewhere.")
        await pilot.press("c")
        await shows(pilot, "Apply for 60 s (A)")
        await pilot.press("A")
        await shows(pilot, "takes itself back in")
        await pilot.press("6", "n")
        await shows(pilot, "undo: drain backend/a")
        assert engine.site().site.balancers["backend"].members["a"].status == "enabled"
