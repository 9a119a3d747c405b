"""The rewrites page: file order, a URL tried in place, conditions edited inside the form, and edits by key."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from proxy_core.config.model import RewriteCond, RewriteRule
from proxy_core.control.question import Explanation, Question
from rproxy_tui.app import ConsoleApp
from rproxy_tui.screens.explain import ExplainPage
from rproxy_tui.screens.rewrites import RewritesPage
from tests.screens.fake import FakeEngine
from tests.screens.helpers import SIZES, console, settled, text, until
from tests.screens.sites import EMPTY, RULES
from tests.screens.wire import Serialised


def screen(pilot: Pilot[None]) -> str:
    assert isinstance(pilot.app, ConsoleApp)
    return text(pilot.app)


def rules(fake: FakeEngine) -> tuple[RewriteRule, ...]:
    return fake.site().site.rewrites


def rule(fake: FakeEngine, id: str) -> RewriteRule:
    return next(row for row in rules(fake) if row.id == id)


async def shown(pilot: Pilot[None], words: str) -> None:
    await until(pilot, lambda: words in " ".join(screen(pilot).split()), f"{words!r} on the screen")


@pytest.mark.parametrize("size", SIZES)
async def test_rules_stand_in_file_order_with_their_state_and_hits(size: tuple[int, int]) -> None:
    fake = FakeEngine(RULES)
    fake.advance(5)
    fake.hits["by-client"] = (321, fake.now - 4)
    async with console(Serialised(fake), size, page="5") as pilot:
        lines = screen(pilot).splitlines()
        places = [next(n for n, line in enumerate(lines) if mark in line) for mark in ("^/$", "^/service1", "^/old")]
        assert places == sorted(places)
        assert "321" in lines[places[1]]
        assert "○ off" in lines[places[2]]


async def test_the_rule_under_the_cursor_is_told_in_words() -> None:
    async with console(FakeEngine(RULES), page="5") as pilot:
        await pilot.press("j")
        await shown(pilot, "if %{ENV:IPHashChar} matches ^(.)")
        assert "and %{REQUEST_METHOD} does not match ^POST$" in screen(pilot)
        assert "P: forward to this URL" in screen(pilot)


async def test_a_rule_of_a_location_says_so_and_is_tried_behind_the_routes() -> None:
    text = (
        RULES
        + """
[[locations]]
id = "inner"
path = "/"

[[rewrites]]
location = "inner"
pattern = 'proxy:.*/service1/x$'
substitution = "-"
flags = ["F"]
"""
    )
    async with console(FakeEngine(text), (160, 40), page="5") as pilot:
        assert " location " in screen(pilot)
        await pilot.press("end")
        await shown(pilot, "of location inner")
        await pilot.press("T", *"/service1/x")
        await shown(pilot, "403")


@pytest.mark.parametrize("size", SIZES[::2])
async def test_a_url_is_tried_in_place_while_one_types(size: tuple[int, int]) -> None:
    fake = FakeEngine(RULES)
    async with console(Serialised(fake), size, page="5") as pilot:
        await pilot.press("T", *"/service1/x")
        await shown(pilot, "→ forwarded to http://localhost:8001 as /service1/x by rule by-client")
        assert "● match" in next(line for line in screen(pilot).splitlines() if "^/service1" in line)
        assert "· no match" in next(line for line in screen(pilot).splitlines() if "^/$" in line)
        page = pilot.app.screen
        assert isinstance(page, RewritesPage)
        assert page.table.cursor == "by-client"
        await pilot.press(*" --client 10.0.0.9")
        await shown(pilot, "forwarded to http://localhost:8000 as /service1/x")
        await pilot.press(*" -H 'a")
        await shown(pilot, "a quotation is not closed")
    assert not fake.commands


async def test_what_is_tried_follows_an_edit_of_the_rules() -> None:
    fake = FakeEngine(RULES)
    async with console(fake, page="5") as pilot:
        await pilot.press("T", *"/service1/x", "enter")
        await shown(pilot, "by rule by-client")
        await pilot.press("t")
        await until(pilot, lambda: not rule(fake, "by-client").enabled, "the rule is off")
        await shown(pilot, "by route root")


async def test_w_shows_the_whole_way_of_the_url_that_is_tried() -> None:
    async with console(FakeEngine(RULES), page="5") as pilot:
        await pilot.press("T", *"/x", "enter", "w")
        await until(pilot, lambda: isinstance(pilot.app.screen, ExplainPage), "the explanation")
        await shown(pilot, "by route root")


async def test_conditions_are_rows_of_the_form() -> None:
    fake = FakeEngine(RULES)
    async with console(fake, page="5") as pilot:
        await pilot.press("j", "e")
        await shown(pilot, "edit rule by-client")
        await pilot.press(*["down"] * 5)
        await shown(pilot, "P: forward to this URL")
        await pilot.press(*["down"] * 7, *"%{HTTPS}", "down", *"=on", "down", *"NC")
        await shown(pilot, "NC: upper and lower case are one")
        await shown(pilot, "enter: edit conditions of rule by-client")
        await pilot.press("enter")
        await until(pilot, lambda: len(rule(fake, "by-client").conditions) == 3, "the third condition")
        added = rule(fake, "by-client").conditions[2]
        assert (added.test, added.pattern, added.flags) == ("%{HTTPS}", "=on", ("NC",))
        assert "# each client keeps its server" in fake.site().text
        await pilot.press("u")
        await until(pilot, lambda: len(rule(fake, "by-client").conditions) == 2, "undo takes it back")


async def test_conditions_are_moved_and_removed_in_the_form() -> None:
    fake = FakeEngine(RULES)
    before = rule(FakeEngine(RULES), "by-client").conditions
    async with console(fake, page="5") as pilot:
        await pilot.press("j", "e")
        await shown(pilot, "edit rule by-client")
        await pilot.press(*["down"] * 6, "shift+down")
        await shown(pilot, "enter: edit conditions")
        await pilot.press("enter")
        await until(
            pilot, lambda: _tests(rule(fake, "by-client").conditions) == _tests(before)[::-1], "the other order"
        )
        await pilot.press("e")
        await shown(pilot, "edit rule by-client")
        await pilot.press(*["down"] * 6, "ctrl+r")
        await shown(pilot, "enter: edit conditions")
        await pilot.press("enter")
        await until(pilot, lambda: _tests(rule(fake, "by-client").conditions) == _tests(before)[:1], "one is left")


def _tests(conditions: tuple[RewriteCond, ...]) -> list[tuple[str, str]]:
    return [(each.test, each.pattern) for each in conditions]


async def test_a_wrong_pattern_of_a_condition_is_named_before_it_is_applied() -> None:
    fake = FakeEngine(RULES)
    async with console(fake, page="5") as pilot:
        await pilot.press("j", "e")
        await shown(pilot, "edit rule by-client")
        await pilot.press(*["down"] * 7, "end", "(")
        await shown(pilot, "one thing to put right first")
        await pilot.press("enter")
        await settled(pilot)
        assert not fake.commands


async def test_a_rule_is_added_above_the_cursor_and_the_cursor_goes_to_it() -> None:
    fake = FakeEngine(RULES)
    async with console(fake, page="5") as pilot:
        await pilot.press("j", "a")
        await shown(pilot, "add rule")
        await pilot.press("down", "down", "down", "end", *"new")
        await shown(pilot, "enter: add rule ^/new")
        await pilot.press("enter")
        await until(pilot, lambda: len(rules(fake)) == 4, "the new rule")
        assert rules(fake)[1].pattern == "^/new"
        page = pilot.app.screen
        assert isinstance(page, RewritesPage)
        await until(pilot, lambda: page.table.cursor == rules(fake)[1].id, "the cursor on it")


async def test_moving_a_rule_keeps_the_cursor_on_it_and_the_ends_are_said() -> None:
    fake = FakeEngine(RULES)
    async with console(fake, page="5") as pilot:
        await pilot.press("J")
        await until(pilot, lambda: [row.id for row in rules(fake)][1] == "home", "one down")
        page = pilot.app.screen
        assert isinstance(page, RewritesPage)
        assert page.table.cursor == "home"
        await pilot.press("K")
        await until(pilot, lambda: rules(fake)[0].id == "home", "one up")
        await pilot.press("K")
        await shown(pilot, "It is the first rule already.")


HIDDEN = """
[[rewrites]]
id = "all"
pattern = '^/shop/'
substitution = '-'
flags = ["F"]

