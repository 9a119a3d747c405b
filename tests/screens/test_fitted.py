"""What opens is laid out once; this also notices when Textual renames what that rests on."""

from __future__ import annotations

import pytest
from textual.geometry import Size
from textual.screen import Screen

from tests.screens.fake import FakeEngine
from tests.screens.helpers import console, settled


async def test_what_opens_is_laid_out_once_for_its_size_and_has_its_classes_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    laid_out: list[bool] = []
    real = Screen._refresh_layout

    def noted(self: Screen[object], size: Size | None = None, scroll: bool = False) -> None:
        if size is not None and type(self).__name__ == "FormScreen":
            laid_out.append(self.has_class("-wide"))
        real(self, size, scroll)

    monkeypatch.setattr(Screen, "_refresh_layout", noted)
    async with console(FakeEngine(), (120, 40), page="3") as pilot:
        await pilot.press("e")
        await settled(pilot)
        assert laid_out == [True]
        await pilot.press("escape")
        await pilot.resize_terminal(80, 24)
        await pilot.press("e")
        await settled(pilot)
        assert laid_out == [True, False]
        assert not pilot.app.screen.has_class("-low"), "the classes of the app's own breakpoints are kept"
