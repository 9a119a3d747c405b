"""What somebody else changes while a person edits is shown beside what they typed, and never written over unseen."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from proxy_core.control.editing.commands import Change, Delete, Edit, Insert, Move, Set, Undo
from proxy_core.errors import Address
from rproxy_tui.app import ConsoleApp
from rproxy_tui.screens.form import FormScreen
from rproxy_tui.widgets.dialogs import Choice, Prompt
from tests.screens.fake import FakeEngine
from tests.screens.helpers import console, settled, text, until
from tests.screens.sites import RULES, SITE

A: Address = ("balancers", "backend", "members", "a")
B: Address = ("balancers", "backend", "members", "b")
STICKY: Address = ("balancers", "backend", "sticky")


async def others(pilot: Pilot[None], engine: FakeEngine, *edits: Edit) -> None:
    """What somebody else does to the site; the console has seen it when this returns."""
    await engine.submit(Change(edits=edits, sentence="site file edited on disk"), "file")
    await settled(pilot)


async def shows(pilot: Pilot[None], words: str) -> None:
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    await until(pilot, lambda: words in " ".join(text(app).replace("│", " ").split()), f"the screen says {words!r}")


async def form(pilot: Pilot[None], address: Address, **new: object) -> None:
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    app.run_worker(app.add(address, **new) if new else app.edit(address))  # type: ignore[arg-type]
    await until(pilot, lambda: isinstance(app.screen, FormScreen), "the form is open")
    await settled(pilot)


def member(engine: FakeEngine, name: str = "b") -> tuple[str, float, str]:
    found = engine.site().site.balancers["backend"].members[name]
    return found.url, found.weight, found.status


async def test_what_was_not_touched_in_a_form_stays_as_somebody_else_has_made_it_and_is_told() -> None:
    engine = FakeEngine()
    async with console(engine, (120, 40)) as pilot:
        await form(pilot, B)
        await pilot.press("down", "end", "5")
        await others(pilot, engine, Set((*B, "status"), "draining"))
        await shows(pilot, "! draining by now: site file")
        await shows(pilot, "enter: set weight of backend/b to 25")
        await pilot.press("enter")
        await shows(pilot, "applied as g3")
        assert member(engine) == ("http://127.0.0.1:8001", 25, "draining")


@pytest.mark.parametrize(("answer", "weight"), [("w", 25), ("t", 7), ("n", 7)])
async def test_of_what_both_have_changed_enter_asks_whose_to_keep(answer: str, weight: float) -> None:
    engine = FakeEngine()
    async with console(engine, (120, 40)) as pilot:
        await form(pilot, B)
        await pilot.press("down", "end", "5")
        await others(pilot, engine, Set((*B, "weight"), 7))
        await shows(pilot, "! 7 by now: site file")
        await shows(pilot, "enter: asks whose to keep")
        await pilot.press("enter")
        await shows(pilot, "weight: was 2, is 7 by now, 25 here")
        assert member(engine)[1] == 7
        await pilot.press(answer)
        if answer == "w":
            await shows(pilot, "applied as g3")
        else:
            await shows(pilot, "nothing changed yet" if answer == "t" else "asks whose to keep")
            await pilot.press("down", "down", "down", "end")
            form_screen = pilot.app.screen
            assert isinstance(form_screen, FormScreen)
            assert form_screen.texts["weight"] == ("7" if answer == "t" else "25")
        assert member(engine)[1] == weight


async def test_what_changes_while_it_is_asked_whose_to_keep_is_not_written_over_either() -> None:
    engine = FakeEngine()
    async with console(engine, (120, 40)) as pilot:
        await form(pilot, B)
        await pilot.press("down", "end", "5")
        await others(pilot, engine, Set((*B, "weight"), 7))
        await pilot.press("enter")
        await shows(pilot, "is 7 by now")
        await others(pilot, engine, Set((*B, "weight"), 9))
        await pilot.press("w")
        await shows(pilot, "! 9 by now")
        assert member(engine)[1] == 9
        await pilot.press("enter")
        await shows(pilot, "weight: was 2, is 9 by now, 25 here")


async def test_a_form_whose_row_is_gone_says_so_keeps_what_was_typed_and_makes_no_new_row() -> None:
    engine = FakeEngine()
    async with console(engine, (120, 40)) as pilot:
        await form(pilot, B)
        await pilot.press("down", "end", "5")
        await others(pilot, engine, Delete(B))
        await shows(pilot, "member backend/b is gone")
        await pilot.press("enter")
        await settled(pilot)
        assert isinstance(pilot.app.screen, FormScreen)
        assert pilot.app.screen.texts["weight"] == "25"
        assert "b" not in engine.site().site.balancers["backend"].members


async def test_a_row_that_was_moved_is_edited_where_it_is_now() -> None:
    engine = FakeEngine()
    async with console(engine, (120, 40)) as pilot:
        await form(pilot, ("routes", "api"))
        await others(pilot, engine, Move(("routes", "api"), "no-index"))
        await pilot.press("end", "x")
        await shows(pilot, "enter: set")
        await pilot.press("enter")
        await shows(pilot, "applied as g3")
        assert engine.site().site.routes[0].id == "apix"


async def test_a_new_table_takes_no_name_that_is_taken_meanwhile() -> None:
    engine = FakeEngine()
    async with console(engine, (120, 40)) as pilot:
        await form(pilot, ("balancers",), row={})
        await pilot.press(*"shop")
        await shows(pilot, "enter: add balancer shop")
        await others(pilot, engine, Set(("balancers", "shop", "members", "x", "url"), "http://127.0.0.1:1"))
        await shows(pilot, "✗ there is a balancer shop")
        await pilot.press("enter")
        await settled(pilot)
        assert [*engine.site().site.balancers["shop"].members] == ["x"]


async def test_a_table_that_somebody_else_sets_up_meanwhile_is_not_replaced() -> None:
    engine = FakeEngine()
    async with console(engine, (120, 40)) as pilot:
        await form(pilot, STICKY)
        await pilot.press(*"mine")
        await others(pilot, engine, Set(STICKY, {"cookie": "theirs", "issue": True}))
        await shows(pilot, "theirs by now")
        await pilot.press("enter")
        await shows(pilot, "cookie: was not set, is theirs by now, mine here")
        await pilot.press("w")
        await shows(pilot, "applied as g3")
        sticky = engine.site().site.balancers["backend"].sticky
        assert sticky is not None
        assert (sticky.cookie, sticky.issue) == ("mine", True)


async def test_a_new_row_is_not_lost_when_the_row_below_it_is() -> None:
    engine = FakeEngine()
    async with console(engine, (120, 40)) as pilot:
        await form(pilot, ("routes",), row={"path": "/new", "proxy": "http://127.0.0.1:9/"}, before="status")
        await others(pilot, engine, Delete(("routes", "status")))
        await shows(pilot, "enter: add route /new")
        await pilot.press("enter")
        await shows(pilot, "applied as g3")
        assert engine.site().site.routes[-1].path == "/new"


async def test_rows_in_a_row_that_both_have_changed_are_asked_about() -> None:
    engine = FakeEngine(RULES)
    conditions: Address = ("rewrites", "by-client", "conditions")
    async with console(engine, (120, 40)) as pilot:
        await form(pilot, ("rewrites", "by-client"))
        app = pilot.app
        assert isinstance(app.screen, FormScreen)
        cell = next(cell for cell in app.screen.query("Cell") if getattr(cell, "value", "") == "!^POST$")
        app.screen.set_focus(cell)
        await pilot.press("end", "x")
        await others(pilot, engine, Insert(conditions, {"test": "%{HTTPS}", "pattern": "on"}))
        await pilot.press("enter")
        await shows(pilot, "Whose to keep?")
        assert len(engine.site().site.rewrites[1].conditions) == 3
        await pilot.press("w")
        await shows(pilot, "applied as g3")
        assert [each.pattern for each in engine.site().site.rewrites[1].conditions] == ["^(.)", "!^POST$x"]


@pytest.mark.parametrize("key", ["D", "x", "d", "s"])
async def test_the_answer_to_a_question_holds_for_the_site_that_it_was_asked_about(key: str) -> None:
    engine = FakeEngine()
    async with console(engine, page="4") as pilot:
        await pilot.press(key)
        await until(pilot, lambda: isinstance(pilot.app.screen, Choice), "the question")
        await others(pilot, engine, Set((*A, "status"), "stopped"))
        await pilot.press("y")
        await shows(pilot, "not applied: the site has changed meanwhile: site file")
        assert member(engine, "a")[2] == "stopped"


async def test_a_weight_that_is_asked_for_says_that_somebody_else_has_set_it() -> None:
    engine = FakeEngine()
    async with console(engine, page="4") as pilot:
        await pilot.press("w", "5")
        await shows(pilot, "set weight of backend/a to 5")
        await others(pilot, engine, Set((*A, "weight"), 3))
        await shows(pilot, "a has weight 3 by now, and had 1")
        await pilot.press("enter")
        await settled(pilot)
        assert isinstance(pilot.app.screen, Prompt)
        assert member(engine, "a")[1] == 3


async def test_an_entry_of_a_map_says_that_its_file_was_edited_meanwhile() -> None:
    engine = FakeEngine(RULES)
    file = engine.folder / "servers.txt"
    async with console(engine, page="6") as pilot:
        await pilot.press("e", *"mine:1")
        before = file.read_text()
        file.write_text(before.replace("4 localhost:8001", "4 theirs:1"))
        await pilot.press("enter")
        await shows(pilot, "4 of map servers is theirs:1 by now, and was localhost:8001")
        assert "4 theirs:1" in file.read_text()


async def test_undo_asks_before_it_takes_back_what_was_done_elsewhere() -> None:
    engine = FakeEngine()
    async with console(engine, page="4") as pilot:
        await others(pilot, engine, Set((*A, "weight"), 3))
        await pilot.press("u")
        await shows(pilot, "Undo what was done by file: site file edited on disk?")
        await shows(pilot, "-weight = 3")
        await pilot.press("n")
        await settled(pilot)
        assert member(engine, "a")[1] == 3
        await pilot.press("u", "y")
        await until(pilot, lambda: member(engine, "a")[1] == 1, "taken back on purpose")
        assert engine.commands[-1] == Undo(made_on=2)


async def test_a_mark_does_not_outlive_its_member() -> None:
    engine = FakeEngine()
    async with console(engine, page="4") as pilot:
        await pilot.press("space", "space")
        await others(pilot, engine, Delete(A))
        await others(pilot, engine, Set((*A, "url"), "http://127.0.0.1:8000"))
        await pilot.press("x")
        await shows(pilot, "Disable backend/b?")


async def test_two_consoles_of_one_engine_do_not_undo_each_other_s_work() -> None:
    engine = FakeEngine(SITE)
    async with console(engine, (120, 40)) as one, console(engine, (120, 40)) as other:
        await form(one, B)
        await form(other, B)
        await one.press("down", "end", "5", "enter")
        await shows(one, "applied as g2")
        await other.press("down", "end", "6", "enter")
        await shows(other, "weight: was 2, is 25 by now, 26 here")
        assert member(engine)[1] == 25
