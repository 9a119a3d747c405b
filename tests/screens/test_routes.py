"""The routes page: file order, hits, warnings with their fix, and edits that keep the cursor on its row."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from proxy_core.config.model import Route
from rproxy_tui.app import ConsoleApp
from rproxy_tui.screens.routes import RoutesPage
from tests.screens.fake import FakeEngine
from tests.screens.helpers import SIZES, console, settled, text, until
from tests.screens.sites import EMPTY
from tests.screens.wire import Serialised


def engine() -> FakeEngine:
    made = FakeEngine()
    made.advance(20)
    return made


def screen(pilot: Pilot[None]) -> str:
    assert isinstance(pilot.app, ConsoleApp)
    return text(pilot.app)


def ids(fake: FakeEngine) -> list[str]:
    return [row.id for row in fake.site().site.routes]


def row(fake: FakeEngine, id: str) -> Route:
    return next(row for row in fake.site().site.routes if row.id == id)


def cursor(pilot: Pilot[None]) -> str:
    page = pilot.app.screen
    assert isinstance(page, RoutesPage)
    return page.table.cursor


async def go_to(pilot: Pilot[None], id: str) -> None:
    page = pilot.app.screen
    assert isinstance(page, RoutesPage)
    page.table.go_to(id)
    await settled(pilot)


async def shown(pilot: Pilot[None], words: str) -> None:
    await until(pilot, lambda: words in screen(pilot), f"{words!r} on the screen")


@pytest.mark.parametrize("size", SIZES)
async def test_rows_stand_in_file_order_with_what_they_do_and_how_much_they_are_used(size: tuple[int, int]) -> None:
    fake = engine()
    async with console(Serialised(fake), size, page="3") as pilot:
        await shown(pilot, " path ")
        lines = screen(pilot).splitlines()
        lines = lines[next(n for n, line in enumerate(lines) if " path " in line) :]
        paths = [row.path for row in fake.site().site.routes][:7]
        at = [next(n for n, line in enumerate(lines) if f" {path} " in line) for path in paths]
        assert at == sorted(at)
        assert "✕ except" in lines[at[0]]
        assert "○ off" in lines[at[ids(fake).index("reports")]]
        assert "▲ shadowed" in lines[at[ids(fake).index("old-api")]]
        assert f" {fake.hits['service'][0]} " in f"{lines[at[1]]} "


async def test_a_row_shows_its_last_hit_and_its_rate() -> None:
    fake = engine()
    async with console(fake, (120, 40), page="3") as pilot:
        fake.rate = 0
        fake.hits["service"] = (5, fake.now)
        fake.advance(7)
        await settled(pilot)
        line = next(line for line in screen(pilot).splitlines() if " /service " in line)
        assert line.endswith("7 s ago")


async def test_the_warning_of_the_row_under_the_cursor_is_told_and_one_key_puts_it_right() -> None:
    fake = engine()
    async with console(fake, page="3") as pilot:
        await go_to(pilot, "old-api")
        words = " ".join(screen(pilot).split())
        assert "so this row never gets a request" in words
        assert "move it above api: f does it" in words
        await pilot.press("f")
        await until(pilot, lambda: ids(fake).index("old-api") < ids(fake).index("api"), "the row above its shadow")
        assert cursor(pilot) == "old-api"


async def test_f_says_that_there_is_nothing_to_fix() -> None:
    fake = engine()
    async with console(fake, page="3") as pilot:
        await pilot.press("f")
        await shown(pilot, "nothing to move")
        assert not fake.commands


async def test_moving_a_row_keeps_the_cursor_on_it() -> None:
    fake = engine()
    async with console(fake, page="3") as pilot:
        before = ids(fake)
        await go_to(pilot, "api")
        await pilot.press("K")
        await until(pilot, lambda: ids(fake).index("api") == before.index("api") - 1, "the row one up")
        assert cursor(pilot) == "api"
        await pilot.press("J")
        await until(pilot, lambda: ids(fake) == before, "the row where it was")
        assert cursor(pilot) == "api"


async def test_a_row_at_the_end_does_not_move_and_the_console_says_so() -> None:
    fake = engine()
    async with console(fake, page="3") as pilot:
        await pilot.press("G", "J")
        await shown(pilot, "last row already")
        assert not fake.commands


async def test_excepting_a_path_puts_the_exception_above_the_route_that_takes_it() -> None:
    fake = engine()
    async with console(fake, page="3") as pilot:
        await go_to(pilot, "api")
        await pilot.press("x")
        await shown(pilot, "Keep which path")
        await pilot.press(*"admin")
        await shown(pilot, "+except = true")
        await pilot.press("enter")
        await until(pilot, lambda: len(ids(fake)) == 9, "the new row")
        routes = fake.site().site.routes
        at = ids(fake).index("api")
        assert (routes[at - 1].path, routes[at - 1].except_) == ("/api/admin", True)
        assert cursor(pilot) == routes[at - 1].id
        await pilot.press("u")
        await until(pilot, lambda: len(ids(fake)) == 8, "undo takes it back")


async def test_the_prompt_says_why_there_is_nothing_to_except_and_submits_nothing() -> None:
    fake = engine()
    async with console(fake, page="3") as pilot:
        await go_to(pilot, "no-index")
        await pilot.press("x")
        await shown(pilot, "Keep which path")
        await shown(pilot, "The exception no-index takes /service/index/ already.")
        await pilot.press("enter", "escape")
        await settled(pilot)
        assert not fake.commands


async def test_deleting_asks_with_the_hits_and_says_who_takes_the_requests() -> None:
    fake = engine()
    async with console(fake, page="3") as pilot:
        await go_to(pilot, "service")
        hits = fake.hits["service"][0]
        await pilot.press("d")
        await shown(pilot, f"Delete route service ({hits} hits, the last")
        assert "Its requests will go to route root" in " ".join(screen(pilot).split())
        await pilot.press("n")
        await settled(pilot)
        assert "service" in ids(fake)
        await pilot.press("d")
        await shown(pilot, "Delete route service")
        await pilot.press("y")
        await until(pilot, lambda: "service" not in ids(fake), "the row gone")
        assert cursor(pilot) == "api"


async def test_a_row_in_use_asks_before_it_is_disabled_and_an_unused_one_does_not() -> None:
    fake = engine()
    async with console(fake, page="3") as pilot:
        await go_to(pilot, "old-api")
        await pilot.press("t")
        await until(pilot, lambda: not row(fake, "old-api").enabled, "off at once")
        await pilot.press("t")
        await until(pilot, lambda: row(fake, "old-api").enabled, "on again")
        await go_to(pilot, "service")
        await pilot.press("t")
        await shown(pilot, "Disable route service")
        assert row(fake, "service").enabled
        await pilot.press("y")
        await until(pilot, lambda: not row(fake, "service").enabled, "off after the question")


async def test_an_empty_page_says_how_to_fill_it_also_where_there_is_little_room() -> None:
    async with console(FakeEngine(EMPTY), (60, 15), page="3") as pilot:
        assert "No route yet: what no rule and no file answers gets 404." in screen(pilot)
        assert "Press a to add the first one" in screen(pilot)
        for key in "exdtfJK":
            await pilot.press(key)
        await settled(pilot)
        assert "No row here yet" in screen(pilot)


async def test_a_read_only_console_changes_nothing() -> None:
    fake = engine()
    async with console(fake, page="3", read_only=True) as pilot:
        await go_to(pilot, "api")
        await pilot.press("K")
        await shown(pilot, "read-only")
        assert not fake.commands


async def test_a_key_throws_out_what_is_kept_below_the_path_of_a_route_and_says_how_ctl_does_it() -> None:
    fake = engine()
    async with console(fake, (120, 40), page="3") as pilot:
        await pilot.press("P")
        await until(
            pilot, lambda: "2 kept answers thrown out: rproxy ctl purge --prefix" in screen(pilot), "what was done"
        )
        assert fake.purged == row(fake, cursor(pilot)).path
