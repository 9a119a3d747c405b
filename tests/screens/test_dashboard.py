"""The Dashboard: members, charts with edits, problems and the newest requests, at every size."""

from __future__ import annotations

import re
from typing import cast

import pytest
from msgspec.structs import replace

from proxy_core.control.editing.commands import Change, Set
from proxy_core.control.view import EngineView
from proxy_core.control.watching.troubles import Sign, Subject, Trouble
from proxy_core.errors import Problem
from rproxy_tui.screens.dashboard import latest, wrong
from tests.screens.fake import FakeEngine
from tests.screens.helpers import SIZES, console, settled, text
from tests.screens.sites import EMPTY
from tests.screens.wire import Serialised


def busy_engine(seconds: float = 30) -> FakeEngine:
    engine = FakeEngine()
    engine.advance(seconds)
    return engine


@pytest.mark.parametrize(("size", "wired"), [*((size, False) for size in SIZES), ((80, 24), True)])
async def test_members_charts_and_newest_requests_fit_every_size(size: tuple[int, int], wired: bool) -> None:
    engine = busy_engine()
    async with console(cast(EngineView, Serialised(engine)) if wired else engine, size, "1") as pilot:
        page = text(pilot.app)
        states = ("▲ error: retry in", "○ drained: safe to stop") if size[0] > 100 else ("▲ error", "○ drained")
        for expected in ("backend/a", *states, "api/canary", "GET", "method"):
            assert expected in page
        assert ("requests/s" in page) == (page.count("p95 ms") == 2) == (size[1] >= 20)
        assert bool(re.search(r"4xx/s +\d+ +peak", page)) == (size[0] >= 100)
        assert ("start it, or take it out of service" in page) == (size[1] >= 32)
        assert len(page.splitlines()) == size[1]
        assert all(len(line) <= size[0] for line in page.splitlines())


async def test_what_is_wrong_stands_above_all_with_its_evidence_and_goes_when_it_is_over() -> None:
    engine = busy_engine()
    sign = Sign(
        measure="5xx", part=0.021, expected=0.0, per_second=0.8, since=engine.now - 60, found=engine.now - 30,
        shape="POST /api/checkout", shape_part=0.96,
    )  # fmt: skip
    ill = Subject("member", "backend", "c")
    engine.troubles = (
        Trouble(subject=ill, signs=(sign, replace(sign, measure="slow")), p95=0.2, p95_expected=0.02, peers=3),
    )
    async with console(engine, (80, 24), "1") as pilot:
        await settled(pilot)
        first = text(pilot.app).splitlines()[2]
        page = " ".join(text(pilot.app).split())
        assert "backend/c" in first
        assert "5xx 2.1 % (peers 0 %), p95 ×10 (20 → 200 ms), 96 % of it POST /api/checkout since" in page
        assert "all of it" not in page
        await pilot.press("D")
        await settled(pilot)
        assert "Drain backend/c?" in text(pilot.app), "the question of the Balancers page, for the member that is ill"
        await pilot.press("escape", "1")
        engine.troubles = ()
        engine.advance(1)
        await settled(pilot)
        assert "peers" not in text(pilot.app)


def test_a_key_stands_at_the_one_trouble_that_it_acts_on() -> None:
    sign = Sign(measure="5xx", part=0.5, expected=0.0, per_second=9.0, since=0.0, found=30.0)
    found = [
        Trouble(subject=subject, signs=(sign,), p95=0.1, p95_expected=0.1, generation=generation)
        for subject, generation in (
            (Subject("rule", "rewrites", "old"), 2),
            (Subject("member", "shop", "c"), 3),
            (Subject("member", "shop", "d"), 0),
        )
    ]
    lines = wrong(found, ()).plain.splitlines()
    assert ["R revert g2" in line for line in lines] == [True, False, False]
    assert ["D drain" in line for line in lines] == [False, True, False]
    assert "R revert g3" not in lines[1]


async def test_an_edit_is_marked_under_the_charts() -> None:
    engine = busy_engine()
    weight = ("balancers", "backend", "members", "a", "weight")
    await engine.submit(Change(edits=(Set(weight, 5),), sentence="set weight of backend/a to 5"))
    engine.advance(3)
    async with console(engine, (80, 24), "1") as pilot:
        assert text(pilot.app).count("2▲") == 3
        engine.advance(20)
        await settled(pilot)
        assert text(pilot.app).count("▲2") == 3
        row = next(line for line in text(pilot.app).splitlines() if "backend/a" in line)
        assert row.split()[7:8] == ["5"]


async def test_the_tail_follows_and_members_move_on() -> None:
    engine = busy_engine()
    async with console(engine, (120, 40), "1") as pilot:
        before = text(pilot.app)
        engine.advance(2)
        await settled(pilot)
        assert text(pilot.app) != before
        newest = engine.records(engine.snapshot().newest_record - 1)[0]
        last = [line for line in text(pilot.app).splitlines() if newest.client in line and f" {newest.status} " in line]
        assert last


@pytest.mark.parametrize("size", SIZES)
async def test_an_empty_site_says_what_to_do_next(size: tuple[int, int]) -> None:
    async with console(FakeEngine(EMPTY, rate=0), size, "1") as pilot:
        page = text(pilot.app)
        assert "no member yet: go to Balancers (4)" in page
        assert "no listener yet: press :" in page


async def test_enter_on_a_member_goes_to_the_balancers() -> None:
    async with console(busy_engine(), (80, 24), "1") as pilot:
        await pilot.press("enter")
        await settled(pilot)
        assert pilot.app.current_mode == "4"


def test_problems_are_listed_errors_first_and_counted_when_there_are_more() -> None:
    problems = [Problem(what=f"warning {n}", severity="warning") for n in range(3)]
    problems.append(Problem(what="the \x1b[2J file", todo="mend it"))
    assert latest(problems, 2).plain == "✗ the \\x1b[2J file: mend it\n! warning 0\n… 2 more (p lists them)"
    assert latest([], 2).plain == "no problems"


@pytest.mark.parametrize("size", SIZES)
async def test_limits_that_were_reached_are_counted_and_those_that_are_being_reached_stand_first(
    size: tuple[int, int],
) -> None:
    engine = busy_engine()
    async with console(engine, size, "1") as pilot:
        assert "limits reached" not in text(pilot.app)
        engine.limited = {"body": 4, "client_rate": 310, "head": 0}
        await settled(pilot)
        assert "limits reached: body 4 · client_rate 310\n" in text(pilot.app)
        engine.limited = {"body": 4, "client_rate": 312, "head": 0}
        await settled(pilot)
        assert "limits reached: client_rate 312 ▲ · body 4\n" in text(pilot.app)
        engine.advance(6)
        await settled(pilot)
        assert "limits reached: body 4 · client_rate 312\n" in text(pilot.app)
        engine.limited, engine.turned_away = {}, 7
        await settled(pilot)
        assert "limits reached: entrance of http 7 ▲\n" in text(pilot.app)
