"""Why: of a request that came, under the rules it ran under; of one that is typed; and every verdict is a link."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from proxy_core.control.explaining.question_line import asked, spelled
from proxy_core.control.question import Question
from proxy_core.rules.rewriting.flags import SWITCHES, VALUED
from rproxy_tui import rule_words
from rproxy_tui.app import ConsoleApp
from rproxy_tui.screens.explain import ExplainPage
from rproxy_tui.screens.form import FormScreen
from rproxy_tui.screens.maps import MapsPage
from rproxy_tui.screens.rewrites import RewritesPage
from rproxy_tui.screens.routes import RoutesPage
from rproxy_tui.widgets.text_input import TextInput
from tests.screens.fake import FakeEngine
from tests.screens.helpers import SIZES, console, settled, text, until
from tests.screens.sites import RULES
from tests.screens.wire import Serialised


def screen(pilot: Pilot[None]) -> str:
    assert isinstance(pilot.app, ConsoleApp)
    return text(pilot.app)


def page(pilot: Pilot[None]) -> ExplainPage:
    assert isinstance(pilot.app.screen, ExplainPage)
    return pilot.app.screen


async def shown(pilot: Pilot[None], words: str) -> None:
    await until(pilot, lambda: words in " ".join(screen(pilot).split()), f"{words!r} on the screen")


@pytest.mark.parametrize("size", SIZES)
async def test_a_typed_url_is_explained_rule_by_rule(size: tuple[int, int]) -> None:
    fake = FakeEngine(RULES)
    async with console(Serialised(fake), size) as pilot:
        await pilot.press("W", *"/service1/x --client 10.0.0.9")
        await shown(pilot, "→ forwarded to http://localhost:8000 as /service1/x by rule by-client")
        await shown(pilot, "now: from 10.0.0.9")
        assert "rule by-client" in screen(pilot)
        await pilot.press("enter", "escape")
        await settled(pilot)
        assert not isinstance(pilot.app.screen, ExplainPage)
    assert not fake.commands


@pytest.mark.parametrize("page", ["W", "5T", "6L", "2/", "3/"])
async def test_no_hint_promises_a_key_that_is_typed_into_the_line(page: str) -> None:
    async with console(FakeEngine(RULES)) as pilot:
        await pilot.press(*(key.replace("/", "slash") for key in page))
        await until(pilot, lambda: isinstance(pilot.app.focused, TextInput), "a line to type in")
        await settled(pilot)
        hints = screen(pilot).splitlines()[-1]
        keys = [hint.split()[0] for hint in hints.split("  ") if hint.strip()]
        assert "esc" in keys
        assert all(len(key) > 1 or key == "⏎" for key in keys), hints


async def test_the_step_that_decided_has_the_cursor_and_tells_its_details() -> None:
    async with console(FakeEngine(RULES), (120, 40)) as pilot:
        await pilot.press("W", *"/service1/x", "enter")
        await shown(pilot, 'map servers: "4" gives "localhost:8001"')
        await shown(pilot, "IPHashChar = 4")
        await shown(pilot, "Host: localhost:8001")


async def test_a_request_of_the_log_is_explained_under_the_rules_it_ran_under() -> None:
    fake = FakeEngine(RULES)
    fake.advance(5)
    async with console(Serialised(fake), (120, 40), page="2") as pilot:
        await pilot.press("slash", *"/assets/css", "enter", "w")
        await until(pilot, lambda: isinstance(pilot.app.screen, ExplainPage), "the explanation")
        await shown(pilot, "under generation 1")
        await shown(pilot, "by route assets")
        assert page(pilot).table.has_focus


async def test_changing_the_line_of_a_request_asks_about_now() -> None:
    fake = FakeEngine(RULES)
    fake.advance(5)
    async with console(fake, page="2") as pilot:
        await pilot.press("k", "w")
        await shown(pilot, "under generation 1")
        await pilot.press("slash", "ctrl+u", *"/service1/y")
        await shown(pilot, "now: from 127.0.0.1")
        await shown(pilot, "by rule by-client")


@pytest.mark.parametrize(
    ("rows", "name", "where"),
    [("rewrites", "by-client", RewritesPage), ("rewrites", "home", RewritesPage), ("env", "IPHashChar", FormScreen)],
)
async def test_every_verdict_leads_to_its_rule(rows: str, name: str, where: type) -> None:
    async with console(FakeEngine(RULES)) as pilot:
        await pilot.press("W", *"/service1/x", "enter")
        await shown(pilot, "by rule by-client")
        explanation = page(pilot)._explanation
        assert explanation is not None
        page(pilot).table.go_to(str([step.address for step in explanation.steps].index((rows, name))))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, where), "the rule")
        if isinstance(pilot.app.screen, RewritesPage):
            assert pilot.app.screen.table.cursor == name


async def test_a_route_is_reached_also_from_its_own_page() -> None:
    async with console(FakeEngine(RULES), page="3") as pilot:
        await pilot.press("W", *"/status/x", "enter")
        await shown(pilot, "by route status")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, RoutesPage), "the routes")
        assert isinstance(pilot.app.screen, RoutesPage)
        await until(pilot, lambda: pilot.app.screen.table.cursor == "status", "the cursor on it")  # type: ignore[attr-defined]


async def test_a_map_is_reached_by_its_address() -> None:
    async with console(FakeEngine(RULES)) as pilot:
        assert isinstance(pilot.app, ConsoleApp)
        await pilot.app.go_to(("maps", "names"))
        await until(pilot, lambda: isinstance(pilot.app.screen, MapsPage), "the maps")
        await shown(pilot, "orders|baskets")


@pytest.mark.parametrize(
    "line",
    [
        "/",
        "POST /x",
        "'https://shop.example/a?b=c'",
        "/x --client 192.0.2.7 --listener http -H 'Cookie: a=b; c' -H 'X: 1'",
    ],
)
def test_a_question_is_spelled_as_it_is_asked(line: str) -> None:
    assert spelled(asked(line)) == line


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("/a /b /c", "a method and a URL"),
        ("/x -H", "-H"),
        ("/x 'y", "quotation"),
        ("service/x", "begin it with /"),
        ("/x --client 10.0.0.9:80", "no address"),
    ],
)
def test_a_line_that_is_no_question_says_why(line: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        asked(line)


def test_a_question_without_words_is_the_plainest_one() -> None:
    assert asked("/x") == Question(url="/x")


def test_every_flag_that_there_is_has_its_words() -> None:
    assert [name for name in (*SWITCHES, *VALUED) if not rule_words.flag(name)] == []
