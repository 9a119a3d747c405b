"""The frame: rows fit every width; keys go where they say; commands tell what came of them; the end is asked for."""

from __future__ import annotations

import msgspec
import pytest
from textual.pilot import Pilot

from proxy_core.control.editing.commands import Change, Delete, Insert, Keep, Refused, Reload, Set
from proxy_core.control.view import IncidentNote
from proxy_core.errors import Problem
from rproxy_tui.app import PAGES, ConsoleApp
from rproxy_tui.screens.problems import ProblemsScreen
from tests.screens.fake import FakeEngine
from tests.screens.helpers import SIZES, console, settled, text, until
from tests.screens.sites import SITE
from tests.screens.wire import Serialised

WEIGHT = Change(
    edits=(Set(("balancers", "backend", "members", "b", "weight"), 7),), sentence="set weight of backend/b to 7"
)


def app_of(pilot: Pilot[str]) -> ConsoleApp:
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    return app


def screen(pilot: Pilot[str]) -> str:
    return text(app_of(pilot))


async def shows(pilot: Pilot[str], words: str) -> None:
    await until(pilot, lambda: words in text(app_of(pilot)), f"the screen says {words!r}")


@pytest.mark.parametrize("size", SIZES)
async def test_every_page_shows_tabs_vital_signs_and_hints_within_the_width(size: tuple[int, int]) -> None:
    async with console(Serialised(FakeEngine()), size) as pilot:
        for key, page in PAGES.items():
            await pilot.press(key)
            await settled(pilot)
            lines = text(app_of(pilot)).splitlines()
            assert f"{key} {page.heading}" in lines[0]
            assert "saved" in lines[0]
            assert "does not cover /service/inde" in lines[1], "the first in the order of lines"
            assert "req/s" in lines[-2]
            assert "Help" in lines[-1]
            assert "Quit" in lines[-1]
            assert len(lines) == size[1]
            assert max(map(len, lines)) <= size[0]


async def test_a_command_says_its_outcome_and_undo_and_redo_walk_it() -> None:
    engine = FakeEngine()

    def weight() -> float:
        return engine.site().site.balancers["backend"].members["b"].weight

    async with console(engine, (120, 40)) as pilot:
        await pilot.press("u")
        await shows(pilot, "nothing to take back")
        app_of(pilot).run_worker(app_of(pilot).do(WEIGHT))
        await shows(
            pilot, "applied as g2: set weight of backend/b to 7   u takes it back   y: rproxy ctl weight backend/b 7"
        )
        assert weight() == 7
        await pilot.press("u")
        await shows(pilot, "applied as g3")
        assert weight() == 2
        await pilot.press("U")
        await shows(pilot, "applied as g4")
        assert weight() == 7


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (84, "✓ applied as g2: set weight of backend/b to 7   y: rproxy ctl weight backend/b 7"),
        (80, "✓ applied as g2: set weight of backend/b to 7   y copies its ctl line"),
        (60, "✓ applied as g2: set weight of backend/b to 7"),
    ],
)
async def test_an_outcome_is_told_with_as_much_of_its_line_for_a_shell_as_fits(columns: int, said: str) -> None:
    async with console(FakeEngine(), (columns, 24)) as pilot:
        app_of(pilot).run_worker(app_of(pilot).do(WEIGHT))
        await shows(pilot, "applied as g2")
        assert screen(pilot).splitlines()[-1].strip() == said


@pytest.mark.parametrize("page", PAGES)
async def test_y_copies_the_line_of_the_last_change_on_every_page(page: str) -> None:
    async with console(FakeEngine(), page=page) as pilot:
        app_of(pilot).run_worker(app_of(pilot).do(WEIGHT))
        await shows(pilot, "applied as g2")
        await pilot.press("y")
        await settled(pilot)
        assert pilot.app.clipboard == "rproxy ctl weight backend/b 7"


async def test_where_a_note_was_written_is_told_to_its_end_however_deep_that_is() -> None:
    class Deep(FakeEngine):
        async def note(self, since: float, at: float = 0.0) -> IncidentNote:
            return IncidentNote(folder=f"/var/lib{'/deep' * 20}/note-142655", files=(), text="")

    async with console(Deep(), (80, 24)) as pilot:
        await pilot.press("!")
        await until(pilot, lambda: "note written to /var/lib/" in text(pilot.app), "the note is written")
        assert "/note-142655" in text(pilot.app)


async def test_a_question_comes_before_a_risky_command_and_no_is_the_default() -> None:
    engine = FakeEngine()
    async with console(engine) as pilot:
        for answer, applied in (("enter", False), ("escape", False), ("n", False), ("y", True)):
            app_of(pilot).run_worker(app_of(pilot).do(WEIGHT, confirm="Really?"))
            await shows(pilot, "Really?")
            await pilot.press(answer)
            await until(pilot, lambda: "Really?" not in text(app_of(pilot)), "the question is gone")
            await until(pilot, lambda applied=applied: bool(engine.commands) == applied, "the answer was heeded")


