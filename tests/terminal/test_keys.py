"""Keys that come in one write are worked off in order, each after the focus that the one before it made."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.poison import OBEYED, worst_site
from tests.terminal.terminal import Terminal

RULES = """\
version = 1

[listeners.http]
address = "127.0.0.1:0"

[[rewrites]]
id = "old-pages"
pattern = '^/old/(.*)$'
substitution = 'http://127.0.0.1:20015/old/$1'
flags = ["P"]

[[routes]]
id = "rest"
path = "/"
proxy = "http://127.0.0.1:20015/"
"""
DOWN, ESC = "\x1b[B", "\x1b"
OWN = re.compile(
    r"\x1b\[[\d;]*[mH]|\x1b\[\?[\d;]+(?:[hl]|\$p)|\x1b\[[<>]\d*u|\x1b\]22;[a-z]*\x07|\x1b\]52;c;[\w+/=]*\x07|[\r\n]"
)
"""All that the driver says to a terminal beside text."""


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    file = tmp_path / "site.toml"
    file.write_text(RULES)
    terminal = Terminal(file)
    terminal.shows("req/s", 30)
    yield terminal
    terminal.kill()


def form(terminal: Terminal) -> None:
    """The form of the rule, with the cursor in its first field."""
    terminal.press("5")
    terminal.shows("old-pages")
    terminal.press("e")
    terminal.shows("edit rule old-pages")
    terminal.shows("nothing changed yet")


def test_letters_go_where_they_were_typed_though_the_focus_moves_after_them(terminal: Terminal) -> None:
    form(terminal)
    terminal.press("\x7f" * 4 + DOWN * 4)
    terminal.shows('id = "old-p"')
    assert "20015/o$" not in terminal.output


def test_a_page_and_the_keys_of_what_it_opens_come_in_one_write(terminal: Terminal) -> None:
    terminal.press("5e\x7f\x7f" + DOWN)
    terminal.shows('id = "old-pag"')


def test_escape_and_another_key_are_two_keys(terminal: Terminal) -> None:
    form(terminal)
    terminal.forget()
    terminal.press(f"{ESC}2")
    terminal.shows("following")
    assert "pages2" not in terminal.output


def test_escapes_ask_stay_and_ask_again_and_no_key_acts_on_a_question_that_is_gone(terminal: Terminal) -> None:
    form(terminal)
    terminal.press("X" + ESC)
    terminal.shows("Leave without applying?")
    for escapes in (1, 2, 6, 11):
        terminal.press(ESC * escapes)
    terminal.press("n" * 3)
    terminal.forget()
    terminal.press("Y" + ESC + "y2")
    terminal.shows("following")
    assert "crashed" not in terminal.output


def test_enter_applies_and_the_next_key_is_the_page_s(terminal: Terminal) -> None:
    form(terminal)
    terminal.press("X\r2")
    terminal.shows("applied as g2")
    terminal.shows("following")


def test_what_is_pasted_runs_no_key(terminal: Terminal) -> None:
    terminal.press(f"5\x1b[200~d\ry{ESC}qq{ESC}{ESC}[Ae\x1b[201~2")
    terminal.shows("following")
    assert "Delete rule" not in terminal.output
    assert "edit rule" not in terminal.output


def test_a_terminal_gets_nothing_but_the_driver_s_own_sequences(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text(worst_site().replace("127.0.0.1:8080", "127.0.0.1:0"))
    terminal = Terminal(file, size=(120, 40))
    try:
        terminal.shows("req/s", 30)
        for keys in ("3", "e", DOWN + ESC, "5", "e", ESC, "6", "m", ESC, "7", "4", "m", ESC, "p", ESC, ":", "edit", ESC,
                     "W/r\r", ESC, "?", ESC, "1"):  # fmt: skip
            terminal.press(keys)
        terminal.press("2")
        terminal.shows("following", 60)
        assert terminal.stop() == 0
        terminal.shows("stopped, 0 cut")  # so that no sequence is cut in the middle
        assert "\\x1b]0;PWN" in terminal.output
        assert not (found := OBEYED.search(OWN.sub("", terminal.output))), repr(found)
    finally:
        terminal.kill()