[[rewrites]]
id = "news"
pattern = '^/shop/news$'
substitution = 'http://localhost:8000/news'
flags = ["P"]
"""


async def test_a_rule_that_never_matches_says_so_and_f_moves_it_above_the_one_that_hides_it() -> None:
    fake = FakeEngine(RULES + HIDDEN)
    async with console(fake, page="5") as pilot:
        page = pilot.app.screen
        assert isinstance(page, RewritesPage)
        page.go_to("news")
        await shown(pilot, "move it above all: f does it")
        await pilot.press("f")
        await until(pilot, lambda: [row.id for row in rules(fake)][-2:] == ["news", "all"], "the rule above its shadow")
        assert page.table.cursor == "news"
        await pilot.press("f")
        await shown(pilot, "nothing to move")


async def test_while_one_types_no_program_is_asked_and_enter_asks() -> None:
    fake, finished = FakeEngine(RULES), []
    explain = fake.explain

    async def noted(question: Question) -> Explanation:
        finished.append(not question.unfinished)
        return await explain(question)

    fake.explain = noted  # type: ignore[method-assign]
    async with console(fake, page="5") as pilot:
        await pilot.press("T", *"/x")
        await until(pilot, lambda: bool(finished), "an answer while one types")
        assert not any(finished)
        await pilot.press("enter")
        await until(pilot, lambda: finished[-1], "an answer to the whole question")


async def test_deleting_asks_with_the_hits() -> None:
    fake = FakeEngine(RULES)
    fake.hits["home"] = (7, fake.now - 3)
    async with console(fake, page="5") as pilot:
        await pilot.press("d")
        await shown(pilot, "Delete rule home (7 hits, the last 3 s ago)?")
        await pilot.press("n")
        await settled(pilot)
        assert len(rules(fake)) == 3
        await pilot.press("d")
        await shown(pilot, "Delete rule home")
        await pilot.press("y")
        await until(pilot, lambda: len(rules(fake)) == 2, "the rule gone")


async def test_an_empty_page_says_how_to_fill_it() -> None:
    async with console(FakeEngine(EMPTY), (60, 15), page="5") as pilot:
        assert "No rule yet" in screen(pilot)
        await pilot.press(*"edtKJ")
        await settled(pilot)
        assert "press a to add one" in screen(pilot)


async def test_a_read_only_console_changes_nothing() -> None:
    fake = FakeEngine(RULES)
    async with console(fake, page="5", read_only=True) as pilot:
        await pilot.press("J")
        await shown(pilot, "read-only")
        assert not fake.commands
