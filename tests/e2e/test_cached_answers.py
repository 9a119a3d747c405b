"""KeptAnswer answers over real sockets: who asks a member, who does not, and what each client gets."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from proxy_core.config.model import Cache, HeaderRule, Site
from tests.clock import Clock
from tests.e2e.harness import Running, Talk, Upstream, answers, client, get, read_request, serving, site, upstream
from tests.waiting import until

FRESH = b'HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nETag: "v1"\r\nContent-Length: 5\r\n\r\nhello'
NEWER = FRESH.replace(b"hello", b"newer").replace(b"v1", b"v2")
STILL = b'HTTP/1.1 304 Not Modified\r\nETag: "v1"\r\nCache-Control: max-age=90\r\nX-New: 1\r\n\r\n'
BROKEN = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nsick"
SWR = FRESH.replace(b"max-age=60", b"max-age=60, stale-while-revalidate=60")


def cached(port: int, path: str = "", **cache: Any) -> Site:
    of = site(port, path=path)
    return replace(of, routes=(replace(of.routes[0], cache=True),), cache=Cache(**{"status": "all", **cache}))


@asynccontextmanager
async def caching(talk: Talk, place: Path = Path(), **cache: Any) -> AsyncIterator[tuple[Running, Upstream]]:
    async with upstream(talk) as origin, serving(cached(origin.port, **cache), place) as running:
        yield running, origin


def said(head: bytes, name: str) -> str:
    found = re.search(rf"(?im)^{name}: *(.*?)\r?$".encode(), head)
    return found[1].decode() if found else ""


def words(running: Running) -> list[str]:
    return [record.cache for record in running.records]


async def test_a_second_client_gets_what_is_kept_with_its_age(clock: Clock) -> None:
    async with caching(answers(FRESH)) as (running, origin):
        first, _ = await get(running.port)
        clock.passes(7, running)
        for _ in range(3):  # the first makes the head that the others get as it is
            second, body = await get(running.port)
            assert (body, said(second, "age")) == (b"hello", "7")
            assert said(second, "cache-status") == "rproxy; hit; ttl=53"
        assert said(first, "cache-status") == "rproxy; fwd=uri-miss"
        assert not said(first, "age")
        async with client(running.port) as one:
            for _ in range(3):
                one.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert (await one.answer())[1] == b"hello"
        assert len(origin.heads) == 1
        assert words(running) == ["miss", *["hit"] * 6]
        assert [record.member for record in running.records[1:]] == [None] * 6
        route = running.current.rules.program.routes[0]
        assert route.state.hits == 7  # hits count for the route


async def test_what_is_stale_is_validated_and_a_304_makes_it_fresh_again(clock: Clock) -> None:
    async with caching(answers(FRESH, STILL)) as (running, origin):
        await get(running.port)
        clock.passes(61, running)
        head, body = await get(running.port)
        assert body == b"hello"
        assert said(head, "x-new") == "1"
        assert said(head, "cache-status").startswith("rproxy; fwd=stale; fwd-status=304")
        assert b'If-None-Match: "v1"\r\n' in origin.heads[1]
        clock.passes(80, running)
        assert said((await get(running.port))[0], "cache-status") == "rproxy; hit; ttl=10"
        assert len(origin.heads) == 2
        assert words(running) == ["miss", "revalidated", "hit"]


async def test_what_is_stale_gives_way_to_a_new_answer(clock: Clock) -> None:
    async with caching(answers(FRESH, NEWER)) as (running, origin):
        await get(running.port)
        clock.passes(61, running)
        assert (await get(running.port))[1] == b"newer"
        assert (await get(running.port))[1] == b"newer"
        assert len(origin.heads) == 2


async def test_what_is_stale_stands_in_for_an_error_and_for_a_member_that_is_gone(clock: Clock) -> None:
    async with caching(answers(FRESH, BROKEN)) as (running, origin):
        await get(running.port)
        clock.passes(61, running)
        head, body = await get(running.port)
        assert body == b"hello"
        assert "fwd-status=503" in said(head, "cache-status")
        assert said(head, "age") == "61"
        await origin.die()
        assert (await get(running.port))[1] == b"hello"
        assert words(running) == ["miss", "stale", "stale"]


async def test_an_answer_that_forbids_it_is_never_served_stale(clock: Clock) -> None:
    strict = FRESH.replace(b"max-age=60", b"max-age=60, must-revalidate")
    async with caching(answers(strict, BROKEN)) as (running, _):
        await get(running.port)
        clock.passes(61, running)
        assert (await get(running.port))[1] == b"sick"


async def test_what_is_stale_is_served_while_it_is_validated_where_it_says_so(clock: Clock) -> None:
    async with caching(answers(SWR, STILL)) as (running, origin):
        await get(running.port)
        clock.passes(61, running)
        head, body = await get(running.port)
        assert body == b"hello"
        assert said(head, "cache-status") == "rproxy; hit; ttl=-1"
        await until(lambda: len(origin.heads) == 2 and not running.server.cache._tasks)
        assert said((await get(running.port))[0], "cache-status").startswith("rproxy; hit; ttl=90")
        assert words(running) == ["miss", "stale", "hit"]


async def _slow(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    _head, _ = await read_request(this, reader)
    await this.gate.wait()  # type: ignore[attr-defined]
    writer.write(this.said)  # type: ignore[attr-defined]
    await reader.read()


@asynccontextmanager
async def gated(answer: bytes, **cache: Any) -> AsyncIterator[tuple[Running, Upstream]]:
    """A member that answers when its gate is opened."""
    async with caching(_slow, **cache) as (running, origin):
        origin.gate, origin.said = asyncio.Event(), answer  # type: ignore[attr-defined]
        yield running, origin


async def test_many_that_want_the_same_cold_page_are_one_request_to_the_member() -> None:
    async with gated(FRESH) as (running, origin):
        asking = [asyncio.create_task(get(running.port)) for _ in range(50)]
        await until(lambda: len(running.recorder.live) == 50)
        origin.gate.set()  # type: ignore[attr-defined]
        assert {body for _, body in await asyncio.gather(*asking)} == {b"hello"}
        assert len(origin.heads) == 1
        assert sorted(words(running)) == ["collapsed"] * 49 + ["miss"]


async def test_an_answer_that_is_not_kept_lets_those_who_waited_go_on_their_own() -> None:
    async with gated(FRESH.replace(b"max-age=60", b"no-store")) as (running, origin):
        asking = [asyncio.create_task(get(running.port)) for _ in range(5)]
        await until(lambda: len(running.recorder.live) == 5)
        origin.gate.set()  # type: ignore[attr-defined]
        await asyncio.gather(*asking)
        assert len(origin.heads) == 5
        assert words(running) == ["miss"] * 5


async def test_a_page_that_was_never_kept_is_kept_soon_after_its_answers_may_be() -> None:
    never = FRESH.replace(b"max-age=60", b"no-store")
    async with caching(answers(*[never] * 30, FRESH)) as (running, origin):
        for _ in range(30):
            await get(running.port)
        assert {*words(running)} == {"miss"}
        assert running.server.cache.tally.unkept == 30
        for _ in range(1000):
            await get(running.port)
            if running.records[-1].cache == "hit":
                break
        assert running.records[-1].cache == "hit"
        assert len(origin.heads) < 1000


async def test_who_shows_a_name_keeps_no_page_from_others() -> None:
    async with caching(answers(FRESH)) as (running, _origin):
        for _ in range(5):
            await get(running.port, "/", "Authorization: Basic eDp5")
        assert not running.server.cache._past
        await get(running.port)
        await get(running.port)
        assert words(running)[-2:] == ["miss", "hit"]


async def test_where_the_one_that_asks_leaves_another_takes_its_place() -> None:
    async with gated(FRESH) as (running, origin), client(running.port) as first:
        first.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await until(lambda: len(origin.heads) == 1)
        others = [asyncio.create_task(get(running.port)) for _ in range(3)]
        await until(lambda: len(running.recorder.live) == 4)
        first.writer.transport.abort()
        await until(lambda: len(origin.heads) == 2)
        origin.gate.set()  # type: ignore[attr-defined]
        assert {body for _, body in await asyncio.gather(*others)} == {b"hello"}
        assert len(origin.heads) == 2


async def test_nobody_waits_longer_than_the_site_allows(clock: Clock) -> None:
    async with gated(FRESH, wait=5.0) as (running, origin):
        asking = [asyncio.create_task(get(running.port)) for _ in range(2)]
        await until(lambda: len(running.recorder.live) == 2 and len(origin.heads) == 1)
        clock.passes(6, running)
        await until(lambda: len(origin.heads) == 2)
        origin.gate.set()  # type: ignore[attr-defined]
        await asyncio.gather(*asking)


async def test_an_unsafe_request_that_is_answered_well_throws_out_what_is_kept() -> None:
    async with caching(answers(FRESH, b"HTTP/1.1 204 No Content\r\n\r\n", NEWER)) as (running, origin):
        await get(running.port)
        async with client(running.port) as one:
            one.send(b"DELETE / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await one.answer()
        assert (await get(running.port))[1] == b"newer"
        assert len(origin.heads) == 3


async def test_an_answer_that_is_told_apart_by_a_field_is_given_to_those_alone_who_send_it_so() -> None:
    async with caching(answers(FRESH.replace(b"ETag", b"Vary: Accept-Language\r\nETag"))) as (running, origin):
        for language in ("de", "en", "de", "en"):
            await get(running.port, "/", f"Accept-Language: {language}")
        assert len(origin.heads) == 2
        assert words(running) == ["miss", "miss", "hit", "hit"]


async def test_head_ranges_and_conditions_are_answered_from_the_whole() -> None:
    async with caching(answers(FRESH)) as (running, origin):
        await get(running.port)
        head, body = await get(running.port, "/", "Range: bytes=1-3")
        assert (head[9:12], body, said(head, "content-range")) == (b"206", b"ell", "bytes 1-3/5")
        head, _ = await get(running.port, "/", "Range: bytes=9-")
        assert (head[9:12], said(head, "content-range")) == (b"416", "bytes */5")
        head, body = await get(running.port, "/", 'If-None-Match: "v1"')
        assert (head[9:12], body, said(head, "etag")) == (b"304", b"", '"v1"')
        async with client(running.port) as one:
            one.send(b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            head, body = await one.answer(head_only=True)
            assert said(head, "content-length") == "5"
        assert len(origin.heads) == 1


async def test_who_wants_only_what_is_kept_gets_504_where_nothing_is() -> None:
    async with caching(answers(FRESH)) as (running, origin):
        assert (await get(running.port, "/", "Cache-Control: only-if-cached"))[0][9:12] == b"504"
        await get(running.port)
        assert (await get(running.port, "/", "Cache-Control: only-if-cached"))[1] == b"hello"
        assert len(origin.heads) == 1


POISON: list[tuple[str, bytes, bytes]] = [
    ("a Host in other letters", b"GET / HTTP/1.1\r\nHost: LOCALHOST\r\n\r\n", b"miss"),
    ("a Host with a port", b"GET / HTTP/1.1\r\nHost: localhost:80\r\n\r\n", b"miss"),
    ("another Host", b"GET / HTTP/1.1\r\nHost: evil\r\n\r\n", b"miss"),
    ("an absolute target", b"GET http://evil/ HTTP/1.1\r\nHost: localhost\r\n\r\n", b"miss"),
    ("another path", b"GET /%2e HTTP/1.1\r\nHost: localhost\r\n\r\n", b"hit"),
    ("a query", b"GET /?x HTTP/1.1\r\nHost: localhost\r\n\r\n", b"miss"),
    (
        "X-Forwarded-Host of a stranger, which goes no further",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-Host: evil\r\n\r\n", b"hit",
    ),
    ("a method in a field", b"GET / HTTP/1.1\r\nHost: localhost\r\nX-HTTP-Method-Override: DELETE\r\n\r\n", b"bypass"),
    ("a target in a field", b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Original-URL: /admin\r\n\r\n", b"bypass"),
    ("a body", b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx", b"bypass"),
    ("credentials", b"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic eDp5\r\n\r\n", b"miss"),
    ("a cookie, by which nothing varies", b"GET / HTTP/1.1\r\nHost: localhost\r\nCookie: a=1\r\n\r\n", b"hit"),
    ("a range", b"GET / HTTP/1.1\r\nHost: localhost\r\nRange: bytes=0-1\r\n\r\n", b"hit"),
]  # fmt: skip


async def test_a_request_that_a_member_may_tell_apart_neither_gets_nor_changes_what_others_get() -> None:
    async with caching(answers(FRESH)) as (running, _origin):
        for what, raw, expected in POISON:
            running.server.cache.purge(lambda kept: True)
            await get(running.port)
            async with client(running.port) as one:
                one.send(raw)
                await one.answer()
            assert running.records[-1].cache == expected.decode(), what
            await get(running.port)
            assert running.records[-1].cache == "hit", what


async def test_what_rules_give_to_a_request_is_in_the_key() -> None:
    async with upstream(answers(FRESH)) as origin:
        of = replace(
            cached(origin.port),
            headers=(HeaderRule(id="r", on="request", action="setifempty", name="X-Lang", value="de"),),
        )
        async with serving(of) as running:
            for fields in (("X-Lang: en",), (), ("X-Lang: de",), ("X-Lang: en",)):
                await get(running.port, "/", *fields)
            assert words(running) == ["miss", "miss", "hit", "hit"]
            assert len(origin.heads) == 2


async def test_edits_of_answers_are_done_at_each_use_and_a_swap_changes_them_at_once() -> None:
    async with upstream(answers(FRESH)) as origin, serving(cached(origin.port)) as running:
        await get(running.port)
        rule = HeaderRule(id="r", on="response", action="set", name="X-Edit", value="one")
        for value in ("one", "two"):
            await running.apply(replace(cached(origin.port), headers=(replace(rule, value=value),)))
            for _ in range(3):
                head, _ = await get(running.port)
                assert said(head, "x-edit") == value
        assert len(origin.heads) == 1


async def test_a_long_body_goes_through_a_file_whole_and_in_parts(tmp_path: Path) -> None:
    body = bytes(range(256)) * 4096
    long = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    async with caching(answers(long), tmp_path, folder=".") as (running, origin):
        for _ in range(2):
            assert (await get(running.port))[1] == body
        assert (await get(running.port, "/", "Range: bytes=300000-900000"))[1] == body[300000:900001]
        assert len(origin.heads) == 1
        assert words(running) == ["miss", "hit", "hit"]
        assert running.server.cache.store.files.bytes > len(body)
        assert running.server.cache.pending == 0


async def test_an_answer_that_breaks_off_is_not_kept() -> None:
    async with caching(answers(FRESH.replace(b"Length: 5", b"Length: 9"))) as (running, origin):
        async with client(running.port) as one:
            one.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await until(lambda: len(origin.heads) == 1)
            await origin.die()
            await one.rest()
        await running.finished()
        assert running.server.cache.store.memory.entries == 0
        assert running.server.cache.pending == 0


async def test_a_cache_that_is_off_keeps_nothing() -> None:
    async with upstream(answers(FRESH)) as origin, serving(site(origin.port)) as running:
        await get(running.port)
        head, _ = await get(running.port)
        assert len(origin.heads) == 2
        assert words(running) == ["", ""]
        assert not said(head, "age")


@pytest.mark.parametrize("line", ["Cache-Control: no-cache", "Cache-Control: max-age=0", "Pragma: no-cache"])
async def test_a_client_that_wants_it_validated_is_obeyed_unless_the_site_says_otherwise(line: str) -> None:
    for ignore, count in ((False, 2), (True, 1)):
        async with caching(answers(FRESH, STILL), ignore_client=ignore) as (running, origin):
            await get(running.port)
            assert (await get(running.port, "/", line))[1] == b"hello"
            assert len(origin.heads) == count
