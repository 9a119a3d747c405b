"""Clients that misbehave or are merely odd: slow, gone, impatient, or splitting their bytes anywhere."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from itertools import pairwise
from socket import SO_LINGER, SOL_SOCKET

import pytest

from proxy_core.config.model import Limits
from proxy_core.serve import deadlines
from tests.clock import Clock
from tests.e2e.harness import (
    HELLO,
    Upstream,
    answers,
    ask,
    client,
    echoes,
    read_request,
    serving,
    site,
    until,
    upstream,
)
from tests.ports import free_port

GET = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
CLOSE = b"GET /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


HASTY = Limits(head_time=0.3, head_rate=0, idle_time=0.3, body_time=0.3)
"""Limits that a test can wait for."""


async def waits_for_ever(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(this, reader)
    await reader.read()


async def answers_early(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(HELLO)
    await reader.read()


@pytest.mark.parametrize("raw", [b"G", b"GET / HTTP/1.1\r\nHost: a\r\n", b"\r\nG"])
async def test_a_slow_head_is_408_at_the_limit_however_it_trickles(raw: bytes) -> None:
    async with serving(site(free_port(), limits=HASTY)) as proxy, client(proxy.port) as one:
        one.send(raw)
        trickle = asyncio.create_task(dribble(one.writer, b"X: " + b"a" * 500))
        assert (await one.rest()).startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert trickle.cancel(), "it trickles on"
        assert (await proxy.finished()).status == 408


@pytest.mark.parametrize(
    "raw",
    [b"GET / HTTP/1.1\n", b"GET / HTTP/1.1\nHost: a\n\n", b"GET / HTTP/1.1\r\nHost: a\n",
     b"GET / HTTP/1.1\rHost: a\r\r", b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb", b"\r\r"],
)  # fmt: skip
async def test_a_line_that_ends_in_lf_or_cr_alone_is_refused_at_once(raw: bytes) -> None:
    async with serving(site(free_port(), limits=Limits(head_time=3600))) as proxy, client(proxy.port) as one:
        one.send(raw)
        assert (await one.rest()).startswith(b"HTTP/1.1 400 Bad Request\r\n")


async def dribble(writer: asyncio.StreamWriter, data: bytes, pause: float = 0.02) -> None:
    for at in range(len(data)):
        writer.write(data[at : at + 1])
        await asyncio.sleep(pause)


async def test_an_idle_connection_is_closed_without_a_word() -> None:
    async with (
        upstream(answers(HELLO)) as member,
        serving(site(member.port, limits=HASTY)) as proxy,
        client(proxy.port) as one,
    ):
        one.send(GET)
        await one.answer()
        assert await one.rest() == b""
        assert len(proxy.records) == 1


@pytest.mark.parametrize("trickles", [False, True])
async def test_a_slow_body_is_408_even_when_it_trickles(trickles: bool) -> None:
    async with upstream(echoes) as member, serving(site(member.port, limits=HASTY)) as proxy, client(proxy.port) as one:
        one.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nx")
        trickle = asyncio.create_task(dribble(one.writer, b"x" * 200)) if trickles else None
        assert (await one.rest()).startswith(b"HTTP/1.1 408 ")
        if trickle is not None:
            trickle.cancel()
        await until(lambda: member.open == 0)


async def test_a_client_that_leaves_cancels_the_upstream_within_a_second(clock: Clock) -> None:
    async with upstream(waits_for_ever) as member, serving(site(member.port)) as proxy:
        for count, hard in enumerate((False, True), 1):
            async with client(proxy.port) as one:
                one.send(GET)
                await until(lambda: member.open == 1)
                if hard:
                    one.writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
                one.writer.close()
                await until(lambda: all(each.half_closed for each in proxy.server._clients))
                clock.passes(1, proxy)
                await until(lambda: member.open == 0)
            record = await proxy.finished(count)
            assert record.status == 499


async def test_a_client_that_leaves_in_the_middle_of_the_answer_keeps_its_status() -> None:
    async def endless(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(this, reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 1000)
            await writer.drain()
            await asyncio.sleep(0.01)

    async with upstream(endless) as member, serving(site(member.port)) as proxy:
        async with client(proxy.port) as one:
            one.send(GET)
            await one.reader.readexactly(3000)
        await until(lambda: member.open == 0)
        record = await proxy.finished()
        assert (record.status, record.cause) == (200, "the client left before the end of the answer")


async def test_a_client_that_leaves_while_connecting_leaves_nothing_behind() -> None:
    async with upstream(answers(HELLO)) as member, serving(site(member.port)) as proxy:
        for _ in range(30):
            async with client(proxy.port) as one:
                one.send(GET)
                await asyncio.sleep(0)
                one.writer.transport.abort()  # type: ignore[attr-defined]
        await until(lambda: not proxy.recorder.live)
        proxy.at_rest()


async def test_leaves_mid_body_and_the_upstream_is_told() -> None:
    async with upstream(echoes) as member, serving(site(member.port)) as proxy:
        async with client(proxy.port) as one:
            one.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf")
            await until(lambda: member.heads or member.open)
        await until(lambda: member.open == 0)
        assert (await proxy.finished()).status == 499


async def test_half_close_still_gets_its_answer() -> None:
    async with upstream(answers(HELLO)) as member, serving(site(member.port)) as proxy:
        for raw, count in ((GET, 1), (GET + GET, 2), (b"GET / HTTP/1.0\r\n\r\n", 1)):
            async with client(proxy.port) as one:
                one.send(raw)
                one.writer.write_eof()
                assert (await one.rest()).count(b"hello") == count


@pytest.mark.parametrize(
    ("raw", "at_once"),
    [
        (CLOSE, True),
        (b"GET / HTTP/1.0\r\n\r\n", True),
        (b"POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc", True),
        (CLOSE + b"\r\n", False),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n", False),
        (b"POST / HTTP/1.0\r\nContent-Length: 9\r\n\r\nabc", False),
    ],
    ids=["close", "HTTP/1.0", "a body", "bytes behind", "another protocol", "half a body"],
)
async def test_only_who_said_that_nothing_more_comes_and_sent_nothing_more_is_closed_at_once(
    raw: bytes, at_once: bool
) -> None:
    """Who may still send is read from for a while: closing over its bytes would reset the connection."""
    async with upstream(answers_early) as member, serving(site(member.port)) as proxy, client(proxy.port) as one:
        one.send(raw)
        assert b"hello" in await one.rest()
        assert all(each.transport.is_closing() for each in proxy.server._clients) == at_once


async def test_half_close_in_the_middle_of_a_head_ends_the_connection() -> None:
    async with serving(site(free_port())) as proxy, client(proxy.port) as one:
        one.send(b"GET / HT")
        one.writer.write_eof()
        assert b"200" not in await one.rest()


async def test_pipelined_requests_are_answered_in_their_order() -> None:
    async with upstream(echoes) as member, serving(site(member.port)) as proxy:
        posts = [
            b"POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
            b"POST /%d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
            b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % (n, n + 1, n + 2)
            for n in range(0, 90, 3)
        ]
        raw = await ask(proxy.port, b"".join(posts) + CLOSE)
        assert re.findall(rb"(?:GET|POST) /(\w+)", raw) == [b"%d" % n for n in range(90)] + [b"b"]


async def test_many_pipelined_bytes_are_held_back_and_served() -> None:
    async with upstream(answers(HELLO)) as member, serving(site(member.port)) as proxy:
        raw = await ask(proxy.port, GET * 1500 + CLOSE)
        assert raw.count(b"hello") == 1501


MESSAGES = {
    "get": GET + CLOSE,
    "length": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n\r\n\r\nabc" + CLOSE,
    "chunked": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"4\r\n\r\n\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: x\r\n\r\n" + CLOSE,
    "absolute": b"GET http://b/x HTTP/1.1\r\nHost: b\r\nX: y\r\n\r\n" + CLOSE,
    "bad_second": GET + b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "bad_chunk": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX\r\n0\r\n\r\n" + CLOSE,
}


@pytest.mark.parametrize("name", MESSAGES)
async def test_a_message_means_the_same_wherever_it_is_split(name: str) -> None:
    raw = MESSAGES[name]
    async with upstream(echoes) as member, serving(site(member.port)) as proxy:

        async def split(*cuts: int) -> list[bytes]:
            async with client(proxy.port) as one:
                for start, end in pairwise((0, *cuts, len(raw))):
                    one.send(raw[start:end])
                    await asyncio.sleep(0.002)
                got = await one.rest()
                return re.findall(rb"HTTP/1\.1 \d+ |\r\n\r\n(?:GET|POST) [^\r]*|abc$|abcX", got)

        whole = await split()
        assert whole
        for cuts in [(n,) for n in range(1, len(raw))]:
            assert await split(*cuts) == whole, cuts
        assert await split(*range(1, len(raw))) == whole


async def test_expect_100_continue_is_met_once_the_member_is_there_and_not_before() -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    async with upstream(echoes) as member, serving(site(member.port)) as proxy, client(proxy.port) as one:
        one.send(head)
        assert (await one.answer())[0] == b"HTTP/1.1 100 Continue\r\n\r\n"
        one.send(b"hello")
        assert (await one.answer())[1].endswith(b"hello")
        assert b"Expect" not in member.heads[0]
    async with serving(site(free_port())) as proxy, client(proxy.port) as one:
        one.send(head)
        assert (await one.answer())[0].startswith(b"HTTP/1.1 503 ")


async def test_an_upload_in_pieces_before_the_member_is_there_loses_nothing() -> None:
    body = bytes(range(256)) * 1000
    async with upstream(echoes) as member, serving(site(free_port(), member.port)) as proxy, client(proxy.port) as one:
        one.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body))
        for at in range(0, len(body), 10_000):
            one.send(body[at : at + 10_000])
            await asyncio.sleep(0)
        assert (await one.answer())[1].endswith(body)
        record = await proxy.finished()
        assert (record.attempts, record.received) == (2, len(body))


async def test_a_refusal_survives_what_the_client_is_still_sending() -> None:
    async with serving(site(free_port())) as proxy, client(proxy.port) as one:
        one.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n" + b"x" * 3_000_000)
        assert (await one.rest()).startswith(b"HTTP/1.1 400 ")


async def test_upload_to_nowhere_is_answered_though_nobody_reads_it() -> None:
    async with serving(site(free_port())) as proxy, client(proxy.port) as one:
        one.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 3_000_000)
        assert (await one.rest()).startswith(b"HTTP/1.1 503 ")


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", False),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: x, CLOSE\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", True),
    ],
)
async def test_the_client_says_whether_its_connection_stays_open(raw: bytes, kept: bool) -> None:
    async with upstream(answers(HELLO)) as member, serving(site(member.port)) as proxy, client(proxy.port) as one:
        one.send(raw)
        head, body = await one.answer()
        assert body == b"hello"
        assert (b"Connection: close" in head) != kept
        if kept:
            one.send(raw)
            assert (await one.answer())[1] == b"hello"
        else:
            assert await one.rest() == b""


async def test_a_slow_reader_gets_the_whole_of_its_last_answer(clock: Clock) -> None:
    size = 6 << 20
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size
    async with upstream(answers(raw)) as member, serving(site(member.port)) as proxy:
        narrow = socket.socket()
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        narrow.connect(("127.0.0.1", proxy.port))
        reader, writer = await asyncio.open_connection(sock=narrow, limit=4096)
        writer.write(CLOSE)
        got, paused = 0, False
        while data := await reader.read(65536):
            got += len(data)
            if proxy.records and not paused:
                paused = True  # all that is left lies in buffers on its way to us
                clock.passes(2 * deadlines.LINGER_SECONDS, proxy)
        assert paused
        assert got > size
        writer.close()


async def test_a_client_that_left_before_the_member_was_there_is_noticed() -> None:
    async with upstream(waits_for_ever) as member, serving(site(free_port(), member.port)) as proxy:
        async with client(proxy.port) as one:
            one.send(GET)
            one.writer.write_eof()
            await one.rest()
        assert (await proxy.finished()).status == 499
        await until(lambda: member.open == 0)


async def test_more_clients_than_there_are_descriptors_for_are_turned_away_and_the_others_served() -> None:
    async with upstream(answers(HELLO)) as member, serving(site(member.port)) as proxy:
        proxy.server._state.most_clients = 2
        async with client(proxy.port) as one, client(proxy.port) as two, client(proxy.port) as three:
            for served in (one, two):
                served.send(GET)
                assert (await served.answer())[1] == b"hello"
            assert await three.rest() == b""
        await until(lambda: proxy.server.listeners[0].connections == 0)
        assert (await ask(proxy.port, CLOSE)).endswith(b"hello")
