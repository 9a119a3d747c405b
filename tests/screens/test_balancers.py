"""The balancers page: weights nudged and typed, members drained, taken out and put back, and what it says before."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from proxy_core.config.model import Member, UpstreamTls
from proxy_core.control.editing.commands import Command, Result
from proxy_core.control.view import Check, Name, Percentiles
from rproxy_tui import sentences
from rproxy_tui.app import ConsoleApp
from rproxy_tui.member_facts import FACTS
from rproxy_tui.screens.balancers import BalancersPage
from rproxy_tui.screens.compare import verdict
from tests.screens.fake import FakeEngine
from tests.screens.helpers import SIZES, console, settled, text, until
from tests.screens.numbers import START
from tests.screens.sites import EMPTY
from tests.screens.wire import Serialised


def engine(rate: float = 40.0) -> FakeEngine:
    made = FakeEngine(rate=rate)
    made.advance(20)
    return made


def screen(pilot: Pilot[None]) -> str:
    assert isinstance(pilot.app, ConsoleApp)
    return text(pilot.app)


def said(pilot: Pilot[None]) -> str:
    """The screen's words without borders and line breaks."""
    return " ".join(screen(pilot).replace("│", " ").split())


def page(pilot: Pilot[None]) -> BalancersPage:
    found = pilot.app.screen
    assert isinstance(found, BalancersPage)
    return found


def listed(pilot: Pilot[None]) -> list[str]:
    """The names in the first column of the lower table."""
    lines = screen(pilot).splitlines()
    below = lines[next(n for n, line in enumerate(lines) if line.startswith("   member")) + 1 :]
    return [line[3:].split()[0] for line in below[: next(n for n, line in enumerate(below) if not line[3:4].isalpha())]]


def member(fake: FakeEngine, balancer: str = "backend", name: str = "a") -> Member:
    return fake.site().site.balancers[balancer].members[name]


async def shown(pilot: Pilot[None], words: str) -> None:
    await until(pilot, lambda: words in said(pilot), f"{words!r} on the screen")


@pytest.mark.parametrize("size", SIZES)
async def test_balancers_and_the_members_of_the_chosen_one_are_listed(size: tuple[int, int]) -> None:
    async with console(Serialised(engine()), size, page="4") as pilot:
        await shown(pilot, "▸ backend")
        assert "2 of 3 up" in said(pilot)
        assert listed(pilot) == ["a", "b", "c"]
        await pilot.press("right")
        await until(pilot, lambda: listed(pilot) == ["blue", "green", "canary"], "the members of the other")
        assert "▸ api" in said(pilot)


async def test_a_nudge_is_one_weight_up_or_down_and_its_effect_stands_there_before() -> None:
    fake = engine()
    async with console(fake, page="4") as pilot:
        await shown(pilot, "+ weight 2: a 25% → 40%, b 50% → 40%, c 25% → 20%")
        await pilot.press("plus")
        await until(pilot, lambda: member(fake).weight == 2, "weight 2")
        await shown(pilot, "+ weight 3: a 40% → 50%")
        await pilot.press("minus")
        await until(pilot, lambda: member(fake).weight == 1, "weight 1")


class Slow(FakeEngine):
    """Takes its time over every command, as a large site does."""

    async def submit(self, command: Command, author: str = "console") -> Result:
        await asyncio.sleep(0.02)
        return await super().submit(command, author)


async def test_nudges_that_come_while_one_is_on_its_way_add_up() -> None:
    fake = Slow()
    async with console(fake, page="4") as pilot:
        await shown(pilot, "▸ backend")
        for step in (1, 1, 1, 1, -1):
            page(pilot).action_nudge(step)
        await until(pilot, lambda: len(fake.commands) == 5, "five nudges")
        assert member(fake).weight == 4


async def test_a_weight_stays_within_its_bounds() -> None:
    fake = engine()
    async with console(fake, page="4") as pilot:
        await pilot.press("minus")
        await until(pilot, lambda: member(fake).weight == 0, "weight 0")
        await pilot.press("minus")
        await shown(pilot, "A weight is between 0 and 100.")
        assert len(fake.commands) == 1


async def test_a_typed_weight_is_previewed_with_its_line_and_its_shares() -> None:
    fake = engine()
    async with console(fake, page="4") as pilot:
        await pilot.press("w")
        await shown(pilot, "Weight of backend/a, 0 to 100?")
        await pilot.press("5")
        await shown(pilot, "+weight = 5")
        assert "set weight of backend/a to 5" in said(pilot)
        assert "a 25% → 62%" in said(pilot)
        await pilot.press("0", "0")
        await shown(pilot, "A weight is a number from 0 to 100.")
        await pilot.press("enter")
        await settled(pilot)
        assert not fake.commands
        await pilot.press("backspace", "backspace", "enter")
        await until(pilot, lambda: member(fake).weight == 5, "weight 5")


