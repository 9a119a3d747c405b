"""What is shown to whoever has never seen the console, once."""

from __future__ import annotations

from pathlib import Path

from rproxy_tui.app import ConsoleApp
from rproxy_tui.screens.first_run import FirstRunScreen, first_run
from tests.screens.fake import FakeEngine
from tests.screens.helpers import settled, text


def test_it_is_shown_once_for_each_user(tmp_path: Path) -> None:
    assert first_run(tmp_path / "state" / "rproxy") is not None
    assert first_run(tmp_path / "state" / "rproxy") is None


def test_where_nothing_can_be_remembered_it_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert first_run(tmp_path / "file") is None


async def test_six_lines_teach_the_first_keys_and_any_key_takes_them_away() -> None:
    fake = FakeEngine()
    app = ConsoleApp(fake, welcome=FirstRunScreen())
    async with app.run_test(size=(60, 15)) as pilot:
        await settled(pilot)
        shown = text(app)
        assert "7 members" in shown
        keys = [line.split("│")[1].split()[0] for line in shown.splitlines() if line.count("│") == 2]
        assert keys == ["4", "2", "w", "[", "u", "?"]
        await pilot.press("D")
        assert len(app.screen_stack) == 1
        assert not fake.commands
