"""Upstreams that misbehave, each named after its vice: what the client gets, and what the record says.

Whatever an upstream does, a client never takes half an answer for a whole one, the connection that carried nonsense
is never used again, and the next request is served.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from socket import SO_LINGER, SOL_SOCKET

import pytest
from msgspec.structs import replace

from proxy_core.balance.member_state import MemberKey
from proxy_core.config.model import Limits, Member
from tests.clock import Clock
from tests.e2e.harness import (
    HELLO,
    Talk,
    Upstream,
    answers,
    client,
    get,
    read_request,
    serving,
    site,
    until,
    upstream,
)
from tests.e2e.messages import BAD_ANSWERS
from tests.ports import free_port


def says(*pieces: bytes, close: bool = True, pause: float = 0.0) -> Talk:
    """Answers each request with these pieces, then closes or waits for ever."""

    async def talk(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(this, reader)
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(pause)
        if not close:
            await reader.read()

    return talk


async def resets(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(this, reader)
    reset(writer)


async def closes_at_once(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    return None


async def never_reads(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    await asyncio.sleep(60)


def reset(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


OK = b"HTTP/1.1 200 OK\r\n"
BAD_HEADS = {
    "garbage": b"\x00\x01\x02garbage",
    "garbage_in_lines": b"hello\r\n\r\n",
    "another_protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    "http09": b"<html>hello</html>",
    "version_2": b"HTTP/2.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "version_12": b"HTTP/1.2 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "status_of_two_digits": b"HTTP/1.1 20 OK\r\nContent-Length: 5\r\n\r\nhello",
    "status_099": b"HTTP/1.1 099 OK\r\nContent-Length: 5\r\n\r\nhello",
    "bare_line_feeds_at_first": b"HTTP/1.1 200 OK\nContent-Length: 5\r\n\r\nhello",
    "one_bare_line_feed": OK + b"A: b\nContent-Length: 5\r\n\r\nhello",
    "folded_line": OK + b"A: b\r\n c\r\nContent-Length: 5\r\n\r\nhello",
    "space_before_colon": OK + b"Content-Length : 5\r\n\r\nhello",
    "no_colon": OK + b"nonsense\r\nContent-Length: 5\r\n\r\nhello",
    "nul_in_value": OK + b"A: b\x00c\r\nContent-Length: 5\r\n\r\nhello",
    "two_lengths": OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "length_list": OK + b"Content-Length: 5, 5\r\n\r\nhello",
    "signed_length": OK + b"Content-Length: +5\r\n\r\nhello",
    "huge_length": OK + b"Content-Length: 99999999999999999999\r\n\r\nhello",
    "length_and_coding": OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "unknown_coding": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "coding_twice": OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "switches_protocols_unasked": b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
    "head_too_large": OK + b"A: " + b"a" * 70_000 + b"\r\n\r\n",
    "too_many_fields": OK + b"A: b\r\n" * 600 + b"\r\n",
    "interims_without_end": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 40 + HELLO,
    "coding_in_http10": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "interim_with_a_length": b"HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\nhello" + HELLO,
    "interim_with_a_coding": b"HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n" + HELLO,
    "closes_after_status_line": OK,
    "closes_in_the_head": OK + b"Content-Length: 5\r\n",
}


BAD_HEADS |= BAD_ANSWERS


@pytest.mark.parametrize("vice", BAD_HEADS)
async def test_a_head_that_is_not_clearly_one_answer_is_502_and_its_connection_is_not_used_again(vice: str) -> None:
    async with upstream(says(BAD_HEADS[vice])) as member, serving(site(member.port)) as proxy:
        async with client(proxy.port) as one:
            for count in (1, 2):
                one.send(b"POST / HTTP/1.1\r\nHost: a\r\n\r\n")
                head, body = await one.answer()
                while head.startswith(b"HTTP/1.1 103"):
                    head, body = await one.answer()
                assert head.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
                assert b"hello" not in body
                assert member.connections == count
        record = await proxy.finished(2)
        assert record.status == 502
        assert record.cause


CUTS = {
    "closes_mid_body": OK + b"Content-Length: 10\r\n\r\nhello",
    "lies_about_length": OK + b"Content-Length: 100000\r\n\r\n" + b"x" * 5000,
    "closes_mid_chunk": OK + b"Transfer-Encoding: chunked\r\n\r\n10\r\nhello",
    "closes_before_last_chunk": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    "closes_in_last_chunk": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
    "bad_chunk_size": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\nhello\r\n0\r\n\r\n",
    "bad_first_chunk_size": OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
    "chunk_longer_than_it_says": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello!\r\n0\r\n\r\n",
    "chunks_almost_all_overhead": OK
    + b"Transfer-Encoding: chunked\r\n\r\n"
    + b"1;"
    + b"x" * 100_000
    + b"\r\na\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("vice", CUTS)
async def test_an_answer_that_breaks_off_is_cut_and_never_looks_whole(vice: str) -> None:
    async with upstream(says(CUTS[vice])) as member, serving(site(member.port)) as proxy, client(proxy.port) as one:
        one.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        raw = await one.rest()
        head, _, body = raw.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        if length:
            assert len(body) < int(length[1])
        else:
            assert not body.endswith(b"0\r\n\r\n")
        record = await proxy.finished()
        assert record.status in (0, 200)
        assert record.cause


async def test_stalls_before_headers_is_502_after_the_routes_silence() -> None:
    async with upstream(says(close=False)) as member, serving(site(member.port, timeout=0.3)) as proxy:
        head, _ = await get(proxy.port)
        assert head.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
        record = await proxy.finished()
        assert 0.25 < record.finished - record.started < 1.5
        await until(lambda: member.open == 0)


async def test_stalls_after_headers_is_cut() -> None:
    vice = says(OK + b"Content-Length: 5\r\n\r\nhel", close=False)
    async with upstream(vice) as member, serving(site(member.port, timeout=0.3)) as proxy, client(proxy.port) as one:
        one.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await one.rest()).endswith(b"\r\n\r\nhel")
        assert (await proxy.finished()).status == 200
        assert "silent" in proxy.records[0].cause


async def test_slow_drip_lasts_longer_than_the_timeout_because_it_is_never_silent() -> None:
    vice = says(OK + b"Content-Length: 8\r\n\r\n", *[b"x"] * 8, pause=0.1)
    async with upstream(vice) as member, serving(site(member.port, timeout=0.4)) as proxy:
        assert (await get(proxy.port))[1] == b"x" * 8


async def test_every_byte_on_its_own_is_the_same_answer() -> None:
    raw = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    raw += b"5;a=b\r\nhello\r\n3\r\n\r\n!\r\n0\r\nTrailer: x\r\n\r\n"
    vice = says(*[raw[n : n + 1] for n in range(len(raw))], close=False)
    async with upstream(vice) as member, serving(site(member.port)) as proxy, client(proxy.port) as one:
        one.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await one.answer())[0] == b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
        assert (await one.answer())[1] == b"hello\r\n!"


@pytest.mark.parametrize(("version", "reset_at_end"), [(b"HTTP/1.0", False), (b"HTTP/1.0", True), (b"HTTP/1.1", False)])
async def test_no_length_ends_with_its_connection_and_in_http10_however_that_closes(
    version: bytes, reset_at_end: bool
) -> None:
    async def vice(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(this, reader)
        writer.write(version + b" 200\r\nA: b\r\n\r\nhello")
        await asyncio.sleep(0.05)
        if reset_at_end:
            reset(writer)

    async with upstream(vice) as member, serving(site(member.port)) as proxy, client(proxy.port) as one:
        for _ in range(2):
            one.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            head, body = await one.answer()
            assert b"Transfer-Encoding: chunked\r\n" in head
            assert body == b"hello"
        one.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        raw = await one.rest()
        assert b"Transfer-Encoding" not in raw
        assert raw.endswith(b"\r\n\r\nhello")


async def test_an_http11_answer_without_a_length_that_breaks_off_is_never_taken_for_whole() -> None:
    async def vice(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(this, reader)
        writer.write(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nhello")
        await asyncio.sleep(0.05)
        reset(writer)

    async with upstream(vice) as member, serving(site(member.port)) as proxy, client(proxy.port) as one:
        one.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        raw = await one.rest()
        assert b"hello" in raw
        assert not raw.endswith(b"0\r\n\r\n")
        assert "middle of its answer" in (await proxy.finished()).cause


@pytest.mark.parametrize("vice", [resets, closes_at_once])
@pytest.mark.parametrize("method", [b"POST", b"PUT", b"GET"])
async def test_resets_before_an_answer_is_502_and_a_body_is_sent_once_whatever_its_method(
    method: bytes, vice: Talk
) -> None:
    async with upstream(vice) as member, serving(site(member.port)) as proxy, client(proxy.port) as one:
        one.send(method + b" / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
        assert (await one.answer())[0].startswith(b"HTTP/1.1 502 ")
        assert member.connections == 1


@pytest.mark.parametrize("method", [b"POST", b"PATCH"])
async def test_what_may_do_harm_twice_is_sent_once_without_a_body_too(method: bytes) -> None:
    async with upstream(resets) as member, serving(site(member.port)) as proxy, client(proxy.port) as one:
        one.send(method + b" / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await one.answer())[0].startswith(b"HTTP/1.1 502 ")
        assert member.connections == 1


async def test_a_get_is_not_asked_again_once_a_byte_of_an_answer_has_come() -> None:
    async with upstream(says(b"HTTP/1.1 103 Early Hints\r\n\r\n")) as member, serving(site(member.port)) as proxy:
        async with client(proxy.port) as one:
            one.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await one.answer())[0].startswith(b"HTTP/1.1 103 ")
            assert (await one.answer())[0].startswith(b"HTTP/1.1 502 ")
        assert member.connections == 1


async def test_retries_have_a_budget_so_that_trouble_does_not_multiply() -> None:
    async with upstream(resets) as member, serving(site(member.port)) as proxy:
        for _ in range(40):
            await get(proxy.port)
        assert member.connections <= 40 + 20 + 40 * 0.2


async def test_closes_idle_connections_and_no_get_notices() -> None:
    async def vice(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            await read_request(this, reader)
            writer.write(HELLO)
        reset(writer)

    async with upstream(vice) as member, serving(site(member.port)) as proxy, client(proxy.port) as one:
        for _ in range(40):
            one.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await one.answer())[1] == b"hello"


async def test_a_member_that_dies_costs_no_get() -> None:
    async with upstream(answers(HELLO)) as good, upstream(answers(HELLO)) as dying:
        async with serving(site(dying.port, good.port)) as proxy, client(proxy.port) as one:
            for count in range(8):
                if count == 3:
                    await dying.die()
                one.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                assert (await one.answer())[1] == b"hello"
            assert proxy.registry.members[MemberKey("pool", "m0")].last_error


async def test_never_reads_is_504_when_the_upload_stops_moving() -> None:
    async with upstream(never_reads) as member, serving(site(member.port, timeout=0.5)) as proxy:
        async with client(proxy.port) as one:
            one.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n")
            one.send(b"x" * 20_000_000)
            raw = await one.rest()
        assert raw.startswith(b"HTTP/1.1 504 ")
        assert (await proxy.finished()).received < 20_000_000


async def test_answers_early_and_the_client_gets_it_though_it_is_still_sending() -> None:
    async def vice(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
        await reader.read()

    async with upstream(vice) as member, serving(site(member.port)) as proxy, client(proxy.port) as one:
        one.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1000)
        head, body = await one.answer()
        assert head.startswith(b"HTTP/1.1 413 Too Large\r\n")
        assert b"Connection: close\r\n" in head
        assert body == b"big"
        assert await one.rest() == b""


async def test_bytes_behind_an_answer_are_not_the_next_answer() -> None:
    async with upstream(answers(HELLO + HELLO.replace(b"hello", b"wrong"), HELLO)) as member:
        async with serving(site(member.port)) as proxy, client(proxy.port) as one:
            for _ in range(2):
                one.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                assert (await one.answer())[1] == b"hello"
            assert member.connections == 2


async def test_a_body_behind_head_or_204_or_304_is_not_the_next_answer() -> None:
    for method, status in ((b"HEAD", b"200 OK"), (b"GET", b"204 No Content"), (b"GET", b"304 Not Modified")):
        raw = b"HTTP/1.1 %b\r\nContent-Length: 5\r\n\r\n" % status
        async with upstream(answers(raw + b"hello", HELLO)) as member:
            async with serving(site(member.port)) as proxy, client(proxy.port) as one:
                one.send(method + b" / HTTP/1.1\r\nHost: a\r\n\r\n")
                head, _ = await one.answer(head_only=True)
                assert head.startswith(b"HTTP/1.1 " + status)
                assert (b"Content-Length: 5" in head) == (status[:3] != b"204")
                one.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                assert (await one.answer())[1] == b"hello"
                assert member.connections == 2


@pytest.mark.parametrize(
    ("said", "used_again"),
    [
        (b"204 No Content\r\n", True),
        (b"204 No Content\r\nContent-Length: 0\r\n", True),
        (b"204 No Content\r\nContent-Length: 5\r\n", False),
        (b"204 No Content\r\nTransfer-Encoding: chunked\r\n", False),
        (b"304 Not Modified\r\nContent-Length: 5\r\n", True),
        (b"304 Not Modified\r\nTransfer-Encoding: chunked\r\n", False),
    ],
)
async def test_a_body_that_must_not_be_there_is_not_waited_for_on_a_connection_that_others_use(
    said: bytes, used_again: bool
) -> None:
    async with upstream(answers(b"HTTP/1.1 %b\r\n" % said, HELLO)) as member:
        async with serving(site(member.port)) as proxy, client(proxy.port) as one:
            for _ in range(2):
                one.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                head, _ = await one.answer()
            assert head.startswith(b"HTTP/1.1 200 ")
            assert (member.connections == 1) is used_again


async def test_who_answered_before_the_request_was_whole_gets_no_other_over_that_connection() -> None:
    async def vice(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        this.heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(HELLO[:-2])
        assert await reader.readexactly(5) == b"00000"
        writer.write(HELLO[-2:])
        await reader.read()

    async with upstream(vice) as member, serving(site(member.port)) as proxy, client(proxy.port) as one:
        one.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
        await one.answer_head()
        one.send(b"00000")
        assert await one.rest() == b"hello"
        await until(lambda: member.open == 0)
        assert not any(proxy.server.upstreams.idle.values())


@asynccontextmanager
async def full() -> AsyncIterator[int]:
    """The port of a listener whose queue is full: it answers no SYN, so that connecting to it hangs."""
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        for _ in range(4):
            plug = stack.enter_context(socket.socket())
            plug.setblocking(False)
            plug.connect_ex(("127.0.0.1", port))
        await asyncio.sleep(0.05)
        yield port


async def test_connect_timeout_tries_the_next_member_and_then_is_503() -> None:
    async with full() as port:
        async with upstream(answers(HELLO)) as good:
            async with serving(site(port, good.port, connect_timeout=0.3)) as proxy:
                assert (await get(proxy.port))[1] == b"hello"
                assert (await proxy.finished()).attempts == 2
        async with serving(site(port, connect_timeout=0.3)) as proxy:
            assert (await get(proxy.port))[0].startswith(b"HTTP/1.1 503 ")


async def test_a_body_that_comes_while_a_member_is_connected_to_ends_no_wait_of_its_own(clock: Clock) -> None:
    async with full() as port, upstream(answers(HELLO)) as good:
        what = replace(site(port, good.port, connect_timeout=0.5), limits=Limits(body_time=30, body_rate=0))
        async with serving(what) as proxy, client(proxy.port) as one:
            one.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nConnection: close\r\n\r\n")
            await until(lambda: proxy.recorder.live)
            one.send(b"ab")
            (exchange,) = proxy.recorder.live
            await until(lambda: exchange.received == 2)
            assert not good.heads
            clock.passes(60, proxy)
            await until(lambda: good.heads)
            one.send(b"cd")
            assert (await one.rest()).endswith(b"hello")
            assert (await proxy.finished()).attempts == 2


async def test_a_name_without_an_address_marks_that_member_alone() -> None:
    async with upstream(answers(HELLO)) as good:
        what = site(good.port, balanced=True)
        pool = what.balancers["pool"]
        members = {"lost": Member(url="http://no-such-name.invalid"), **pool.members}
        what = replace(what, balancers={"pool": replace(pool, members=members)})
        async with serving(what) as proxy:
            for _ in range(3):
                assert (await get(proxy.port))[1] == b"hello"
            lost, found = proxy.registry.members.values()
            assert lost.unresolved or found.unresolved
            assert proxy.records[0].attempts == 2


async def test_all_members_refusing_is_503_and_they_are_tried_again_at_once() -> None:
    ports = free_port(), free_port()
    async with serving(site(*ports)) as proxy:
        for count in (1, 2):
            assert (await get(proxy.port))[0].startswith(b"HTTP/1.1 503 ")
            assert (await proxy.finished(count)).attempts == 2