async def test_a_weight_that_leaves_nobody_asks_first() -> None:
    fake = engine()
    async with console(fake, page="4") as pilot:
        for name in ("b", "c"):
            page(pilot).table.go_to(f"backend/{name}")
            await pilot.press("x")
            await shown(pilot, f"Disable backend/{name}?")
            await pilot.press("y")
            await until(pilot, lambda name=name: member(fake, name=name).status == "disabled", f"{name} disabled")
        page(pilot).table.go_to("backend/a")
        await settled(pilot)
        await pilot.press("minus")
        await shown(pilot, "they will get")
        assert member(fake).weight == 1
        await pilot.press("n")
        await settled(pilot)
        assert member(fake).weight == 1


async def test_draining_says_what_is_in_flight_and_who_carries_the_rest_then_counts_down() -> None:
    fake = engine(rate=0)
    fake.busy["backend", "a"] = 14
    async with console(fake, page="4") as pilot:
        await pilot.press("D")
        await shown(pilot, "Drain backend/a?")
        assert "14 in flight will finish. b goes from 67% to 100%. c is down." in said(pilot)
        assert member(fake).status == "enabled"
        await pilot.press("y")
        await until(pilot, lambda: member(fake).status == "draining", "draining")
        fake.busy["backend", "a"] = 3
        await shown(pilot, "draining: 3 in flight")
        fake.busy["backend", "a"] = 6
        await shown(pilot, "draining: 6 for 72 s")
        fake.busy["backend", "a"] = 0
        await shown(pilot, "backend/a is drained: safe to stop")
        await shown(pilot, "e enable: a 0% → 25%")
        await pilot.press("e")
        await until(pilot, lambda: member(fake).status == "enabled", "enabled")


async def test_a_key_that_would_change_nothing_says_so() -> None:
    fake = engine()
    async with console(fake, page="4") as pilot:
        await pilot.press("e")
        await shown(pilot, "backend/a is enabled already.")
        assert not fake.commands


async def test_a_removed_member_stays_listed_until_its_last_request_has_ended() -> None:
    fake = engine(rate=0)
    fake.busy["backend", "b"] = 2
    async with console(fake, page="4") as pilot:
        page(pilot).table.go_to("backend/b")
        await pilot.press("d")
        await shown(pilot, "Remove backend/b?")
        assert "2 in flight will finish. a goes from 33% to 100%. c is down." in said(pilot)
        await pilot.press("y")
        await until(pilot, lambda: "b" not in fake.site().site.balancers["backend"].members, "the member gone")
        await shown(pilot, "retired: 2 in flight")
        page(pilot).table.go_to("backend/b")
        await pilot.press("plus")
        await shown(pilot, "undo (u) brings it back")
        fake.busy["backend", "b"] = 0
        await until(pilot, lambda: listed(pilot) == ["a", "c"], "its line gone")
        await pilot.press("u")
        await until(pilot, lambda: "b" in fake.site().site.balancers["backend"].members, "undo")


async def test_the_form_adds_a_member_to_the_marked_balancer_and_the_cursor_goes_there() -> None:
    fake = engine()
    async with console(fake, page="4") as pilot:
        await pilot.press("right", "a")
        await shown(pilot, "add member")
        await pilot.press(*"red", "tab", *"127.0.0.1:8103")
        await settled(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: "red" in fake.site().site.balancers["api"].members, "the member")
        assert member(fake, "api", "red").url == "http://127.0.0.1:8103"
        await until(pilot, lambda: page(pilot).table.cursor == "api/red", "the cursor on it")


async def test_a_read_only_console_refuses_without_asking() -> None:
    fake = engine()
    async with console(fake, page="4", read_only=True) as pilot:
        await pilot.press("D")
        await shown(pilot, "read-only")
        assert "Drain backend/a?" not in said(pilot)
        assert not fake.commands


async def test_an_empty_page_says_how_to_fill_it_also_where_there_is_little_room() -> None:
    async with console(FakeEngine(EMPTY), (60, 15), page="4") as pilot:
        await shown(pilot, "No balancer yet: press b to add one.")
        for key in ("plus", "minus", "w", "D", "e", "x", "a", "d", "m", "enter", "left", "right"):
            await pilot.press(key)
        await settled(pilot)
        assert isinstance(pilot.app.screen, BalancersPage)


