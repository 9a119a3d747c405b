"""Only the driver's own sequences reach the terminal, whatever a widget paints."""

from __future__ import annotations

import pytest
from rich.segment import Segment
from textual.color import Color

from rproxy_tui.driver import COMMANDS, FOREIGN, OnlyText
from tests.poison import OBEYED, POISON

PICTURE = "\x1b[3;1H\x1b[1;38;2;1;2;3mtext\x1b[0m\n"


def test_a_picture_passes_as_it_is_and_what_is_foreign_in_it_is_dropped() -> None:
    assert FOREIGN.sub("", PICTURE) == PICTURE
    assert FOREIGN.sub("", f"{PICTURE}\x1b]0;PWN\x07\x9b31m\x1b[2J\x1b[?1049h\r\t\x7f\u202e") == (
        f"{PICTURE}]0;PWN31m[2J[?1049h"
    )


def test_a_text_with_a_sequence_that_the_driver_has_too_is_no_sequence_any_more() -> None:
    segments = [Segment("a\x1b[31mb\x1b[1;1Hc"), Segment(POISON)]
    passed = "".join(segment.text for segment in OnlyText().apply(segments, Color(0, 0, 0)))
    assert passed.startswith("a[31mb[1;1Hc")
    assert not OBEYED.search(passed)
    assert "\n" not in passed


@pytest.mark.parametrize("command", ["\x1b[?1049h\x1b[?25l", "\x1b]52;c;YQ==\x07", "\x1b[?2048$p", "\x1b[<u"])
def test_what_is_said_to_the_terminal_beside_pictures_passes(command: str) -> None:
    assert COMMANDS.fullmatch(command)


@pytest.mark.parametrize("command", ["\x1b]52;c;YQ==\x07\x1b]0;x\x07", "\x1b]0;x\x07", "\x1b[?1049h\x1b[2J", "\x07"])
def test_nothing_else_is(command: str) -> None:
    assert not COMMANDS.fullmatch(command)
