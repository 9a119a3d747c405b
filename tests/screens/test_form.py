"""The form: what is typed is checked at once, shown as lines of the file, applied by Enter and lost by nothing."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from proxy_core.config.model import Limits, Site
from proxy_core.config.schema import Field, fields
from proxy_core.errors import Address
from rproxy_tui.app import ConsoleApp
from rproxy_tui.screens.form import FormScreen
from rproxy_tui.widgets.form import FieldRow, manual
from tests.screens.fake import FakeEngine
from tests.screens.helpers import SIZES, console, text, until

MEMBER: Address = ("balancers", "backend", "members", "b")


async def open_form(pilot: Pilot[str], address: Address, **new: object) -> ConsoleApp:
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    app.run_worker(app.add(address, **new) if new else app.edit(address))  # type: ignore[arg-type]
    await until(pilot, lambda: isinstance(app.screen, FormScreen), "the form is open")
    await pilot.pause()
    return app


async def shows(pilot: Pilot[str], words: str) -> None:
    await until(pilot, lambda: words in text(pilot.app), f"the screen says {words!r}")


@pytest.mark.parametrize("size", SIZES[::2])
async def test_a_typed_value_is_shown_as_the_lines_it_changes_and_applied_by_enter(size: tuple[int, int]) -> None:
    engine = FakeEngine()
    async with console(engine, size) as pilot:
        app = await open_form(pilot, MEMBER)
        await pilot.press("down", "end", "5")
        await shows(pilot, "enter: set weight of backend/b to 25")
        assert "weight" in text(app)
        assert engine.site().site.balancers["backend"].members["b"].weight == 2
        await pilot.press("enter")
        await shows(pilot, "applied as g2")
        assert engine.site().site.balancers["backend"].members["b"].weight == 25


async def test_an_unsound_value_is_named_beside_its_field_and_enter_does_nothing() -> None:
    engine = FakeEngine()
    async with console(engine) as pilot:
        app = await open_form(pilot, MEMBER)
        await pilot.press("down", "end", "9", "9")
        await shows(pilot, "one thing to put right first")
        lines = text(app).splitlines()
        row = next(n for n, line in enumerate(lines) if "weight" in line)
        assert "✗" in lines[row + 1]
        await pilot.press("f2")
        await shows(pilot, "✗ nothing is tried out: one thing to put right first")
        await pilot.press("enter")
        await shows(pilot, "✗ nothing is applied: one thing to put right first")
        assert isinstance(app.screen, FormScreen)
        assert not engine.commands
        await pilot.press("backspace", "backspace")
        await shows(pilot, "nothing changed yet")


async def test_choices_are_chosen_with_the_arrows() -> None:
    engine = FakeEngine()
    async with console(engine) as pilot:
        await open_form(pilot, MEMBER)
        await pilot.press("down", "down", "right")
        await shows(pilot, "enter: set status of backend/b to draining")
        await pilot.press("enter")
        await shows(pilot, "applied as g2")
        assert engine.site().site.balancers["backend"].members["b"].status == "draining"


async def test_escape_asks_only_when_something_would_be_lost() -> None:
    async with console(FakeEngine()) as pilot:
        app = await open_form(pilot, MEMBER)
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, FormScreen), "the form is closed")
        await open_form(pilot, MEMBER)
        await pilot.press("down", "end", "5", "escape")
        await shows(pilot, "Leave without applying?")
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, FormScreen), "the form is there again")
        assert "25" in text(app)
        await pilot.press("escape")
        await shows(pilot, "Leave without applying?")
        await pilot.press("y")
        await until(pilot, lambda: not isinstance(app.screen, FormScreen), "the form is closed")


async def test_a_new_member_is_named_in_the_form() -> None:
    engine = FakeEngine()
    async with console(engine) as pilot:
        await open_form(pilot, ("balancers", "backend", "members"), row={"url": "http://127.0.0.1:8009"})
        await shows(pilot, "needs a name")
        await pilot.press("z")
        await shows(pilot, "enter: add member backend/z")
        await pilot.press("enter")
        await shows(pilot, "applied as g2")
        assert engine.site().site.balancers["backend"].members["z"].url == "http://127.0.0.1:8009"


async def test_a_form_for_something_that_went_away_says_so() -> None:
    async with console(FakeEngine()) as pilot:
        app = pilot.app
        assert isinstance(app, ConsoleApp)
        app.run_worker(app.edit(("routes", "gone")))
        await shows(pilot, "there is no route gone any more")


def every_field(struct: type[msgspec.Struct]) -> Iterator[Field]:
    """Each option of the site, with those of the tables in it."""
    for field in fields(struct):
        yield field
        if field.struct is not None:
            yield from every_field(field.struct)


async def test_no_label_runs_into_its_value() -> None:
    async with console(FakeEngine()) as pilot:
        app = await open_form(pilot, ("limits",))
        row = app.screen.query(FieldRow).first()
        before = row.query_one(Input).region.x - row.region.x
        assert max(len(field.name) for field in every_field(Site)) < before


async def test_the_whole_manual_of_an_option_is_shown_while_there_is_nothing_else_to_show() -> None:
    async with console(FakeEngine()) as pilot:
        await open_form(pilot, ("balancers", "backend"))
        await shows(pilot, "default byrequests)")


def test_bounds_are_told_as_one_writes_them() -> None:
    field = next(each for each in fields(Limits) if each.name == "request_line")
    assert "(64 to 1048576; default 8190)" in manual(field).plain
