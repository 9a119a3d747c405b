"""Filtering and grouping on the Traffic page, by keys."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import msgspec
import pytest
from textual.pilot import Pilot

from proxy_core.control.view import EngineView
from proxy_core.control.watching.log_records import Record
from proxy_core.control.watching.record_filter import BadFilter, compiled
from rproxy_tui.app import ConsoleApp
from rproxy_tui.remembered import remembered
from rproxy_tui.screens.traffic import TrafficPage
from rproxy_tui.widgets.filter_line import caret
from rproxy_tui.widgets.request_log import COLUMNS, RequestLog, cell_term
from tests.screens.fake import FakeEngine
from tests.screens.helpers import console, settled, text, until
from tests.screens.wire import Serialised


def busy_engine() -> FakeEngine:
    engine = FakeEngine()
    engine.advance(20)
    return engine


def page_of(pilot: Pilot[None]) -> TrafficPage:
    return cast(TrafficPage, pilot.app.screen)


def log_of(pilot: Pilot[None]) -> RequestLog:
    return page_of(pilot).requests


def shown(pilot: Pilot[None]) -> str:
    return text(cast(ConsoleApp, pilot.app))


async def shows(pilot: Pilot[None], words: str) -> None:
    await until(pilot, lambda: words in shown(pilot), words)


async def test_a_filter_is_typed_with_completion_and_what_is_wrong_is_shown_under_its_place() -> None:
    engine = busy_engine()
    async with console(cast(EngineView, Serialised(engine)), (80, 24), "2") as pilot:
        log = log_of(pilot)
        await pilot.press("f", *"stauts>5")
        await shows(pilot, "^ there is no field stauts: status?")
        await pilot.press(*["backspace"] * 8, *"statu", "tab", *"500 me")
        await shows(pilot, "tab method=")
        assert "^ a term is a field" in shown(pilot)
        await pilot.press("m", "tab")
        await shows(pilot, "^ a value is missing")
        await pilot.press(*'""')
        passes = compiled('status>=500 member=""')
        await until(pilot, lambda: log.tail.shown == [each for each in log.tail.kept if passes(each)], "it is tried")
        await shows(pilot, f"{len(log.tail.shown)} of 800 requests")
        await pilot.press("escape")
        await until(pilot, lambda: log.tail.shown == log.tail.kept, "what was typed does not hold")
        assert remembered(engine.site().file).filter == ""


async def test_a_filter_holds_for_what_comes_is_switched_off_and_on_and_is_remembered() -> None:
    engine = busy_engine()
    async with console(engine, (80, 24), "2") as pilot:
        log = log_of(pilot)
        await pilot.press("F")
        await shows(pilot, "no filter yet: f types one")
        await pilot.press("f", *"status>=500", "enter")
        await shows(pilot, "filter status>=500: ")
        engine.advance(2)
        await settled(pilot)
        assert log.tail.kept[-1].number == 880
        assert log.tail.shown == [each for each in log.tail.kept if each.status >= 500]
        await pilot.press("F")
        await until(pilot, lambda: log.tail.shown == log.tail.kept, "it is off")
        await until(pilot, lambda: remembered(engine.site().file).filter == "status>=500", "it is remembered")
    async with console(engine, (80, 24), "2") as pilot:
        assert log_of(pilot).tail.shown == log_of(pilot).tail.kept
        await pilot.press("F")
        await shows(pilot, "filter status>=500: ")


async def test_the_marked_cell_is_added_to_the_filter_or_left_out() -> None:
    engine = busy_engine()
    async with console(engine, (80, 24), "2") as pilot:
        log = log_of(pilot)
        await pilot.press("k", "right")
        record = log.tail.current
        assert record is not None
        await pilot.press("ampersand")
        await shows(pilot, f"filter method={record.method}: ")
        await until(pilot, lambda: {each.method for each in log.tail.shown} == {record.method}, "its method alone")
        excluded = log.tail.current
        assert excluded is not None
        await pilot.press("left", "minus")
        await shows(pilot, f"filter method={record.method} not (status={excluded.status}): ")
        await until(
            pilot, lambda: excluded.status not in {each.status for each in log.tail.shown}, "without its status"
        )
        await pilot.press("left", "left", "ampersand")
        await shows(pilot, "nothing to filter by in this cell")


async def test_groups_show_what_is_filtered_and_one_goes_into_a_group_and_back() -> None:
    engine = busy_engine()
    async with console(engine, (80, 24), "2") as pilot:
        page, log = page_of(pilot), log_of(pilot)
        await pilot.press("f", *"status<500", "enter", "g")
        await shows(pilot, "GET /api/orders/{n}")
        number = len(log.tail.shown)
        await until(pilot, lambda: sum(each.requests for each in page.groups.groups.values()) == number, "all of them")
        assert "by path, route   " in shown(pilot)
        assert "⏎ Go into" in shown(pilot)
        assert "w Why" not in shown(pilot)
        await pilot.press("enter")
        group = f"{next(iter(page.groups.groups))}"
        await until(pilot, lambda: all(map(compiled(group), log.tail.shown)), "the requests of the group")
        assert log.display
        await pilot.press("escape")
        await until(
            pilot, lambda: page.groups.display and len(log.tail.shown) == number, "back, with the filter before"
        )
        await pilot.press("g", "g", "g", "t")
        await shows(pilot, "by member, path")
        await pilot.press("o")
        await shows(pilot, "most 5xx first")
        await pilot.press("escape")
        assert log.display
        assert log.has_focus


async def test_what_went_wrong_is_shown_from_before_the_oldest_of_all_requests() -> None:
    engine = busy_engine()
    engine.past = [msgspec.structs.replace(engine.ring[0], number=n, status=503) for n in range(1, 601, 2)]
    for _ in range(600):
        engine.ring.popleft()
    async with console(engine, (80, 24), "2") as pilot:
        log = log_of(pilot)
        for _ in range(4):
            log.pull(engine, engine.snapshot().newest_record)
        assert [each.number for each in log.tail.kept] == [*range(1, 601, 2), *range(601, 801)]
        await pilot.press("f", *"number<600", "enter")
        await until(pilot, lambda: len(log.tail.shown) == 300, "they are found")


@pytest.mark.parametrize(
    ("error", "scrolled", "expected"),
    [
        (BadFilter("wrong", 4), 0, "    ^ wrong"),
        (BadFilter("wrong", 18), 0, "            wrong ^"),
        (BadFilter("wrong", 30), 20, "          ^ wrong"),
        (BadFilter("wrong", 4000), 0, "             wrong ^"),
        (BadFilter("far too long for it", 2), 0, "  ^ far too long fo…"),
    ],
)
def test_the_caret_stands_under_the_place_and_the_words_where_there_is_room(
    error: BadFilter, scrolled: int, expected: str
) -> None:
    assert caret(error, scrolled, 20) == expected


def test_a_cell_is_a_filter_that_holds_for_its_request() -> None:
    for record in busy_engine().ring:
        odd: Record = msgspec.structs.replace(record, target='/a b?x=")', method="G T", client="")
        for each in (record, odd):
            terms = {column.title: cell_term(each, column.title) for column in COLUMNS}
            assert [title for title, term in terms.items() if not term] == ["time"]
            assert [term for term in terms.values() if term and not compiled(term)(each)] == []


def test_what_is_remembered_is_lost_without_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert remembered("/s.toml").filter == ""
    (tmp_path / "rproxy" / "s.toml").mkdir(parents=True)
    (tmp_path / "rproxy" / "s.toml" / "console.json").write_text("{")
    assert remembered("/s.toml").filter == ""
