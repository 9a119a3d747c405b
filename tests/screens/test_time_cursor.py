"""The time cursor: every page shows the moment that it is on, and nothing is changed while that is past."""

from __future__ import annotations

from textual.pilot import Pilot

from proxy_core.control.view import Snapshot
from rproxy_tui import words
from rproxy_tui.app import ConsoleApp
from rproxy_tui.time_cursor import TimeCursor
from tests.screens.fake import FakeEngine
from tests.screens.helpers import console, text
from tests.screens.numbers import START


def engine() -> FakeEngine:
    """A minute, with a moment kept each ten seconds; member a is ill in the second of them."""
    made = FakeEngine()
    for n in range(6):
        made.advance(10)
        made.health["backend", "a"] = "ejected" if n == 1 else "up"
        made.keep()
    return made


def moved(cursor: TimeCursor, fake: FakeEngine, *seconds: float) -> Snapshot:
    now = fake.snapshot()
    shown = now
    for each in seconds:
        cursor.move(each, now.at)
        shown = cursor.look(fake.snapshot_at, now)
    return shown


def test_it_goes_back_and_on_by_steps_and_ends_at_now_and_at_the_oldest() -> None:
    fake, cursor = engine(), TimeCursor()
    assert moved(cursor, fake, -10, -10).at == START + 40
    assert cursor.words(fake.now) == f"{words.clock(START + 40)}, 20 s ago"
    assert moved(cursor, fake, 10).at == START + 50
    assert moved(cursor, fake, 10).at == fake.now
    assert cursor.words(fake.now) == ""
    assert moved(cursor, fake, -300).at == START + 10
    assert moved(cursor, fake, 10, 10).at == START + 30, "it has not gone beyond the oldest"
    assert moved(cursor, fake, 300).past is False


def test_what_is_on_its_way_leaves_the_picture_before_it_and_says_so() -> None:
    fake, cursor = engine(), TimeCursor()
    now = fake.snapshot()
    cursor.move(-20, now.at)
    assert cursor.look(lambda at: None, now) is now
    assert cursor.words(now.at).endswith("is on its way")
    assert cursor.look(fake.snapshot_at, now).at == START + 40
    assert "way" not in cursor.words(now.at)
    cursor.move(-13, now.at)
    cursor.look(lambda at: None, now)
    assert (found := cursor.refusal()) is not None
    assert found.what.startswith(f"{words.clock(START + 40)} is shown"), "as the status line says"


def test_a_moment_is_asked_for_once() -> None:
    fake, cursor, asked = engine(), TimeCursor(), list[float]()
    now = fake.snapshot()

    def ask(at: float) -> Snapshot:
        asked.append(at)
        return fake.snapshot_at(at)

    cursor.move(-10, now.at)
    for _ in range(3):
        cursor.look(ask, now)
    assert len(asked) == 1


def test_where_nothing_is_kept_it_is_now() -> None:
    fake, cursor = FakeEngine(), TimeCursor()
    assert moved(cursor, fake, -10).past is False
    assert cursor.refusal() is None


async def test_pages_show_the_moment_keys_change_nothing_and_zero_is_now() -> None:
    fake = engine()
    async with console(fake, (120, 40), page="4") as pilot:
        now = screen(pilot)
        assert "ejected" not in now
        await pilot.press(*("[",) * 4)
        assert f"◀ {words.clock(START + 20)}, 40 s ago" in screen(pilot)
        assert "▲ ejected" in screen(pilot)
        before = fake.site()
        await pilot.press("D")
        assert "changes are made now, press 0 for now first" in " ".join(screen(pilot).split())
        await pilot.press("+", "3", "t")
        assert fake.site() == before
        assert f"◀ {words.clock(START + 20)}" in screen(pilot), "it stays from page to page"
        await pilot.press("0", "4")
        assert "◀" not in screen(pilot)
        assert "ejected" not in screen(pilot)
        await pilot.press("+")
        assert fake.site() != before


async def test_the_log_shows_no_request_from_after_the_moment_and_says_until_when_it_is() -> None:
    fake = engine()
    async with console(fake, (80, 24), page="2") as pilot:
        await pilot.press("[", "[")
        times = [line.split()[0] for line in screen(pilot).splitlines() if line.split()[1:2] == ["·"]]
        assert times
        assert max(times) < words.clock(START + 40)
        assert f"◀ until {words.clock(START + 40)}" in screen(pilot)
        assert "following" not in screen(pilot)
        await pilot.press("0")
        assert "following" in screen(pilot)


def screen(pilot: Pilot[None]) -> str:
    assert isinstance(pilot.app, ConsoleApp)
    return text(pilot.app)
