"""No screen lets a terminal obey what a site, a map, a request, a member or the system says, and none fails over it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
import pytest
from rich.segment import Segment
from textual.color import Color
from textual.pilot import Pilot

import rproxy_tui
from proxy_core.config.schema import fields, struct_at
from proxy_core.control.editing.commands import Set
from proxy_core.control.question import Explanation, Inspection, Question
from proxy_core.errors import Address, Problem
from proxy_core.runtime.maps.text_file import MapRow
from rproxy_tui.app import ConsoleApp
from rproxy_tui.driver import OnlyText
from rproxy_tui.palette import entries
from rproxy_tui.screens.form import FormScreen
from rproxy_tui.widgets.dialogs import Choice
from tests.poison import OBEYED, POISON, worst_site
from tests.screens.fake import FakeEngine
from tests.screens.helpers import console, settled, text, until

PAGE_KEYS = "1234567"
PARTS = 4
"""All forms in one console would be the longest test of all."""


def poisoned(value: Any, kind: Any = None) -> Any:
    """A value of the view with the poison behind each of its texts, but for words that the program chose."""
    if isinstance(value, msgspec.Struct):
        kinds = get_type_hints(type(value))
        return msgspec.structs.replace(
            value, **{each: poisoned(getattr(value, each), kinds[each]) for each in value.__struct_fields__}
        )
    if isinstance(value, str):
        return value if get_origin(kind) is Literal else value + POISON
    if isinstance(value, tuple):
        kind = (get_args(kind) or (None,))[0]
        return tuple(poisoned(each, kind) for each in value)
    if isinstance(value, dict):
        return {key + POISON: poisoned(each) for key, each in value.items()}
    return value


class PoisonedEngine(FakeEngine):
    """The worst site, with requests, members, maps and problems that are no better."""

    def __init__(self) -> None:
        super().__init__(worst_site())
        self.advance(20)
        self.ring.extend(poisoned(record) for record in tuple(self.ring)[-50:])
        self.health["b", "n"] = "error"
        self.seen["b", "n"] = {"last_error": POISON}
        self.limited = {f"limit{POISON}": 3}
        self.trouble = [Problem(what=POISON, todo=POISON, file=POISON, line=1, address=("routes", "r", "path"))]
        self.faults = {"t": POISON}

    def _rows(self, name: str) -> tuple[MapRow, ...]:
        return (MapRow("k", "v", 1), MapRow(f"k{POISON}", POISON, 2), MapRow("k", POISON, 3))

    async def inspect(self, number: int) -> Inspection | None:
        found = await super().inspect(1)
        record = next((record for record in self.ring if record.number == number), None)
        if found is None or record is None:
            return None
        return msgspec.structs.replace(poisoned(found), record=record)

    async def explain(self, question: Question) -> Explanation:
        found = await super().explain(msgspec.structs.replace(question, url="http://h.example/r/a"))
        return poisoned(found)


@contextmanager
def nothing_dropped(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the last guard would drop was not made printable before: then nobody could read it."""
    slipped: list[str] = []
    apply = OnlyText.apply

    def seen(self: OnlyText, segments: list[Segment], background: Color) -> list[Segment]:
        slipped.extend(segment.text for segment in segments if OBEYED.search(segment.text))
        return apply(self, segments, background)

    monkeypatch.setattr(OnlyText, "apply", seen)
    yield
    assert not slipped, slipped[:5]


def shown(pilot: Pilot[Any]) -> str:
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    screen = text(app)
    assert not (found := OBEYED.search(screen)), f"{found} in {screen!r}"
    return screen