async def test_an_empty_balancer_says_how_to_fill_it_and_can_be_removed() -> None:
    fake = FakeEngine(EMPTY + "[balancers.spare]\n")
    async with console(fake, page="4") as pilot:
        await shown(pilot, "Press a to add one.")
        await pilot.press("d")
        await shown(pilot, "Remove balancer spare?")
        await pilot.press("y")
        await until(pilot, lambda: not fake.site().site.balancers, "no balancer")


async def test_marked_members_are_drained_in_one_command_and_taken_back_by_one_undo() -> None:
    fake = engine(rate=0)
    fake.busy["backend", "a"] = 3
    async with console(Serialised(fake), page="4") as pilot:
        await pilot.press("space", "down", "space")
        await shown(pilot, "2 marked: a and c")
        await shown(pilot, "D drain: a 25% → 0%, c 25% → 0%, b 50% → 100%")
        await pilot.press("D")
        await shown(pilot, "Drain backend/a and c?")
        await shown(pilot, "3 in flight will finish. b goes from 67% to 100%.")
        await pilot.press("y")
        await until(pilot, lambda: member(fake).status == member(fake, name="c").status == "draining", "both drain")
        assert len(fake.commands) == 1
        assert member(fake, name="b").status == "enabled"
        await until(pilot, lambda: not page(pilot).table.marks, "no mark left")
        await pilot.press("u")
        await until(pilot, lambda: member(fake).status == member(fake, name="c").status == "enabled", "both back")


async def test_marked_members_are_weighed_in_one_command_and_stay_marked_for_the_next_nudge() -> None:
    fake = engine()
    async with console(fake, page="4") as pilot:
        await pilot.press("space", "down", "space")
        await shown(pilot, "+ weight 2 and 2: a 25% → 33%, c 25% → 33%, b 50% → 33%")
        await pilot.press("plus")
        await until(pilot, lambda: member(fake).weight == member(fake, name="c").weight == 2, "both at 2")
        await pilot.press("plus")
        await until(pilot, lambda: member(fake).weight == member(fake, name="c").weight == 3, "both at 3")
        assert [len(command.edits) for command in fake.commands] == [2, 2]
        await pilot.press("w")
        await shown(pilot, "Weight of backend/a and c, 0 to 100?")
        await pilot.press("5")
        await shown(pilot, "set weight of backend/a and c to 5")
        await pilot.press("enter")
        await until(pilot, lambda: member(fake).weight == member(fake, name="c").weight == 5, "both at 5")
        assert member(fake, name="b").weight == 2


async def test_marks_are_forgotten_with_escape_and_never_act_on_a_balancer_out_of_sight() -> None:
    fake = engine()
    async with console(fake, page="4") as pilot:
        await pilot.press("space")
        await shown(pilot, "✓ a")
        await pilot.press("escape")
        await until(pilot, lambda: "✓ a" not in said(pilot), "no mark")
        await pilot.press("up", "space", "right", "x")
        await shown(pilot, "Disable api/green?")


@pytest.mark.parametrize(("key", "role"), [("s", "standby"), ("S", "spare")])
async def test_a_member_is_made_a_standby_or_spare_and_a_regular_member_again(key: str, role: str) -> None:
    fake = engine(rate=0)
    async with console(fake, page="4") as pilot:
        await pilot.press(key)
        await shown(pilot, f"Make backend/a a {role}?")
        assert member(fake).role == "regular"
        await pilot.press("y")
        await until(pilot, lambda: member(fake).role == role, role)
        await shown(pilot, f"· {role}, not tried")
        await pilot.press(key)
        await until(pilot, lambda: member(fake).role == "regular", "regular again")


CONDITIONS: list[tuple[dict[str, object], str]] = [
    (
        {"check": Check(at=START + 17, passed=False, result="503", streak=4, next_in=2.0), "health": "failing"},
        "check failed 4 times in a row, 3 s ago (503), next in 2 s",
    ),
    ({"check": Check(at=0, passed=True, result="", streak=0, next_in=2.0)}, "first check in 2 s"),
    ({"ramp": 0.25}, "gets 25% of its weight, rising"),
    ({"health": "ejected", "retry_in": 12.0, "ejections": 3}, "ejected 3 times"),
    (
        {"name": Name(addresses=("192.0.2.7",), age=40.0, trouble="no answer")},
        "no answer; 192.0.2.7 of 40 s ago is used",
    ),
    ({"status": "draining", "busy": 2, "cut_in": 9.0}, "what is left is cut in 9 s"),
    ({"status": "draining", "busy": 0, "drained": False}, "its sessions may still come; x ends them"),
]


