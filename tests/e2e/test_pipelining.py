"""Clients that send many requests at once: their memory is bounded, and nobody else waits for them."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from proxy_core.config.model import ErrorPage, Listener, Route, Site
from proxy_core.serve.buffers import WRITE_BUFFER
from proxy_core.serve.client_connection import TURN
from tests.e2e.harness import HELLO, PATIENCE, answers, ask, client, serving, site, until, upstream
from tests.steps import Steps

CLOSE = b"GET /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


async def test_pipelines_and_never_reads_fills_no_memory() -> None:
    asked = b"GET /nothing HTTP/1.1\r\nHost: a\r\nX: %b\r\n\r\n" % (b"x" * 500)
    page = ErrorPage(id="long", status=("404",), text="x" * 16_000)
    what = Site(listeners={"http": Listener(address="127.0.0.1:0")}, errors=(page,))
    async with serving(what) as proxy, client(proxy.port) as one:
        one.send(asked * 700 + CLOSE)
        clients = proxy.server._clients
        await until(lambda: any(each.blocked and each.paused for each in clients))
        (there,) = clients
        assert there.transport.get_write_buffer_size() < 2 * WRITE_BUFFER
        pieces = []
        async with asyncio.timeout(PATIENCE):
            while piece := await one.reader.read(1 << 20):
                pieces.append(piece)
        assert b"".join(pieces).count(b"HTTP/1.1 404 ") == 701  # none is lost when it reads at last


async def test_who_is_answered_at_once_takes_turns_with_others() -> None:
    async with serving(Site(listeners={"http": Listener(address="127.0.0.1:0")})) as proxy, client(proxy.port) as one:
        one.send(b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n" * 3000 + CLOSE)
        reading = asyncio.create_task(one.rest())
        before, most = 0, 0
        while not reading.done():
            await asyncio.sleep(0)
            most, before = max(most, proxy.recorder.newest - before), proxy.recorder.newest
        assert before == 3001
        assert most <= 3 * TURN


async def test_empty_lines_before_a_request_cost_next_to_nothing() -> None:
    async with upstream(answers(HELLO)) as member, serving(site(member.port)) as proxy:
        with Steps() as steps:
            assert (await ask(proxy.port, b"\r\n" * 500_000 + CLOSE)).endswith(b"hello")
        assert steps.count < 50_000


@pytest.mark.parametrize("count", [2, TURN + 1, 3000])
async def test_who_sends_all_it_has_and_closes_its_side_is_answered_all_the_same(count: int) -> None:
    async with serving(Site(listeners={"http": Listener(address="127.0.0.1:0")})) as proxy, client(proxy.port) as one:
        one.send(b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n" * count)
        one.writer.write_eof()
        assert (await one.rest()).count(b"HTTP/1.1 404 ") == count


async def test_nor_is_anything_lost_when_the_close_comes_before_the_last_request_is_looked_at() -> None:
    async with upstream(answers(HELLO)) as member:
        rules = site(member.port)
        gone = Route(id="gone", path="/gone", except_=True)
        async with (
            serving(replace(rules, routes=(gone, *rules.routes))) as proxy,
            client(proxy.port) as one,
        ):
            one.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + b"GET /gone HTTP/1.1\r\nHost: a\r\n\r\n" * 3)
            one.writer.write_eof()
            assert (await one.rest()).count(b"HTTP/1.1 ") == 4


async def test_chunked_bodies_behind_the_same_head_are_decoded_each() -> None:
    head = b"POST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with upstream(answers(*[HELLO] * 4)) as member, serving(site(member.port)) as proxy:
        for _ in range(2):
            async with client(proxy.port) as one:
                one.send(head + b"3\r\nabc\r\n0\r\n\r\n" + head + b"2\r\nde\r\n0\r\n\r\n")
                assert [(await one.answer())[1] for _ in range(2)] == [b"hello", b"hello"]
        assert [record.received for record in proxy.records] == [3, 2, 3, 2]
