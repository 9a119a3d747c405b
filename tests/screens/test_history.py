"""The history page: every generation with its diff, and the ways back."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from proxy_core.control.editing.commands import Redo, Restore, Revert, Undo
from proxy_core.control.watching.effects import GenerationEffect, Side
from proxy_core.control.watching.troubles import Sign, Subject, Trouble
from rproxy_tui import sentences
from rproxy_tui.app import ConsoleApp
from rproxy_tui.screens.history import HistoryPage
from tests.screens.fake import FakeEngine
from tests.screens.helpers import SIZES, console, settled, text, until
from tests.screens.wire import Serialised


async def engine() -> FakeEngine:
    """Four generations: start, weight 2, weight 3, drain."""
    made = FakeEngine()
    for weight, author in ((2, "console"), (3, "ctl")):  # two nudges of one author would be one generation
        await made.submit(sentences.set_weights("backend", {"a": weight}), author)
    await made.submit(sentences.set_status("draining", "backend", "a"))
    return made


def screen(pilot: Pilot[None]) -> str:
    assert isinstance(pilot.app, ConsoleApp)
    return text(pilot.app)


def cursor(pilot: Pilot[None]) -> str:
    page = pilot.app.screen
    assert isinstance(page, HistoryPage)
    return page.table.cursor


async def shown(pilot: Pilot[None], words: str) -> None:
    await until(pilot, lambda: words in screen(pilot), f"{words!r} on the screen")


@pytest.mark.parametrize("size", SIZES)
async def test_generations_stand_newest_first_with_the_one_in_force_marked(size: tuple[int, int]) -> None:
    async with console(Serialised(await engine()), size, page="7") as pilot:
        await shown(pilot, "● in force")
        lines = screen(pilot).splitlines()
        heading = next(n for n, line in enumerate(lines) if line.split()[:1] == ["#"])
        assert [line.split()[0] for line in lines[heading + 1 : heading + 5]] == ["4", "3", "2", "1"]
        marked = [line for line in lines if "● in force" in line]
        assert len(marked) == 1
        assert "drain backend/a" in marked[0]


async def test_the_diff_is_that_of_the_generation_under_the_cursor() -> None:
    async with console(await engine(), (120, 40), page="7") as pilot:
        assert '+status = "draining"' in screen(pilot)
        await pilot.press("j")
        await shown(pilot, "+weight = 3")
        assert "-weight = 2" in screen(pilot)
        await pilot.press("G")
        await shown(pilot, "It changes no line of the file.")


@pytest.mark.parametrize(
    ("saved", "mark"), [("unsaved", "▲ unsaved"), ("failed", "■ unsaved"), ("drift", "▲ in force")]
)
async def test_what_is_in_force_but_not_on_disk_is_marked(saved: str, mark: str) -> None:
    fake = await engine()
    async with console(fake, page="7") as pilot:
        fake.saved = saved  # type: ignore[assignment]
        await shown(pilot, mark)


async def test_undo_and_redo_make_new_generations_and_the_cursor_follows_the_newest() -> None:
    fake = await engine()
    async with console(fake, page="7") as pilot:
        await pilot.press("u")
        await until(pilot, lambda: fake.history()[-1].number == 5, "a fifth generation")
        assert fake.site().site.balancers["backend"].members["a"].status == "enabled"
        await until(pilot, lambda: cursor(pilot) == "5", "the cursor on the newest")
        await pilot.press("U")
        await until(pilot, lambda: fake.history()[-1].number == 6, "a sixth generation")
        assert fake.commands[-2:] == [Undo(), Redo()]


async def test_a_new_generation_does_not_move_the_cursor_off_an_older_one() -> None:
    fake = await engine()
    async with console(fake, page="7") as pilot:
        await pilot.press("j", "j")
        await until(pilot, lambda: cursor(pilot) == "2", "the cursor on generation 2")
        await fake.submit(sentences.set_weights("backend", {"b": 7}))
        await shown(pilot, "set weight of backend/b to 7")
        assert cursor(pilot) == "2"


async def test_restoring_asks_with_the_diff_and_brings_the_file_back() -> None:
    fake = await engine()
    first = FakeEngine().site().text
    async with console(fake, page="7") as pilot:
        await pilot.press("G", "r")
        await shown(pilot, "Bring the site file back to generation 1?")
        assert '-status = "draining"' in screen(pilot)
        await pilot.press("n")
        await settled(pilot)
        assert fake.site().text != first
        await pilot.press("r")
        await shown(pilot, "Bring the site file back to generation 1?")
        await pilot.press("y")
        await until(pilot, lambda: fake.site().text == first, "the first text")
        assert fake.commands[-1] == Restore(1, made_on=fake.site().revision - 1)


async def test_restoring_what_is_in_force_says_so_and_asks_nothing() -> None:
    fake = await engine()
    async with console(fake, page="7") as pilot:
        before = len(fake.commands)
        await pilot.press("r")
        await shown(pilot, "Generation 4 is in force already.")
        assert len(fake.commands) == before


async def test_one_generation_is_taken_back_after_a_question_that_shows_what_it_changes() -> None:
    fake = await engine()
    async with console(fake, (120, 40), page="7") as pilot:
        await pilot.press("down", "R")
        await shown(pilot, "Take back what generation 3 did: set weight of backend/a to 3?")
        assert "+weight = 2" in screen(pilot)
        assert len(fake.history()) == 4
        await pilot.press("y")
        await until(pilot, lambda: len(fake.history()) == 5, "a fifth generation")
        member = fake.site().site.balancers["backend"].members["a"]
        assert (member.weight, member.status) == (2, "draining")
        assert isinstance(fake.commands[-1], Revert)
        await shown(pilot, "y: rproxy ctl revert 3")


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        (("down", "down"), "was made 2 of"),
        (("G",), "what generation 1 changed is not kept"),
    ],
)
async def test_a_generation_that_no_longer_fits_is_refused_at_once_with_the_reason(
    keys: tuple[str, ...], why: str
) -> None:
    fake = await engine()
    async with console(fake, (120, 40), page="7") as pilot:
        await pilot.press(*keys, "R")
        await shown(pilot, why)
        assert len(pilot.app.screen_stack) == 1
        assert len(fake.history()) == 4


async def test_the_diff_is_copied() -> None:
    fake = await engine()
    async with console(fake, page="7") as pilot:
        await pilot.press("Y")
        await shown(pilot, "copied the diff of generation 4")
        assert pilot.app.clipboard == fake.history()[-1].diff


async def test_each_generation_says_what_it_did_and_how_far_that_is_known() -> None:
    fake = await engine()
    sides = Side(900, 0.0, 0.0, 0.04, 300.0), Side(800, 0.004, 0.0, 0.042, 120.0)
    fake.effects[3] = GenerationEffect(before=sides[0], after=sides[1], first=3)
    async with console(Serialised(fake), (80, 24), page="7") as pilot:
        row = next(line for line in screen(pilot).splitlines() if "5xx 0.0 → 0.4 %, p95 40 → 42 ms" in line)
        assert row.split()[0] == "3"
        assert "what it did is not known" in screen(pilot)
        await pilot.press("j")
        await shown(pilot, "(5 min before and 2 min after, 900 and 800")


async def test_in_the_past_the_generation_of_then_is_marked() -> None:
    fake = FakeEngine()
    fake.advance(10)
    fake.keep()
    await fake.submit(sentences.set_weights("backend", {"a": 2}))
    fake.advance(60)
    async with console(fake, (120, 40), page="7") as pilot:
        await pilot.press("{")
        rows = [line for line in screen(pilot).splitlines() if "in force" in line and line.split()[0].isdigit()]
        assert "● in force" in rows[0]
        assert "◀ in force then" in rows[1]


async def test_whoever_comes_while_something_is_wrong_finds_the_cursor_on_what_came_just_before() -> None:
    made = await engine()
    sign = Sign(measure="4xx", part=0.98, expected=0.0, per_second=9.0, since=made.now - 60, found=made.now - 30)
    rule = Subject("rule", "rewrites", "old")
    made.troubles = (Trouble(subject=rule, signs=(sign,), p95=0.02, p95_expected=0.02, peers=0, generation=2),)
    async with console(made, (80, 24), page="7") as pilot:
        await until(pilot, lambda: cursor(pilot) == "2", "the cursor on generation 2")
        await pilot.press("g", "R")
        await shown(pilot, "Take back what generation 4")
        await pilot.press("escape")
        await settled(pilot)
        assert cursor(pilot) == "4", "a question moves no cursor"
        await pilot.press("1", "7")
        await until(pilot, lambda: cursor(pilot) == "2", "the cursor on generation 2 again")
        await pilot.press("k", "1", "7")
        await settled(pilot)
        assert cursor(pilot) == "3", "a row that somebody chose stays chosen"
