"""The Traffic page and the inspector, by keys: following and paused, search, filter, copying."""

from __future__ import annotations

import asyncio
import shlex
from pathlib import Path
from typing import cast

import msgspec
import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from proxy_core.config.model import Site
from proxy_core.control.editing.commands import Change, Set
from proxy_core.control.explaining.explanation import masked
from proxy_core.control.view import EngineView, ListenerState
from proxy_core.control.watching.log_records import Record
from rproxy_tui.app import ConsoleApp
from rproxy_tui.screens.inspector import InspectorPage, as_curl
from rproxy_tui.widgets.request_log import RequestLog, as_line, haystack, nothing_yet
from tests.screens.fake import FakeEngine
from tests.screens.helpers import SIZES, console, settled, text, until
from tests.screens.sites import EMPTY, SITE
from tests.screens.wire import Serialised

RUNS = [*((size, False) for size in SIZES), ((80, 24), True)]
"""Every size, and once with an engine at the far end of a wire."""

LISTENER = ListenerState(name="http", address=":8080", port=8080, connections=1, draining=False)


def busy_engine(seconds: float = 20) -> FakeEngine:
    engine = FakeEngine()
    engine.advance(seconds)
    return engine


def log_of(pilot: Pilot[None]) -> RequestLog:
    return pilot.app.screen.query_one(RequestLog)


def visible(pilot: Pilot[None]) -> list[int]:
    tail = log_of(pilot).tail
    return [record.number for record in tail.shown[tail.top : tail.top + tail.height]]


def lines(pilot: Pilot[None]) -> list[str]:
    return text(cast(ConsoleApp, pilot.app)).splitlines()


@pytest.mark.parametrize(("size", "wired"), RUNS)
async def test_the_log_shows_the_newest_requests_within_the_width(size: tuple[int, int], wired: bool) -> None:
    engine = busy_engine()
    seen: EngineView = cast(EngineView, Serialised(engine)) if wired else engine
    async with console(seen, size, "2") as pilot:
        page = "\n".join(lines(pilot))
        assert "following" in page
        assert visible(pilot)[-1] == engine.snapshot().newest_record
        newest = engine.records(engine.snapshot().newest_record - 1)[0]
        assert f"{newest.status}  {newest.method}" in page
        assert ("member" in page) == (size[0] >= 80)
        assert ("client" in page) == (size[0] >= 120)
        assert all(len(line) <= size[0] for line in lines(pilot))


async def test_following_moves_on_and_a_moved_cursor_stays_with_its_rows() -> None:
    engine = busy_engine()
    async with console(engine, (80, 24), "2") as pilot:
        engine.advance(1)
        await settled(pilot)
        assert visible(pilot)[-1] == engine.snapshot().newest_record
        await pilot.press("k", "up")
        rows, current = visible(pilot), log_of(pilot).tail.current
        assert current is not None
        assert current.number == engine.snapshot().newest_record - 2
        before = lines(pilot)[1:-4]
        engine.advance(3.2)
        await settled(pilot)
        assert visible(pilot) == rows
        assert log_of(pilot).tail.current == current
        assert lines(pilot)[1:-4] == before
        assert "paused · 128 new" in "\n".join(lines(pilot))
        await pilot.press("G")
        await settled(pilot)
        assert visible(pilot)[-1] == engine.snapshot().newest_record
        assert "following" in "\n".join(lines(pilot))


async def test_one_key_pauses_and_follows_again() -> None:
    engine = busy_engine()
    async with console(engine, (80, 24), "2") as pilot:
        rows = visible(pilot)
        await pilot.press("space")
        engine.advance(1)
        await settled(pilot)
        assert visible(pilot) == rows
        assert "paused · 40 new" in "\n".join(lines(pilot))
        await pilot.press("space")
        await settled(pilot)
        assert visible(pilot)[-1] == engine.snapshot().newest_record


async def test_memory_stays_bounded_and_the_past_is_fetched_piece_by_piece() -> None:
    engine = busy_engine(100)
    async with console(engine, (80, 24), "2") as pilot:
        log = log_of(pilot)
        assert len(log.tail.kept) < 4000
        for _ in range(20):
            log.pull(engine, engine.snapshot().newest_record)
        assert len(log.tail.kept) == 4000
        assert log.tail.kept[0].number == 1
        engine.rate = 2000
        for _ in range(8):
            engine.advance(1)
            for _ in range(3):
                log.pull(engine, engine.snapshot().newest_record)
        assert len(log.tail.kept) <= log.tail.keep + log.tail.slack
        assert log.tail.kept[-1].number == engine.snapshot().newest_record


