"""Slow start on a running server: what a member that was out gets when it is back, by every method."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from time import monotonic

import pytest
from msgspec.structs import replace

from proxy_core.balance import lbmethods, passive_checks
from proxy_core.balance.member_state import Beat, MemberKey
from proxy_core.config.model import Sticky
from tests.clock import Clock
from tests.e2e.harness import Running, Talk, Upstream, client, read_request, serving, site, upstream

RAMP = 100.0
COUNT = 120


def names_itself(name: bytes, seconds: float = 0.0) -> Talk:
    async def talk(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_request(this, reader)
            await asyncio.sleep(seconds)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + name)

    return talk


async def asked(proxy: Running, lanes: int, cookie: str = "") -> Counter[str]:
    """Who answered ``COUNT`` requests over so many connections."""
    seen: Counter[str] = Counter()

    async def lane() -> None:
        async with client(proxy.port) as one:
            for _ in range(COUNT // lanes):
                one.send(f"GET / HTTP/1.1\r\nHost: a\r\n{cookie}\r\n".encode())
                seen[(await one.answer())[1].decode()] += 1

    await asyncio.gather(*(lane() for _ in range(lanes)))
    return seen


@pytest.mark.parametrize("lanes", [1, 12], ids=["one by one", "twelve at once"])
@pytest.mark.parametrize("method", ["byrequests", "bytraffic", "bybusyness", "heartbeat", "latency"])
async def test_a_member_that_is_back_gets_what_has_risen_of_its_share_and_no_more(
    method: str, lanes: int, clock: Clock
) -> None:
    lbmethods.chance.seed(method)
    async with AsyncExitStack() as stack:
        talks = [names_itself(name, 0.002 if lanes > 1 else 0.0) for name in (b"a", b"b", b"c")]
        ports = [(await stack.enter_async_context(upstream(talk))).port for talk in talks]
        what = site(*ports)
        given = replace(what.balancers["pool"], method=method, slow_start=RAMP)
        proxy = await stack.enter_async_context(serving(replace(what, balancers={"pool": given})))
        states = [proxy.registry.members[MemberKey("pool", f"m{number}")] for number in range(3)]
        for state in states:
            state.beat = Beat(5, 1, monotonic() + 10 * RAMP)
        states[2].failing = True
        assert (await asked(proxy, lanes))["c"] == 0
        passive_checks.recovered(states[2], monotonic() + clock.passed)
        for part in (0.1, 0.5, 0.9):
            got = (await asked(proxy, lanes))["c"]
            due = COUNT * part / (part + 2)
            assert got <= due + 4, (part, got)
            assert got >= due - 4 or method == "latency", (part, got)
            clock.passes(0.4 * RAMP, proxy)
        got = (await asked(proxy, lanes))["c"]
        assert COUNT / 6 < got < COUNT / 2 or method == "latency"  # which goes by the clock of this machine


async def test_a_session_goes_to_its_own_member_from_its_return_on() -> None:
    async with upstream(names_itself(b"a")) as a, upstream(names_itself(b"b")) as b:
        what = site(a.port, b.port)
        given = replace(what.balancers["pool"], sticky=Sticky(cookie="R", issue=True), slow_start=RAMP)
        async with serving(replace(what, balancers={"pool": given})) as proxy:
            state = proxy.registry.members[MemberKey("pool", "m1")]
            state.failing = True
            assert await asked(proxy, 1, "Cookie: R=.m1\r\n") == {"a": COUNT}
            passive_checks.recovered(state, monotonic())
            assert await asked(proxy, 1, "Cookie: R=.m1\r\n") == {"b": COUNT}