async def test_a_refusal_of_several_things_lists_them_all() -> None:
    class Refusing(FakeEngine):
        async def submit(self, command, author="console"):  # type: ignore[no-untyped-def]
            return Refused(problems=(Problem(what="first thing", todo="mend it"), Problem(what="second thing")))

    async with console(Refusing()) as pilot:
        app_of(pilot).run_worker(app_of(pilot).do(WEIGHT))
        await shows(pilot, "second thing")
        assert "mend it" in text(app_of(pilot))


LOST = Problem(what="comments could not be kept", todo="the file as it was is in site.toml.bak", severity="warning")


async def test_a_warning_that_only_the_edit_itself_tells_of_is_shown_at_once() -> None:
    class Losing(FakeEngine):
        async def submit(self, command, author="console"):  # type: ignore[no-untyped-def]
            result = await super().submit(command, author)
            return msgspec.structs.replace(result, warnings=(*result.warnings, LOST))

    engine = Losing()
    async with console(engine) as pilot:
        app_of(pilot).run_worker(app_of(pilot).do(WEIGHT))
        await shows(pilot, "comments could not be kept")
        assert "the file as it was is in site.toml.bak" in text(app_of(pilot))
        await pilot.press("escape")
        await shows(pilot, "applied as g2")
        app_of(pilot).run_worker(app_of(pilot).edit(("balancers", "backend", "members", "a")))
        await shows(pilot, "edit member backend/a")
        await pilot.press("down", "end", "5", "enter")
        await shows(pilot, "comments could not be kept")


async def test_a_warning_that_lasts_is_counted_and_p_lists_it() -> None:
    dead = {"path": "/service/x", "proxy": "http://127.0.0.1:9"}
    change = Change(edits=(Insert(("routes",), dead, "status"),), sentence="add a route that is never reached")
    async with console(FakeEngine(), (120, 40)) as pilot:
        app_of(pilot).run_worker(app_of(pilot).do(change))
        await shows(pilot, "p: 1 new warning")
        assert not isinstance(pilot.app.screen, ProblemsScreen)
        await pilot.press("p")
        await shows(pilot, 'everything below "/service/x"')


async def test_read_only_refuses_every_command_and_says_why() -> None:
    engine = FakeEngine()
    async with console(engine, read_only=True) as pilot:
        assert "read-only" in text(app_of(pilot)).splitlines()[0]
        assert not await app_of(pilot).do(WEIGHT)
        await shows(pilot, "read-only: nothing was changed")
        assert not engine.commands


async def test_problems_are_listed_with_what_to_do_and_enter_opens_the_form_of_the_place() -> None:
    async with console(FakeEngine(), (80, 24)) as pilot:
        await pilot.press("p")
        await shows(pilot, "refuses connections")
        assert "s starts demo members" in text(app_of(pilot))
        assert "move it above api" in text(app_of(pilot))
        await pilot.press("enter")
        await shows(pilot, "edit route no-index")


@pytest.mark.parametrize(("key", "command"), [("t", Reload()), ("o", Keep())])
async def test_a_file_changed_on_disk_is_settled_from_the_problems(key: str, command: object) -> None:
    engine = FakeEngine()
    engine.saved = "drift"
    async with console(engine) as pilot:
        await shows(pilot, "site.toml was changed on disk")
        await pilot.press("p")
        await shows(pilot, "t takes theirs")
        await pilot.press(key)
        await until(pilot, lambda: engine.commands == [command], "the command was sent")


@pytest.mark.parametrize("answer", ["n", "y"])
async def test_an_edit_that_leaves_nothing_to_serve_is_asked_about(answer: str) -> None:
    engine = FakeEngine()
    listeners = engine.site().site.listeners
    gone = Change(edits=tuple(Delete(("listeners", name)) for name in listeners), sentence="remove all listeners")
    async with console(engine) as pilot:
        app = app_of(pilot)
        app.run_worker(app.do(gone))
        await shows(pilot, "Leave the proxy with nothing to serve?")
        assert engine.commands == []
        await pilot.press(answer)
        await until(pilot, lambda: bool(engine.commands) == (answer == "y"), "the answer is heeded")
        await settled(pilot)
        assert bool(engine.site().site.listeners) == (answer == "n")


