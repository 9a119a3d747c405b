"""The demo's traffic: varied, the same for every demo of a site, and gone when it is stopped."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import islice
from typing import Any

import pytest
from msgspec import convert

from proxy_core.config.model import Site
from proxy_core.control.demo import traffic
from proxy_core.control.demo.members import loopback_places
from tests.control.demo.harness import DEADLINE, site
from tests.ports import free_port
from tests.waiting import until


def test_rewrite_rules_get_visits_too_and_the_servers_that_they_name() -> None:
    rules = [
        {"id": "a", "pattern": "^/old/(.*)$", "substitution": "http://localhost:8009/new/$1", "flags": ["proxy"]},
        {"id": "b", "pattern": "(x+)+$", "substitution": "http://${map:$1|localhost:1}/", "flags": ["proxy"]},
        {"id": "c", "pattern": "^/off/", "substitution": "/", "enabled": False},
    ]
    asked = convert({"rewrites": rules}, Site)
    assert loopback_places(asked) == [("localhost", 8009)]
    paths = {ask.path for visit in islice(traffic.visits(asked, 15.0), 500) for ask in visit.asks}
    assert {"/old/cart", "/old/item/1742"} <= paths
    assert not any(path.startswith("/off") for path in paths)


def test_the_same_seed_sends_the_same_visits_and_they_are_varied() -> None:
    asked = site(m="http://localhost:8000")
    some = list(islice(traffic.visits(asked, 15.0, seed=4), 2_000))
    assert some == list(islice(traffic.visits(asked, 15.0, seed=4), 2_000))
    assert some != list(islice(traffic.visits(asked, 15.0, seed=5), 2_000))
    asks = [ask for visit in some for ask in visit.asks]
    assert {ask.method for ask in asks} == {"GET", "POST"}
    paths = {ask.path for ask in asks}
    assert {"/service/index", "/favicon.ico", "/service", "/shop/"} <= paths
    assert all(path.startswith("/") for path in paths)
    assert 0 < sum(ask.leaves for ask in asks) < len(asks) / 50


def test_traffic_comes_in_calm_waves_of_the_rate_asked_for() -> None:
    at, seconds = 0.0, Counter[int]()
    for visit in traffic.visits(site(m="http://localhost:8000"), 15.0):
        at += visit.after
        if at > 10 * traffic.WAVE:
            break
        seconds[int(at // (traffic.WAVE / 4)) % 4] += len(visit.asks)
    per_second = [count / (10 * traffic.WAVE / 4) for _, count in sorted(seconds.items())]
    assert 12 < sum(per_second) / 4 < 18
    assert max(per_second[:2]) > 19, "the first half of a wave is its crest"
    assert min(per_second[2:]) < 11


async def test_traffic_reaches_the_listener_and_stops_when_it_is_cancelled() -> None:
    seen: list[bytes] = []
    enough = asyncio.Event()
    gone = asyncio.Event()
    open_now = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_now
        open_now += 1
        gone.clear()
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                seen.append(head)
                await traffic.skip_body(reader, head.lower())
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                if len(seen) > 40:
                    enough.set()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            open_now -= 1
            if not open_now:
                gone.set()
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        client = asyncio.create_task(traffic.traffic(port, site(m="http://localhost:8000"), rate=300.0))
        async with asyncio.timeout(DEADLINE):
            await enough.wait()
            client.cancel()
            with pytest.raises(asyncio.CancelledError):
                await client
            await gone.wait()
    assert all(b"Host: localhost:%d\r\n" % port in head for head in seen)


async def test_traffic_outlives_a_listener_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    real, visited = traffic._visit, 0

    async def visit(*arguments: Any) -> None:
        nonlocal visited
        await real(*arguments)
        visited += 1

    monkeypatch.setattr(traffic, "_visit", visit)
    client = asyncio.create_task(traffic.traffic(free_port(), site(m="http://localhost:8000"), rate=300.0))
    await until(lambda: visited > 3)
    assert not client.done()
    client.cancel()
    with pytest.raises(asyncio.CancelledError):
        await client


async def test_a_client_that_returns_brings_the_cookies_that_it_was_given() -> None:
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            heads.append(head)
            writer.write(b"HTTP/1.1 200 OK\r\nSet-Cookie: ROUTEID=x.A1; Path=/\r\nContent-Length: 0\r\n\r\n")
            if len(heads) == 2:
                break
        writer.close()

    asks = (traffic.Ask("GET", "/", b"", False),) * 2
    async with asyncio.timeout(DEADLINE), await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await traffic._visit(traffic.Visit(0.0, "127.0.0.1", "test/1", asks, True), "127.0.0.1", port, {})
    assert b"Cookie" not in heads[0]
    assert b"\r\nCookie: ROUTEID=x.A1\r\n" in heads[1]
