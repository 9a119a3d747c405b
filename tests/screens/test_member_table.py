"""The table of members: what it says of each state, and whose row the cursor is on."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from textual.app import ComposeResult
from textual.message import Message

from proxy_core.control.editing.commands import Change, Set
from proxy_core.control.view import MemberLoad, Percentiles
from rproxy_tui import words
from rproxy_tui.app import PAGES
from rproxy_tui.member_facts import FACTS
from rproxy_tui.page import Page
from rproxy_tui.widgets.member_tables import MEMBERS, MemberTable, ShownMember, peers
from tests.screens.fake import FakeEngine
from tests.screens.helpers import console, settled, text

MEMBER = next(load for load in FakeEngine().snapshot().members if load.member == "a")


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({"health": "up"}, "● up"),
        ({"health": "unknown"}, "· not tried yet"),
        ({"health": "error", "retry_in": 12.2}, "▲ error: retry in 12 s"),
        ({"health": "error", "retry_in": 0.0}, "▲ error: next try now"),
        ({"health": "unresolved"}, "▲ unresolved"),
        ({"status": "draining", "busy": 3, "oldest": 4.0}, "▼ draining: 3 in flight"),
        ({"status": "draining", "busy": 3, "oldest": 75.0}, "▼ draining: 3 for 75 s"),
        ({"status": "draining", "busy": 0, "health": "error", "drained": True}, "○ drained: safe to stop"),
        ({"status": "draining", "busy": 0}, "▼ draining: no request"),
        ({"status": "stopped", "busy": 2}, "○ stopped: 2 in flight"),
        ({"health": "up", "ramp": 0.4}, "● up: ramp at 40%"),
        ({"health": "up", "role": "spare"}, "● up, spare"),
        ({"health": "unknown", "role": "standby"}, "· standby, not tried"),
        ({"health": "failing"}, "▲ failing its checks"),
        ({"health": "ejected", "retry_in": 29.7}, "▲ ejected: back in 30 s"),
        ({"status": "disabled", "health": "error"}, "○ disabled"),
        ({"status": "disabled", "busy": 2}, "○ disabled: 2 in flight"),
        ({"retired": True, "busy": 2}, "○ retired: 2 in flight"),
        ({"retired": True, "busy": 0}, "○ retired"),
    ],
)
def test_a_members_state_in_words(known: dict[str, Any], expected: str) -> None:
    load: MemberLoad = msgspec.structs.replace(MEMBER, **{"busy": 0, **known})
    glyph, state, _ = words.member_state(load)
    assert f"{glyph} {state}" == expected


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({"health": "up"}, "up"),
        ({"health": "up", "ill": "5xx, slow"}, "5xx+slow"),
        ({"health": "up", "ramp": 0.4}, "up 40%"),
        ({"health": "up", "role": "standby"}, "standby"),
        ({"health": "unknown"}, "untried"),
        ({"health": "error", "retry_in": 12.2}, "error"),
        ({"health": "unresolved"}, "no name"),
        ({"status": "draining", "busy": 12}, "drain 12"),
        ({"status": "draining", "busy": 0, "drained": True}, "drained"),
        ({"status": "draining", "busy": 0}, "drain"),
        ({"status": "disabled", "busy": 2}, "disabled"),
        ({"retired": True, "busy": 2}, "retired"),
        ({"known": False}, "not kept"),
    ],
)
def test_a_members_state_in_a_word(known: dict[str, Any], expected: str) -> None:
    word = words.member_state_word(msgspec.structs.replace(MEMBER, **{"busy": 0, **known}))
    assert word == expected
    assert len(word) <= 8


def load_of(name: str, **known: Any) -> MemberLoad:
    return msgspec.structs.replace(MEMBER, member=name, **known)


def cell(title: str, shown: ShownMember) -> str:
    column = next(each for each in MEMBERS if each.title == title)
    return "".join(text for text, _ in column.cell(shown, column.width))


def test_p95_says_how_many_times_that_of_its_peers_it_is() -> None:
    loads = [
        load_of(name, latency=Percentiles(0.0, took, 0.0)) for name, took in (("a", 0.02), ("b", 0.021), ("c", 0.2))
    ]
    found = peers([*loads, load_of("quiet", latency=Percentiles())])
    assert found == {"backend/a": 0.2, "backend/b": 0.2, "backend/c": 0.021}
    assert cell("p95 ms", ShownMember(loads[2], 0, peers=0.021)) == "200 ×10"
    assert cell("p95 ms", ShownMember(loads[1], 0, peers=0.02)) == "21.0"
    assert peers(loads[:1]) == {}


@pytest.mark.parametrize(
    ("share", "promised", "says"),
    [(0.5, 0.5, "50%"), (0.62, 0.5, "62%/50%"), (0.0, 0.0, ""), (0.0, 0.5, "0%/50%")],
)
def test_the_promise_is_said_where_the_share_is_another(share: float, promised: float, says: str) -> None:
    assert cell("share", ShownMember(load_of("a", share=share, promised=promised), 0)) == says


@pytest.mark.parametrize(("part", "says"), [(-1.0, "–"), (0.0, "0"), (0.021, "2.1")])
def test_errors_are_a_part_of_the_last_minute(part: float, says: str) -> None:
    assert cell("5xx %", ShownMember(load_of("a", part_5xx=part), 0)) == says


class Members(Page):
    heading, key = "Members", "1"

    def body(self) -> ComposeResult:
        yield MemberTable()

    def on_mount(self) -> None:
        self.heard: list[tuple[type[Message], str]] = []

    def pull(self, snapshot: Any) -> None:
        self.query_one(MemberTable).show_members(snapshot)

    def on_line_table_moved(self, message: MemberTable.Moved) -> None:
        self.heard.append((type(message), self.query_one(MemberTable).cursor))

    def on_line_table_chosen(self, message: MemberTable.Chosen) -> None:
        self.heard.append((type(message), self.query_one(MemberTable).cursor))


@pytest.fixture
def members_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PAGES, "1", Members)
    monkeypatch.setattr("rproxy_tui.app.ConsoleApp.MODES", {**PAGES, "1": Members})


@pytest.mark.usefixtures("members_page")
@pytest.mark.parametrize(
    ("size", "shown", "hidden"),
    [
        ((60, 15), ["member", "state", "5xx %", "p95 ms", "in flight", "○ drained", "▲ error"], ["weight", "errors"]),
        ((80, 24), ["member", "state", "p95 ms", "weight", "share", "○ drained", "▲ error"], ["errors", "last minute"]),
        ((120, 40), ["share", "errors", "last minute", "drained: safe to stop", "error: retry in"], []),
    ],
)
async def test_columns_are_left_out_by_priority(size: tuple[int, int], shown: list[str], hidden: list[str]) -> None:
    engine = FakeEngine()
    engine.advance(5)
    async with console(engine, size) as pilot:
        page = text(pilot.app)
        assert [column for column in shown if column not in page] == []
        assert [column for column in hidden if column in page] == []
        for line in ("backend/a", "127.0."):
            assert line in page
        assert all(len(line) <= size[0] for line in page.splitlines())


@pytest.mark.usefixtures("members_page")
async def test_the_cursor_stays_on_its_member_when_rows_come_and_tells_when_it_moves() -> None:
    engine = FakeEngine()
    async with console(engine, (80, 24)) as pilot:
        page = pilot.app.screen
        assert isinstance(page, Members)
        table = page.query_one(MemberTable)
        assert table.cursor == "backend/a"
        await pilot.press("down", "j")
        assert table.cursor == "backend/c"
        members = {"z": {"url": "http://127.0.0.1:1"}, "a": {"url": "http://127.0.0.1:8000"}}
        members["c"] = {"url": "http://127.0.0.1:8002"}
        await engine.submit(Change(edits=(Set(("balancers", "backend", "members"), members),), sentence="other rows"))
        await settled(pilot)
        assert table.cursor == "backend/c"
        assert "backend/z" in text(pilot.app)
        await pilot.press("enter")
        assert page.heard[1:] == [
            (MemberTable.Moved, "backend/b"),
            (MemberTable.Moved, "backend/c"),
            (MemberTable.Chosen, "backend/c"),
        ]


@pytest.mark.usefixtures("members_page")
async def test_more_members_than_rows_scroll_with_the_cursor() -> None:
    engine = FakeEngine()
    for number in range(30):
        address = ("balancers", "api", "members", f"m{number:02}")
        await engine.submit(Change(edits=(Set(address, {"url": f"http://127.0.0.1:{7000 + number}"}),), sentence="add"))
    async with console(engine, (80, 24)) as pilot:
        pilot.app.screen.query_one(MemberTable).styles.height = "1fr"
        await settled(pilot)
        assert "api/m29" not in text(pilot.app)
        await pilot.press("end", "up")
        assert pilot.app.screen.query_one(MemberTable).cursor == "api/m29"
        assert "api/m29" in text(pilot.app)
        await pilot.press("home")
        assert "backend/a" in text(pilot.app)


@pytest.mark.usefixtures("members_page")
@pytest.mark.parametrize(("width", "whole"), [(120, True), (80, False)])
async def test_a_long_name_is_whole_where_less_needed_columns_can_make_room(width: int, whole: bool) -> None:
    engine = FakeEngine()
    name = "checkout-frankfurt-8001"
    address = ("balancers", "backend", "members", name)
    await engine.submit(Change(edits=(Set(address, {"url": "http://127.0.0.1:7000"}),), sentence="add"))
    async with console(engine, (width, 24)) as pilot:
        await settled(pilot)
        page = text(pilot.app)
        assert (name in page) == whole
        assert "share" in page


async def test_the_balancers_page_never_repeats_the_balancers_name_in_its_members() -> None:
    engine = FakeEngine()
    address = ("balancers", "backend", "members", "checkout-fra-1")
    await engine.submit(Change(edits=(Set(address, {"url": "http://127.0.0.1:7000"}),), sentence="add"))
    async with console(engine, (120, 40), page="4") as pilot:
        await settled(pilot)
        table = pilot.app.screen.query_one(MemberTable)
        assert "backend/" not in "\n".join(strip.text for strip in table._drawn)


def test_what_nobody_kept_of_a_member_is_told_as_nothing() -> None:
    """As a moment has one of whom only its requests are known (``moment``)."""
    unknown = dict.fromkeys(("weight", "busy", "elected", "promised", "sent", "received", "errors", "retries"), -1)
    load = msgspec.structs.replace(FakeEngine().snapshot().members[0], **unknown, ejections=-1, oldest=0.0)
    told = {fact.label: fact.text(load) for fact in FACTS}
    assert {name for name, value in told.items() if "-1" in value} == set()
    assert (told["weight"], told["promised"], told["oldest"]) == ("–", "–", "–")
