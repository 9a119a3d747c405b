"""Deeper into a route, a rule or a member, and finding one in a list."""

from __future__ import annotations

from textual.pilot import Pilot

from proxy_core.config.model import Route
from rproxy_tui import sentences
from rproxy_tui.app import ConsoleApp
from tests.control.watching.test_details import step
from tests.screens.fake import FakeEngine
from tests.screens.helpers import console, text, until
from tests.screens.sites import RULES
from tests.screens.wire import Serialised


def screen(pilot: Pilot[None]) -> str:
    assert isinstance(pilot.app, ConsoleApp)
    return text(pilot.app)


async def test_enter_goes_deeper_and_e_edits() -> None:
    fake = FakeEngine()
    fake.advance(30)
    fake.hour = [step(n, errors=1) for n in range(12)]
    await fake.submit(sentences.set_weights("backend", {"a": 7}), "alice")
    async with console(Serialised(fake), (120, 60), page="4") as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: "no request in the last 2 min" in screen(pilot), "its details")
        shown = screen(pilot)
        assert "backend/a  http://127.0.0.1:8000" in shown
        assert "newest requests" in shown
        assert "g2  alice, 0 s ago: set weight of backend/a to 7" in shown
        await pilot.press("e")
        await until(pilot, lambda: "edit member backend/a" in screen(pilot), "its form")
        await pilot.press("escape", "escape")
        assert "used by" in screen(pilot)


async def test_a_route_says_on_which_paths_it_fails() -> None:
    fake = FakeEngine(RULES.replace('id = "service"', 'id = "shop"'))
    fake.hour = [step(n, errors=1) for n in range(12)]
    async with console(Serialised(fake), (80, 60), page="3") as pilot:
        await pilot.press("/", *"shop", "enter", "enter")
        await until(pilot, lambda: "POST /buy" in screen(pilot), "its paths")
        row = next(line for line in screen(pilot).splitlines() if "POST /buy" in line)
        assert row.split()[2:] == ["60", "0.0", "%", "20.0", "%", "311", "311"]
        assert "none that is kept" in screen(pilot)


async def test_a_list_is_cut_down_to_what_is_looked_for_and_escape_brings_all_back() -> None:
    fake = FakeEngine(RULES)
    await fake.submit(sentences.toggle_row("routes", Route(id="api", path="/api", proxy="balancer://api/v1")))
    async with console(Serialised(fake), (120, 40), page="3") as pilot:
        assert sum("g2, 0 s ago" in line for line in screen(pilot).splitlines()) == 1
        await pilot.press("/", *"balancer API")
        rows = [line for line in screen(pilot).splitlines() if "→" in line]
        assert [line.split()[3] for line in rows] == ["api", "old-api"]
        assert "2 of 8" in screen(pilot)
        await pilot.press("enter", "j")
        assert "2 of 8" in screen(pilot), "nobody takes a part of the list for all of it"
        await pilot.press("/", "escape")
        assert len([line for line in screen(pilot).splitlines() if "→" in line]) == 7
        await pilot.press("5", "/", *"redir")
        assert "0 of 3" in screen(pilot)