async def test_after_an_absence_the_log_catches_up_and_a_paused_one_misses_nothing() -> None:
    engine = busy_engine()
    async with console(engine, (80, 24), "2") as pilot:
        await pilot.press("k")
        rows = visible(pilot)
        await pilot.press("1")
        engine.advance(50)
        await pilot.press("2")
        await settled(pilot)
        assert visible(pilot) == rows
        for _ in range(3):
            await settled(pilot)
        numbers = [record.number for record in log_of(pilot).tail.kept]
        assert numbers == list(range(numbers[0], engine.snapshot().newest_record + 1))


async def test_a_search_marks_what_it_finds_and_goes_round() -> None:
    engine = busy_engine()
    async with console(engine, (80, 24), "2") as pilot:
        await pilot.press("slash", *"del", "enter")
        log = log_of(pilot)
        found = [record.number for record in log.tail.shown if "del" in haystack(record)]
        assert len(found) > 3

        async def at(number: int) -> None:
            await until(pilot, lambda: log.tail.current is not None and log.tail.current.number == number, str(number))

        await at(found[-1])
        assert "paused" in "\n".join(lines(pilot))
        await pilot.press("N")
        await at(found[-2])
        await pilot.press("n", "n")
        await at(found[0])
        marked = [
            segment.text
            for strip in log.render_lines(log.size.region)
            for segment in strip
            if segment.style and segment.style.reverse
        ]
        assert "DEL" in marked
        await pilot.press("escape")
        assert log.sought == ""
        await pilot.press("slash", *"zzz", "enter")
        await until(pilot, lambda: "no request matches “zzz”" in "\n".join(lines(pilot)), "a word about it")


async def test_keys_that_are_typed_into_the_search_do_nothing_else() -> None:
    async with console(busy_engine(), (80, 24), "2") as pilot:
        await pilot.press("slash", *"1sq")
        assert log_of(pilot).sought == "1sq"
        assert log_of(pilot).tail.following


async def test_one_key_shows_what_failed_then_what_was_slow_then_all_again() -> None:
    async with console(busy_engine(), (80, 24), "2") as pilot:
        log = log_of(pilot)

        def shows(statuses: set[int], slow: float) -> bool:
            rows = log.tail.shown
            return {each.status // 100 for each in rows} == statuses and all(each.total >= slow for each in rows)

        await pilot.press("s")
        await until(pilot, lambda: shows({4, 5}, 0.0), "what failed")
        assert "filter status>=400: " in "\n".join(lines(pilot))
        await pilot.press("s")
        await until(pilot, lambda: shows({2, 5}, 0.5) or shows({5}, 0.5), "what was slow")
        await pilot.press("s")
        await until(pilot, lambda: log.tail.shown == log.tail.kept, "all")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (EMPTY, "no listener yet: press :"),
        (EMPTY + '[listeners.a]\naddress = ":8080"\n', "no route yet: go to Routes (3)"),
        (SITE, "no request yet: try  curl http://127.0.0.1:8080/service"),
        (SITE.replace("127.0.0.1:8080", "[::1]:8080"), "no request yet: try  curl 'http://[::1]:8080/service'"),
        (
            SITE.replace('"/service', '"/[a-z] $(x)'),
            "no request yet: try  curl 'http://127.0.0.1:8080/%5Ba-z%5D%20$(x)",
        ),
    ],
    ids=["no listener", "no route", "no traffic", "IPv6", "a path that curl and a shell read otherwise"],
)
def test_an_empty_log_says_what_to_do_first(text: str, expected: str) -> None:
    engine = FakeEngine(text, rate=0)
    assert nothing_yet(engine.snapshot(), engine.site().site).startswith(expected)


def test_a_log_whose_requests_are_not_here_yet_does_not_say_that_there_are_none() -> None:
    engine = FakeEngine(rate=0)
    seen = msgspec.structs.replace(engine.snapshot(), newest_record=7)
    assert nothing_yet(seen, engine.site().site) == "the newest requests are on their way"


def test_a_listener_that_could_not_be_opened_is_not_taken_for_a_missing_one() -> None:
    engine = FakeEngine(rate=0)
    closed = msgspec.structs.replace(engine.snapshot(), listeners=())
    assert nothing_yet(closed, engine.site().site).startswith("no listener could be opened: p")