async def test_help_shows_the_page_and_its_keys_with_their_ids() -> None:
    async with console(FakeEngine(), (120, 40), "3") as pilot:
        await pilot.press("question_mark")
        await shows(pilot, "Keys everywhere")
        assert "take the last change back" in text(app_of(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: "Keys everywhere" not in text(app_of(pilot)), "help is closed")


async def test_keys_of_the_site_file_replace_the_console_s_own_at_once() -> None:
    engine = FakeEngine()
    async with console(engine) as pilot:
        await app_of(pilot).do(Change(edits=(Set(("console", "keys"), {"undo": "ctrl+z"}),), sentence="remap"))
        await settled(pilot)
        await pilot.press("u")
        await settled(pilot)
        assert engine.site().site.console.keys
        await pilot.press("ctrl+z")
        await until(pilot, lambda: not engine.site().site.console.keys, "the remapped key took it back")


async def test_the_theme_of_the_site_file_is_used_at_once() -> None:
    async with console(FakeEngine(SITE + '\n[console]\ntheme = "light"\n')) as pilot:
        assert app_of(pilot).theme == "light"
        await app_of(pilot).do(Change(edits=(Set(("console", "theme"), "mono"),), sentence="theme"))
        assert app_of(pilot).theme == "mono"


async def test_a_second_theme_within_the_same_generation_is_used_as_well() -> None:
    engine = FakeEngine()
    async with console(engine) as pilot:
        for name in ("light", "mono"):
            await app_of(pilot).do(Change(edits=(Set(("console", "theme"), name),), sentence=f"set theme to {name}"))
        assert app_of(pilot).theme == "mono"


async def test_quitting_an_idle_proxy_asks_nothing() -> None:
    engine = FakeEngine(rate=0)
    engine.busy.clear()
    async with console(engine) as pilot:
        await pilot.press("q")
        await until(pilot, lambda: app_of(pilot).return_value == "drain", "the console ends")


@pytest.mark.parametrize(("key", "ending"), [("w", "drain"), ("c", "cut"), ("s", "serve")])
async def test_quitting_under_traffic_asks_what_becomes_of_the_requests(key: str, ending: str) -> None:
    engine = FakeEngine()
    engine.advance(3)
    async with console(engine) as pilot:
        await pilot.press("q")
        await shows(pilot, "Quit while requests are served?")
        assert "in flight" in text(app_of(pilot))
        await pilot.press("n")
        await until(pilot, lambda: "Quit while" not in text(app_of(pilot)), "one may stay")
        await pilot.press("q")
        await shows(pilot, "Quit while requests are served?")
        await pilot.press(key)
        await until(pilot, lambda: app_of(pilot).return_value == ending, "the console ends")


async def test_one_pull_a_tick_and_none_for_pages_that_are_not_on_screen() -> None:
    engine = FakeEngine()
    pulled: list[str] = []
    async with console(engine) as pilot:
        for page in (await visited(pilot)).values():
            page.pull = lambda _snapshot, key=page.key: pulled.append(key)  # type: ignore[method-assign]
        await pilot.press("2")
        await settled(pilot)
        pulled.clear()
        app_of(pilot).tick()
        assert pulled == ["2"]


async def visited(pilot: Pilot[str]):  # type: ignore[no-untyped-def]
    pages = {}
    for key in PAGES:
        await pilot.press(key)
        await settled(pilot)
        pages[key] = pilot.app.screen
    return pages


async def test_the_page_under_a_dialog_goes_on_showing_the_present() -> None:
    engine = FakeEngine()
    async with console(engine) as pilot:
        await pilot.press("p")
        await shows(pilot, "refuses connections")
        engine.saved = "failed"
        await shows(pilot, "not saved")


LONG = Change(
    edits=tuple(Insert(("routes",), {"path": f"/p/{n}", "proxy": "http://127.0.0.1:9/"}) for n in range(8)),
    sentence="add eight routes",
)


@pytest.mark.parametrize("size", SIZES)
async def test_a_question_with_a_long_diff_shows_its_answers_and_scrolls_at_every_size(size: tuple[int, int]) -> None:
    engine = FakeEngine()
    await engine.submit(LONG)
    async with console(engine, size, page="7") as pilot:
        await pilot.press("R")
        await shows(pilot, "Revert (y)")
        await settled(pilot)
        assert "Take back" in screen(pilot)
        await pilot.press("pagedown", "pagedown", "pagedown")
        await shows(pilot, "more lines")


@pytest.mark.parametrize("size", SIZES)
async def test_a_prompt_says_its_keys_at_every_size(size: tuple[int, int]) -> None:
    async with console(FakeEngine(), size, page="4") as pilot:
        await pilot.press("w")
        await shows(pilot, "enter applies  ctrl+t for 60 s  f2 what if  esc cancels")
        await pilot.press(*"50")
        await shows(pilot, "rproxy ctl weight")
