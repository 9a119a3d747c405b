"""The frame: tabs, vital signs and hints fit every width; keys go where they say; commands tell what came of them."""

from __future__ import annotations

import pytest

from tests.screens.fake import FakeEngine
from tests.screens.helpers import SIZES, console, settled, text


@pytest.mark.parametrize("size", SIZES)
async def test_every_page_shows_tabs_vital_signs_and_hints_within_the_width(size: tuple[int, int]) -> None:
    async with console(FakeEngine(), size) as pilot:
        for key, heading in [("2", "Traffic"), ("3", "Routes"), ("4", "Balancers"), ("7", "History")]:
            await pilot.press(key)
            await settled(pilot)
            lines = text(pilot.app).splitlines()
            assert f"{key} {heading}" in lines[0]
            assert "site.toml" in lines[0]
            assert "saved" in lines[0]
            assert "req/s" in lines[-2]
            assert "? Help" in lines[-1]
            assert len(lines) == size[1]
            assert max(map(len, lines)) <= size[0]


async def test_undo_with_nothing_to_undo_says_so() -> None:
    async with console(FakeEngine()) as pilot:
        await pilot.press("u")
        await settled(pilot)
        assert "nothing to take back" in text(pilot.app)
