"""Where a terminal has 16 colours, states still differ and the cursor is seen."""

from __future__ import annotations

import pytest
from rich.color import Color, ColorSystem
from textual.theme import Theme

from rproxy_tui.theme import IN_16_COLOURS, THEMES


def nearest(colour: str | None) -> int | None:
    """The number of the colour that a terminal of 16 shows."""
    assert colour is not None
    return Color.parse(colour).downgrade(ColorSystem.STANDARD).number


@pytest.mark.parametrize("theme", IN_16_COLOURS[:2], ids=lambda theme: theme.name)
def test_states_accent_and_text_are_different_colours_and_none_is_the_background(theme: Theme) -> None:
    shown = [theme.accent, theme.success, theme.warning, theme.error, theme.foreground, theme.secondary]
    assert len({nearest(each) for each in (*shown, theme.background)}) == 7


@pytest.mark.parametrize("theme", IN_16_COLOURS, ids=lambda theme: theme.name)
def test_the_cursor_is_seen_and_what_is_under_it_too(theme: Theme) -> None:
    cursor = nearest(theme.variables["block-cursor-background"])
    assert cursor not in (nearest(theme.background), nearest(theme.foreground))


def test_each_theme_is_there_in_16_colours() -> None:
    assert [each.name for each in IN_16_COLOURS] == [each.name for each in THEMES]
