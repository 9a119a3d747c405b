"""The whole console shows a recording, goes through its time, and is left without a question."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from proxy_core.control.cli.asked_moment import moment_of
from proxy_core.control.recording.recorded_view import RecordedView
from rproxy_tui.__main__ import main
from rproxy_tui.app import ConsoleApp
from rproxy_tui.time_cursor import TimeCursor
from tests.control.recording.night import BEGAN, recorded
from tests.screens.helpers import console, text, until

PAGES = {"1": "a ", "2": "/old/240", "3": "three", "5": "there", "7": "a journal was lost", "6": "", "4": "shop"}
"""What stands on each page."""


@pytest.fixture
def view(tmp_path: Path) -> Iterator[RecordedView]:
    recorded(tmp_path / "site.rec")
    view = RecordedView(tmp_path / "site.rec")
    yield view
    view.close()


async def test_every_page_shows_it_the_cursor_goes_to_its_oldest_moment_and_q_leaves(
    view: RecordedView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    async with console(view, (120, 40), read_only=True) as pilot:
        app = pilot.app
        assert isinstance(app, ConsoleApp)
        app.time = TimeCursor(view.span)
        for page, shown in PAGES.items():
            await pilot.press(page)
            await pilot.pause()
            assert shown in text(app), page
            assert "read-only" in text(app)
        await pilot.press("left_curly_bracket", "2")
        await pilot.pause()
        assert app.snapshot.at == BEGAN + 10
        assert "/old/9?token=(masked)" in text(app)
        assert "/old/11?" not in text(app)
        app.notes_anyway = True
        await pilot.press("!")
        await until(pilot, lambda: "note written" in text(app), "the note is written")
        (note,) = tmp_path.rglob("README.md")
        assert f"to {datetime.fromtimestamp(BEGAN + 10):%H:%M:%S}" in note.read_text()
        assert "/old/3?token=(masked)" in note.read_text()
        await pilot.press("q")
        await pilot.pause()
    assert app.return_value in ("drain", "serve")


END = datetime(2026, 12, 1, 9, 30, 5).timestamp()


@pytest.mark.parametrize(("text", "wanted"), [
    ("02:30", (1, 2, 30, 0)), ("09:30:05", (1, 9, 30, 5)), ("09:30:06", (30, 9, 30, 6)), ("23:59", (30, 23, 59, 0)),
    ("2026-11-30 02:30", (30, 2, 30, 0)), ("2026-12-01 02:30:15", (1, 2, 30, 15)),
])  # fmt: skip
def test_a_time_is_the_last_such_before_the_end(text: str, wanted: tuple[int, int, int, int]) -> None:
    day, hour, minute, second = wanted
    month = 12 if day == 1 else 11
    assert moment_of(text, END) == datetime(2026, month, day, hour, minute, second).timestamp()


def test_what_is_no_time_is_told() -> None:
    with pytest.raises(ValueError, match="half past two is no time: say 02:30"):
        moment_of("half past two", END)


def test_a_database_that_is_no_recording_is_told_and_not_taken_for_a_site_file(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    database = sqlite3.connect(tmp_path / "other.db")
    database.execute("CREATE TABLE mine (a)")
    database.close()
    assert main([str(tmp_path / "other.db")]) == 2
    assert capfd.readouterr().err.endswith("other.db: it is no recording of rproxy\n")