async def test_what_to_do_stands_in_the_empty_log() -> None:
    async with console(FakeEngine(rate=0), (80, 24), "2") as pilot:
        assert "no request yet: try  curl" in "\n".join(lines(pilot))


async def test_what_a_client_sent_never_reaches_the_terminal_as_control_characters() -> None:
    engine = busy_engine()
    engine.ring[-1] = msgspec.structs.replace(
        engine.ring[-1], target="/\x1b]52;c;!\x07\x9b2J\u202e", method="G\x1bT", cause="\x1b[2J", client="\x00"
    )
    async with console(engine, (120, 40), "2") as pilot:
        for _ in range(2):
            shown = "\n".join(lines(pilot))
            assert "/\\x1b]52;c;!\\x07\\x9b2J\\u202e" in shown
            assert not set(shown) & set("\x1b\x07\x9b\u202e\x00")
            await pilot.press("enter")
            await settled(pilot)
    assert as_line(engine.ring[-1]).isprintable()


@pytest.mark.parametrize(("size", "wired"), [((60, 15), False), ((120, 40), True)])
async def test_the_inspector_tells_heads_times_and_the_way_through_the_rules(
    size: tuple[int, int], wired: bool
) -> None:
    engine = busy_engine()
    seen: EngineView = cast(EngineView, Serialised(engine)) if wired else engine
    async with console(seen, size, "2") as pilot:
        await pilot.press("slash", *"blue", "enter")
        await until(pilot, lambda: (r := log_of(pilot).tail.current) is not None and r.member == "blue", "blue")
        record = log_of(pilot).tail.current
        assert record is not None
        await pilot.press("enter")
        await settled(pilot)
        assert isinstance(pilot.app.screen, InspectorPage)
        assert f"{record.status}  {record.method}" in "\n".join(lines(pilot))
        page = "\n\n".join(str(pilot.app.screen.query_one(part, Static).content) for part in ("#facts", "#heads"))
        expected = [
            f"{record.status}  {record.method}", "connection", "first byte", "total", "match", "no match",
            '"/api" takes', "Request, as it came", "as sent to api/blue", "X-Forwarded-For:", "Answer of api/blue",
        ]  # fmt: skip
        assert [line for line in expected if line not in page] == []


async def test_the_inspector_walks_along_the_log_and_comes_back_to_where_it_is() -> None:
    engine = busy_engine()
    async with console(engine, (80, 24), "2") as pilot:
        await pilot.press("k", "k", "enter")
        await settled(pilot)
        newest = engine.snapshot().newest_record
        assert f"{newest - 2:,}" in "\n".join(lines(pilot))
        await pilot.press("up")
        assert f"{newest - 3:,}" in "\n".join(lines(pilot))
        await pilot.press("down", "j", "j")
        assert f"{newest:,}" in "\n".join(lines(pilot))
        await pilot.press("down")
        assert "no request after this one yet" in "\n".join(lines(pilot))
        engine.advance(1)
        await settled(pilot)
        await pilot.press("down")
        assert f"{newest + 1:,}" in "\n".join(lines(pilot))
        await pilot.press("escape")
        current = log_of(pilot).tail.current
        assert current is not None
        assert current.number == newest + 1


async def test_a_request_that_left_the_ring_is_still_told_from_its_line() -> None:
    engine = busy_engine()
    async with console(engine, (120, 40), "2") as pilot:
        await pilot.press("k")
        engine.ring.clear()
        await pilot.press("enter")
        await settled(pilot)
        assert "no longer kept" in "\n".join(lines(pilot))
        await pilot.press("c")
        assert "its head is no longer kept" in "\n".join(lines(pilot))


async def test_why_is_told_of_a_request_that_is_gone_by_the_rules_of_its_generation() -> None:
    engine = busy_engine()
    async with console(engine, (120, 40), "2") as pilot:
        await pilot.press("slash", *"/service/cart", "enter")
        await until(pilot, lambda: (r := log_of(pilot).tail.current) is not None and "cart" in r.target, "one of those")
        engine.ring.clear()
        await engine.submit(Change(edits=(Set(("routes", "service", "path"), "/elsewhere"),), sentence="move it"))
        await pilot.press("w")
        await until(pilot, lambda: "under generation 1 (now 2); asked anew" in "\n".join(lines(pilot)), "its rules")
        await until(pilot, lambda: "forwarded to backend" in "\n".join(lines(pilot)), "where it went")
        assert "--generation 1" in "\n".join(lines(pilot))
        await pilot.press("escape")
        engine.editor.history.entries.pop(0)
        await pilot.press("w")
        await until(
            pilot, lambda: "neither that request nor generation 1 is kept" in "\n".join(lines(pilot)), "why not"
        )