@pytest.mark.parametrize(("seen", "expected"), CONDITIONS, ids=[row[1] for row in CONDITIONS])
async def test_what_checks_and_names_say_of_a_member_stands_under_the_table(
    seen: dict[str, object], expected: str
) -> None:
    fake = engine(rate=0)
    fake.seen["backend", "a"] = seen
    async with console(Serialised(fake), (100, 24), page="4") as pilot:
        await shown(pilot, expected)


async def test_the_settings_of_a_balancer_stand_in_one_list_and_checks_are_switched_on_and_off() -> None:
    fake = engine()
    async with console(fake, page="4") as pilot:
        await pilot.press("m")
        await shown(pilot, "Method and limits: byrequests")
        await shown(pilot, "Health checks: none")
        await pilot.press("c")
        await shown(pilot, "set up health checks of balancer backend")
        await pilot.press("right", "enter")
        await until(pilot, lambda: fake.site().site.balancers["backend"].health is not None, "checks")
        await pilot.press("m")
        await shown(pilot, "Health checks: head / every 30 s")
        await pilot.press("c")
        await shown(pilot, "Switch off")
        await pilot.press("o")
        await until(pilot, lambda: fake.site().site.balancers["backend"].health is None, "no checks")


async def test_how_tls_is_spoken_with_members_is_edited_and_given_up() -> None:
    fake = engine()
    async with console(fake, page="4") as pilot:
        await pilot.press("m")
        await shown(pilot, "TLS with members: as the host or the site")
        await pilot.press("t")
        await shown(pilot, "set up TLS of balancer backend")
        await pilot.press("right", "enter")
        await until(pilot, lambda: fake.site().site.balancers["backend"].tls == UpstreamTls(verify=False), "a table")
        await pilot.press("m")
        await shown(pilot, "TLS with members: not verified")
        await pilot.press("t")
        await shown(pilot, "Switch off")
        await pilot.press("o")
        await until(pilot, lambda: fake.site().site.balancers["backend"].tls is None, "no table")


async def test_a_form_says_what_stickiness_still_needs() -> None:
    fake = engine()
    async with console(fake, page="4") as pilot:
        await pilot.press("m", "s")
        await shown(pilot, "set up stickiness of balancer backend")
        await pilot.press(*"ROUTEID")
        await settled(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: fake.site().site.balancers["backend"].sticky is not None, "stickiness")


@pytest.mark.parametrize("size", SIZES)
async def test_two_members_stand_side_by_side_and_what_is_much_worse_is_pointed_out(size: tuple[int, int]) -> None:
    fake = engine(rate=0)
    fake.seen["backend", "a"] = {"errors": 2, "latency": Percentiles(0.01, 0.02, 0.03)}
    fake.seen["backend", "b"] = {"errors": 20, "latency": Percentiles(0.01, 0.2, 0.03)}
    async with console(Serialised(fake), size, page="4") as pilot:
        await pilot.press("c")
        await shown(pilot, "Mark two members with space")
        await pilot.press("space", "c")
        await shown(pilot, "p95 ms 20.0 200 ×10 ▲")
        assert all(len(line) <= size[0] for line in screen(pilot).splitlines())
        await pilot.press("s")
        await shown(pilot, "p95 ms 200 20.0 ×0.1 ▼")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, BalancersPage), "back")
        assert not page(pilot).table.marks, "the next key would act on what was compared"


async def test_comparing_goes_on_when_one_of_the_two_is_removed() -> None:
    fake = engine(rate=0)
    async with console(fake, page="4") as pilot:
        await pilot.press("space", "c")
        await shown(pilot, "backend/a")
        await fake.submit(sentences.remove_members("backend", "b"))
        await shown(pilot, "backend/b is gone.")


@pytest.mark.parametrize(
    ("label", "one", "other", "sign"),
    [
        ("retries", {"retries": 0}, {"retries": 18}, "▲"),
        ("retries", {"retries": 18}, {"retries": 0}, "×0 ▼"),
        ("retries", {"retries": 4}, {"retries": 4}, ""),
        ("5xx %", {"part_5xx": 0.0}, {"part_5xx": 0.02}, "▲"),
        ("requests", {"elected": 0}, {"elected": 18}, "≠"),
        ("weight", {"weight": 1.0}, {"weight": 3.0}, "×3.0"),
        ("role, set", {"role": "regular"}, {"role": "standby"}, "≠"),
        ("state", {"health": "up"}, {"health": "up"}, ""),
    ],
)
def test_what_differs_between_two_members_is_marked(
    label: str, one: dict[str, Any], other: dict[str, Any], sign: str
) -> None:
    load = next(each for each in FakeEngine().snapshot().members if each.member == "a")
    fact = next(each for each in FACTS if each.label == label)
    assert verdict(fact, replace(load, **one), replace(load, **other))[0] == sign
