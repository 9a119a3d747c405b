"""Tunnels over real sockets: WebSocket and other protocols after a 101 (RFC 9110 §7.8, RFC 6455)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from proxy_core.config.model import Site
from tests.clock import Clock
from tests.e2e.harness import (
    HELLO,
    PATIENCE,
    Client,
    Running,
    Talk,
    Upstream,
    answers,
    client,
    get,
    serving,
    site,
    until,
    upstream,
)
from tests.serve.test_websocket_frames import frame
from tests.waiting import still

ASK = (
    b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"
)
GOING_AWAY = frame(8, (1001).to_bytes(2, "big"))


def allowing(*ports: int, upgrade: tuple[str, ...] = ("websocket",), **options: object) -> Site:
    made = site(*ports, **options)  # type: ignore[arg-type]
    return msgspec.structs.replace(made, routes=(msgspec.structs.replace(made.routes[0], upgrade=upgrade),))


def switches(after: Talk | None = None, say: bytes = b"", head: bytes = SWITCH) -> Talk:
    """An upstream that agrees at once, says something in the same breath, and goes on with ``after`` (echo)."""

    async def talk(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        this.heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(head + say)
        if after is not None:
            await after(this, reader, writer)
            return
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()

    return talk


@asynccontextmanager
async def tunnel(talk: Talk, **options: object) -> AsyncIterator[tuple[Running, Upstream, Client]]:
    async with (
        upstream(talk) as member,
        serving(allowing(member.port, **options)) as proxy,
        client(proxy.port) as one,
    ):
        one.send(ASK)
        head, _ = await one.answer()
        assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
        yield proxy, member, one


async def take(one: Client, count: int) -> bytes:
    async with asyncio.timeout(10):
        return await one.reader.readexactly(count)


async def test_bytes_pass_as_they_are_both_ways_and_the_handshake_arrives_whole() -> None:
    async with upstream(switches(say=b"welcome")) as member, serving(allowing(member.port)) as proxy:
        async with client(proxy.port) as one:
            one.send(ASK + b"early")
            head, _ = await one.answer()
            assert head == (
                b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\n"
                b"Connection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n"
            )
            assert await take(one, 12) == b"welcomeearly"
            every = bytes(range(256)) * 400
            one.send(every)
            assert await take(one, len(every)) == every
            assert len(proxy.recorder.live) == 1
            one.writer.write_eof()
            assert await one.rest() == b""
        record = await proxy.finished()
        assert (record.status, record.cause) == (101, "")
        assert (record.received, record.sent) == (5 + len(every), 12 + len(every))
        seen = member.heads[0]
        assert b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" in seen
        assert b"\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" in seen
        await until(lambda: not member.open)


@pytest.mark.parametrize(
    ("ask", "upgrade"),
    [
        (ASK, ()),
        (ASK, ("other",)),
        (ASK.replace(b": websocket", b": h2c"), ("ANY",)),
        (ASK.replace(b": websocket", b": websocket, h2c"), ("ANY",)),
        (ASK.replace(b", Upgrade", b""), ("websocket",)),
        (ASK.replace(b"/1.1\r", b"/1.0\r"), ("websocket",)),
        (ASK.replace(b"\r\n\r\n", b"\r\nContent-Length: 1\r\n\r\nx"), ("websocket",)),
        (ASK.replace(b"\r\n\r\n", b"\r\nUpgrade: websocket\r\n\r\n"), ("websocket",)),
    ],
)
async def test_what_is_not_granted_is_asked_as_an_ordinary_request(ask: bytes, upgrade: tuple[str, ...]) -> None:
    async with upstream(answers(HELLO)) as member, serving(allowing(member.port, upgrade=upgrade)) as proxy:
        async with client(proxy.port) as one:
            one.send(ask)
            head, body = await one.answer()
            assert body == b"hello"
            assert b"\r\nConnection: close\r\n" in head, "the next bytes may be of another protocol"
        assert b"pgrade" not in member.heads[0]


@pytest.mark.parametrize(
    "head",
    [
        SWITCH.replace(b"WebSocket\r\nC", b"other\r\nC"),
        SWITCH.replace(b"Upgrade: WebSocket\r\n", b""),
        SWITCH.replace(b"\r\n\r\n", b"\r\nContent-Length: 3\r\n\r\n"),
    ],
)
async def test_an_upstream_that_switches_to_something_else_is_502(head: bytes) -> None:
    async with upstream(switches(head=head)) as member, serving(allowing(member.port)) as proxy:
        async with client(proxy.port) as one:
            one.send(ASK)
            assert (await one.answer())[0].startswith(b"HTTP/1.1 502 ")
        assert "switched to a protocol" in (await proxy.finished()).cause


async def test_an_upstream_that_switches_unasked_is_502() -> None:
    async with upstream(switches()) as member, serving(allowing(member.port)) as proxy:
        assert (await get(proxy.port))[0].startswith(b"HTTP/1.1 502 ")
        assert "unasked" in (await proxy.finished()).cause


async def test_another_answer_to_the_asking_passes_as_any_answer() -> None:
    no = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"
    async with upstream(answers(no)) as member, serving(allowing(member.port)) as proxy, client(proxy.port) as one:
        one.send(ASK)
        head, body = await one.answer()
        assert (head[:12], body) == (b"HTTP/1.1 403", b"no")


async def test_a_ws_target_tunnels_by_itself_and_serves_other_requests_over_http() -> None:
    async with upstream(switches()) as member:
        made = site(member.port)
        ws = msgspec.structs.replace(made.routes[0], proxy=f"ws://127.0.0.1:{member.port}/")
        async with serving(msgspec.structs.replace(made, routes=(ws,))) as proxy, client(proxy.port) as one:
            one.send(ASK)
            assert (await one.answer())[0].startswith(b"HTTP/1.1 101 ")
            one.send(b"ping")
            assert await take(one, 4) == b"ping"
    async with upstream(answers(HELLO)) as member:
        made = site(member.port)
        ws = msgspec.structs.replace(made.routes[0], proxy=f"ws://127.0.0.1:{member.port}/")
        async with serving(msgspec.structs.replace(made, routes=(ws,))) as proxy:
            assert (await get(proxy.port))[1] == b"hello"


async def test_either_side_may_end_its_sending_and_still_hear_the_other() -> None:
    async def says_then_listens(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"done")
        writer.write_eof()
        this.heads.append(await reader.read())

    async with upstream(switches(says_then_listens)) as member, serving(allowing(member.port)) as proxy:
        async with client(proxy.port) as one:
            one.send(ASK)
            await one.answer()
            assert await one.rest() == b"done"
            one.send(b"heard")
            one.writer.write_eof()
            await until(lambda: len(member.heads) == 2)
            assert member.heads[1] == b"heard"
        assert (await proxy.finished()).cause == ""


async def test_a_tunnel_in_which_nothing_moves_is_closed(clock: Clock) -> None:
    async with tunnel(switches(), tunnel_timeout=30) as (proxy, member, one):
        for _ in range(3):
            clock.passes(29, proxy)
            one.send(b"x")
            assert await take(one, 1) == b"x"
        clock.passes(31, proxy)
        assert await one.rest() == b""
        assert "nothing moved" in (await proxy.finished()).cause
        await until(lambda: not member.open)


@pytest.mark.parametrize("side", ["client", "upstream"])
async def test_a_side_that_breaks_off_takes_the_other_along_and_is_named(side: str) -> None:
    async def breaks(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.transport.abort()

    async with tunnel(switches(breaks if side == "upstream" else None)) as (proxy, member, one):
        if side == "upstream":
            one.send(b"x")
            assert await one.rest() == b""
            while not proxy.records:  # a closed socket answers the first write; the second fails
                one.send(b"to nobody")
                await asyncio.sleep(0.01)
        else:
            one.writer.transport.abort()
        record = await proxy.finished()
        assert record.status == 101
        await until(lambda: not member.open)


async def test_who_reads_slowly_stops_who_writes() -> None:
    written = 0

    async def floods(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()
            written += 65536

    async with upstream(switches(floods)) as member, serving(allowing(member.port)) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port, limit=1024)
        writer.write(ASK)
        await reader.readuntil(b"\r\n\r\n")
        await until(lambda: written)
        before = await still(lambda: written)
        assert before < 40 << 20, "sockets buffer some, the proxy must not"
        while written < before + (1 << 20):
            assert await reader.read(1 << 16)
        writer.transport.abort()
        await until(lambda: not member.open)
        await proxy.finished()


async def test_a_swap_that_edits_or_removes_its_route_leaves_a_tunnel_alone() -> None:
    async with tunnel(switches()) as (proxy, _, one):
        old = proxy.current.rules.site
        await proxy.apply(msgspec.structs.replace(old, routes=()))
        one.send(b"still")
        assert await take(one, 5) == b"still"


async def test_a_websocket_is_told_1001_when_the_proxy_stops_and_closes_by_itself() -> None:
    async with tunnel(switches()) as (proxy, _, one):
        one.send(frame(1, b"hello", b"mask"))
        await take(one, 11)
        draining = asyncio.create_task(proxy.server.drain(PATIENCE))
        assert await take(one, 4) == GOING_AWAY
        one.send(frame(8, (1001).to_bytes(2, "big"), b"mask"))
        one.writer.write_eof()
        assert await one.rest() == b"", "what the upstream says after our close has no place"
        assert await draining == 0
        assert (await proxy.finished()).cause == "the proxy stopped"


async def test_the_close_frame_waits_for_the_end_of_the_frame_begun() -> None:
    more = asyncio.Event()
    long = frame(2, b"y" * 300)

    async def in_pieces(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(long[:100])
        await more.wait()
        writer.write(long[100:] + frame(1, b"too late"))
        await reader.read()

    async with tunnel(switches(in_pieces)) as (proxy, _, one):
        assert await take(one, 100) == long[:100]
        draining = asyncio.create_task(proxy.server.drain(PATIENCE))
        await asyncio.sleep(0.05)
        more.set()
        assert await take(one, 204 + len(GOING_AWAY)) == long[100:] + GOING_AWAY
        one.writer.close()
        assert await draining == 0


async def test_a_removed_listener_tells_its_websockets() -> None:
    async with tunnel(switches()) as (proxy, _, one):
        old = proxy.current.rules.site
        await proxy.apply(msgspec.structs.replace(old, listeners={}))
        assert await take(one, 4) == GOING_AWAY


async def test_what_no_one_tells_is_cut_at_the_end_of_the_drain() -> None:
    async with tunnel(switches()) as (proxy, _, one):
        assert await proxy.server.drain(0.2) == 1
        assert await one.rest() == GOING_AWAY
        await proxy.finished()
        proxy.at_rest()


async def test_events_of_a_slow_stream_arrive_as_they_come() -> None:
    more = asyncio.Event()

    async def events(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for n in range(3):
            writer.write(b"9\r\ndata: %d\n\n\r\n" % n)
            await more.wait()
            more.clear()
        writer.write(b"0\r\n\r\n")
        await reader.read()

    async with upstream(events) as member, serving(site(member.port)) as proxy, client(proxy.port) as one:
        one.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await one.answer_head()
        for n in range(3):
            assert await take(one, 14) == b"9\r\ndata: %d\n\n\r\n" % n
            more.set()
        assert await take(one, 5) == b"0\r\n\r\n"