async def press(pilot: Pilot[Any], *keys: str) -> str:
    await pilot.press(*keys)
    await settled(pilot)
    return shown(pilot)


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
async def test_every_page_shows_the_poison_as_text(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    with nothing_dropped(monkeypatch):
        async with console(PoisonedEngine(), size) as pilot:
            for key in PAGE_KEYS:
                screen = await press(pilot, key)
                assert key == "7" or "\\x" in screen, f"page {key}:\n{screen}"
                for _ in range(4):
                    await press(pilot, "down")
                await press(pilot, "question_mark")
                await press(pilot, "escape")
            screen = await press(pilot, "p")
            assert "\\x1b" in screen
            await press(pilot, "escape", "W", *"/r", "enter", "down", "down", "up")


DIALOGS = {
    "2": [("enter", "down", "w", "down"), ("slash", "x", "enter", "n", "y"), ("up", "b"), ("enter", "c")],
    "3": [("x",), ("d",), ("t",), ("e",), ("a",), ("enter",), ("slash", "x", "o")],
    "4": [("w",), ("D",), ("m", "enter"), ("space", "down", "c", "s"), ("d",)],
    "5": [("T", *"/w"), ("d",), ("e", "X", "escape"), ("enter", "down")],
    "6": [("a",), ("e",), ("down", "e"), ("down", "d"), ("L", "k"), ("l", "m"), ("x",)],
    "7": [("q",)],
}
"""What is pressed on a page, one after the other; between them all is left."""


@pytest.mark.parametrize("page", DIALOGS)
async def test_every_dialog_shows_the_poison_as_text(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with nothing_dropped(monkeypatch):
        async with console(PoisonedEngine(), (100, 30), page) as pilot:
            for keys in DIALOGS[page]:
                for key in keys:
                    await press(pilot, key)
                await pilot.pause(0.2)
                await settled(pilot)
                shown(pilot)
                for _ in range(len(keys)):
                    await press(pilot, "escape")
                    if isinstance(pilot.app.screen, Choice):  # whether to lose what was typed
                        await press(pilot, "y")
                assert len(pilot.app.screen_stack) == 1


def addresses(site: Any, at: Address = ()) -> Iterator[Address]:
    """Every table and row of a site that has a form."""
    struct = struct_at(at)
    if at and struct is not None:
        yield at
    for field in fields(type(site)):
        below = getattr(site, {"from": "from_", "except": "except_"}.get(field.name, field.name), None)
        if field.kind == "table":
            yield from addresses(below, (*at, field.name)) if below is not None else [(*at, field.name)]
        elif field.kind == "tables":
            for name, each in below.items():
                yield from addresses(each, (*at, field.name, name))
        elif field.kind == "rows" and not (at and at[0] == "rewrites"):
            for each in below:
                yield from addresses(each, (*at, field.name, each.id))


@pytest.mark.parametrize("part", range(PARTS))
async def test_every_form_shows_the_poison_as_text_and_leaves_it_as_it_is(
    part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = PoisonedEngine()
    forms = list({struct_at(each): each for each in addresses(engine.site().site)}.values())
    assert len(forms) > 15
    with nothing_dropped(monkeypatch):
        async with console(engine, (80, 24)) as pilot:
            app = pilot.app
            assert isinstance(app, ConsoleApp)
            for address in forms[part::PARTS]:
                app.run_worker(app.edit(address))
                await until(pilot, lambda: isinstance(app.screen, FormScreen), f"the form of {address}")
                await press(pilot, "down", "down", "end")
                await press(pilot, "escape")
                await until(pilot, lambda: len(app.screen_stack) == 1, f"{address} is left unchanged")


async def test_an_edit_leaves_the_poison_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = PoisonedEngine()
    with nothing_dropped(monkeypatch):
        async with console(engine, (80, 24)) as pilot:
            app = pilot.app
            assert isinstance(app, ConsoleApp)
            app.run_worker(app.edit(("bans", "a")))
            await until(pilot, lambda: isinstance(app.screen, FormScreen), "the form of a ban")
            await press(pilot, "down", "down", "down", "end", "!")
            await until(pilot, lambda: "enter: set note" in text(app), "the edit is foreseen")
            await press(pilot, "enter")
            await until(pilot, lambda: len(app.screen_stack) == 1, "the edit is applied")
            assert engine.site().site.bans[0].note == POISON + "!"
            assert engine.commands[0].edits == (Set(("bans", "a", "note"), POISON + "!"),)  # type: ignore[attr-defined]
            assert "set note" in await press(pilot, "7"), text(app)
            await press(pilot, "u")


async def test_the_palette_takes_no_text_for_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = PoisonedEngine()
    with nothing_dropped(monkeypatch):
        async with console(engine, (120, 50)) as pilot:
            app = pilot.app
            assert isinstance(app, ConsoleApp)
            assert any("[/.]" in entry.about for entry in entries(app))
            for typed in ("", "edit rule", "route", "ban", "map", "remove", "[/.]", "[red]"):
                await press(pilot, "colon")
                for key in typed:
                    await pilot.press(key)
                await pilot.pause(0.3)
                await settled(pilot)
                screen = shown(pilot)
                assert typed != "edit rule" or "[/.]" in screen, screen
                await press(pilot, "escape")


async def test_what_the_system_says_is_text_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with nothing_dropped(monkeypatch):
        async with console(PoisonedEngine(), (100, 30)) as pilot:
            app = pilot.app
            assert isinstance(app, ConsoleApp)
            app.say(POISON, "error")
            await settled(pilot)
            assert "\\x1b]0;PWN\\x07" in shown(pilot)


def test_all_text_of_the_console_is_made_by_its_own_content() -> None:
    folder = Path(rproxy_tui.__file__).parent
    makers = [path.name for path in folder.rglob("*.py") if "textual.content import" in path.read_text()]
    inputs = [path.name for path in folder.rglob("*.py") if re.search(r"(?<![A-Za-z])Input\(", path.read_text())]
    assert (makers, inputs) == (["content.py"], [])