async def test_what_one_pauses_on_is_looked_at_so_that_it_stays() -> None:
    engine = busy_engine()
    seen: list[int] = []

    async def inspect(number: int) -> None:
        seen.append(number)

    engine.inspect = inspect  # type: ignore[method-assign]
    async with console(engine, (80, 24), "2") as pilot:
        assert seen == []
        await pilot.press("k", "k")
        await settled(pilot)
        await until(pilot, lambda: seen[-1:] == [798], "it is looked at")


async def test_a_request_is_copied_as_a_line_and_as_curl() -> None:
    engine = busy_engine()
    async with console(engine, (80, 24), "2") as pilot:
        await pilot.press("k", "Y")
        record = log_of(pilot).tail.current
        assert record is not None
        assert pilot.app.clipboard == as_line(record)
        assert f"request={record.number}" in pilot.app.clipboard
        await pilot.press("enter", "c")
        inspection = await engine.inspect(record.number)
        assert inspection is not None
        assert pilot.app.clipboard == as_curl(inspection, engine.snapshot().listeners[0])
        assert "masked secrets are not in it" in "\n".join(lines(pilot))
        await pilot.press("escape", "Y", "c")
        assert pilot.app.clipboard == as_curl(inspection, engine.snapshot().listeners[0])


async def test_what_is_shown_is_written_as_har_and_its_path_copied() -> None:
    engine = busy_engine()
    async with console(engine, (120, 40), "2") as pilot:
        await pilot.press("H")
        await until(pilot, lambda: "copied the path of traffic-" in "\n".join(lines(pilot)), "it is said")
        written = Path(pilot.app.clipboard)
        assert len(msgspec.json.decode(written.read_bytes())["log"]["entries"]) == 800
        assert written.stat().st_mode & 0o777 == 0o600


def curl(head: str, listener: ListenerState | None = LISTENER, **known: object) -> list[str]:
    engine = busy_engine(1)
    inspection = asyncio.run(engine.inspect(1))
    assert inspection is not None
    record: Record = msgspec.structs.replace(inspection.record, **{"received": 0, "host": "shop.example", **known})
    return shlex.split(as_curl(msgspec.structs.replace(inspection, record=record, request_head=head), listener))


def test_curl_asks_the_same_of_this_proxy() -> None:
    head = (
        "POST /a%20b/../c?x='y'&z HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 7\r\nConnection: close\r\n"
        'X-Note: it\'s "so"\r\nX-Empty:\r\nUser-Agent: u\r\n'
    )
    head += masked(b"Cookie: secret\r\n\r\n", Site())
    assert curl(head, method="POST", target="/a%20b/../c?x='y'&z", received=7) == [
        "curl", "--path-as-is", "-g", "-X", "POST", "http://shop.example/a%20b/../c?x='y'&z",
        "--connect-to", "::127.0.0.1:8080", "-H", 'X-Note: it\'s "so"', "-H", "X-Empty;", "-H", "User-Agent: u",
        "-H", "Accept:", "-H", "Content-Type:", "--data-binary", "@body",
    ]  # fmt: skip


def test_curl_asks_a_listener_that_speaks_tls_by_https() -> None:
    inspection = asyncio.run(busy_engine(1).inspect(1))
    assert inspection is not None
    secure = msgspec.structs.replace(LISTENER, tls=True)
    assert " https://shop.example/" in as_curl(inspection, secure)
    assert " http://shop.example/" in as_curl(inspection, LISTENER)
    seen = msgspec.structs.replace(FakeEngine().snapshot(), listeners=(secure,))
    assert "curl https://127.0.0.1:8080/service" in nothing_yet(seen, FakeEngine().site().site)


def test_curl_asks_for_heads_only_and_names_no_other_address_when_host_is_the_listener() -> None:
    head = "HEAD / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n"
    assert curl(head, method="HEAD", target="/", host="127.0.0.1:8080") == [
        "curl", "--path-as-is", "-g", "--head", "http://127.0.0.1:8080/",
        "-H", "User-Agent:", "-H", "Accept:",
    ]  # fmt: skip


def test_curl_asks_for_a_target_that_is_no_path() -> None:
    words = curl("OPTIONS * HTTP/1.1\r\nHost: shop.example\r\n\r\n", method="OPTIONS", target="*")
    assert words[5:8] == ["--request-target", "*", "http://shop.example"]
