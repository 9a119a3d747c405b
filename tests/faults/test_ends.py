"""The proxy stops, stands still or gets other rules while everything that lasts is open: downloads, uploads, tunnels,
streams of events. What can finish does."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from time import monotonic

import pytest

from tests.e2e.harness import Client, Upstream, client, get, read_request, upstream
from tests.e2e.test_tunnels import ASK, GOING_AWAY, SWITCH
from tests.faults.harness import load, steady, world
from tests.serve.test_websocket_frames import frame

PIECE = bytes(1 << 14)
PIECES = 30
UPLOAD = b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
CHAT = '[[routes]]\npath = "/chat"\nproxy = "balancer://b/chat"\nupgrade = ["websocket"]\n'
DOWNLOAD = '[[routes]]\npath = "/download"\nproxy = "balancer://b/download"\n'
STAYS = '[[routes]]\npath = "/stays"\nproxy = "balancer://b/"\n'  # a file that leaves nothing that answers is refused


async def lasting(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A member that takes its time over whatever is asked: half a megabyte in one and a half seconds, events for ever,
    an echo."""
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split()[1]
        if path == b"/download":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (PIECES * len(PIECE)))
            for _ in range(PIECES):
                writer.write(PIECE)
                await asyncio.sleep(0.05)
        elif path == b"/upload":
            await reader.readexactly(PIECES * len(PIECE))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell")
        elif path == b"/events":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
            while not reader.at_eof():
                writer.write(b"data: x\n\n")
                await asyncio.sleep(0.05)
        elif path == b"/chat":
            writer.write(SWITCH)
            while data := await reader.read(65536):
                writer.write(data)
        else:
            name = path[1:]
            writer.write(b"HTTP/1.1 200 OK\r\nX-Member: p\r\nContent-Length: %d\r\n\r\np %b" % (len(name) + 2, name))


class Open:
    """Three of each thing that lasts, begun and confirmed."""

    def __init__(self, clients: list[Client]) -> None:
        self.down, self.up, self.chats, self.events = clients[:3], clients[3:6], clients[6:9], clients[9:]

    async def begin(self) -> None:
        for one in self.down:
            one.send(b"GET /download HTTP/1.1\r\nHost: a\r\n\r\n")
        for one in self.events:
            one.send(b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
        for one in self.chats:
            one.send(ASK)
            assert b" 101 " in await one.answer_head()
        for one in (*self.down, *self.events):
            assert b" 200 " in await one.answer_head()
        for one in self.up:
            one.send(UPLOAD % (PIECES * len(PIECE)) + PIECE)

    async def downloaded(self) -> None:
        for one in self.down:
            assert await one.reader.readexactly(PIECES * len(PIECE)) == PIECES * PIECE

    async def uploaded(self) -> None:
        for _ in range(PIECES - 1):
            for one in self.up:
                one.send(PIECE)
            await asyncio.sleep(0.04)
        for one in self.up:
            assert (await one.answer())[1] == b"well"

    async def told(self) -> None:
        for one in self.chats:
            async with asyncio.timeout(10):
                assert await one.reader.readexactly(len(GOING_AWAY)) == GOING_AWAY
            one.send(frame(8, (1001).to_bytes(2, "big"), b"mask"))
            one.writer.write_eof()
            assert await one.rest() == b""


async def opened(stack: AsyncExitStack, port: int) -> Open:
    made = Open([await stack.enter_async_context(client(port)) for _ in range(12)])
    await made.begin()
    return made


async def test_sigterm_under_load_lets_all_finish_that_can_and_exits_0_in_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with AsyncExitStack() as stack:
        member = await stack.enter_async_context(upstream(lasting))
        there = await stack.enter_async_context(
            world(tmp_path, {}, ports=(member.port,), options="drain_timeout = 4", tables=CHAT)
        )
        lasts = await opened(stack, there.port)
        async with load(there, rate=100, lanes=10) as made:
            await steady(made, 100)
            told, began = len(made.outcomes), monotonic()
            there.process.send_signal(signal.SIGTERM)
            await asyncio.gather(lasts.downloaded(), lasts.uploaded(), lasts.told())
            finished = monotonic() - began
        async with asyncio.timeout(15):
            assert await there.process.wait() == 0
        took = monotonic() - began
        begun = [each for each in made.outcomes if each.begun]
        assert all(each.good for each in begun)
        assert all(each.good for each in made.outcomes[:told])
        assert b"data: x" in await lasts.events[0].rest(), "a stream goes on as long as it may"
        assert "stopped, 3 cut" in there.errors.read_text()
        with capsys.disabled():
            print(
                f"\nSIGTERM: downloads, uploads and WebSockets finished after {finished:.2f} s, endless streams cut, "
                f"exit 0 after {took:.2f} s of at most 4; {len(begun)} requests beside them whole"
            )
        assert took < 8


async def test_edits_of_their_own_routes_leave_downloads_uploads_tunnels_and_streams_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with AsyncExitStack() as stack:
        member = await stack.enter_async_context(upstream(lasting))
        there = await stack.enter_async_context(
            world(tmp_path, {}, ports=(member.port,), options="drain_timeout = 1", tables=CHAT + DOWNLOAD + STAYS)
        )
        lasts = await opened(stack, there.port)
        async with load(there, rate=100, lanes=10) as made:
            await there.edit('proxy = "balancer://b/download"', 'proxy = "balancer://b/elsewhere"')
            await there.edit(CHAT, "")
            await there.edit(DOWNLOAD.replace("b/download", "b/elsewhere"), "")
            await there.edit('path = "/"\nproxy = "balancer://b/"', 'path = "/"\nexcept = true')
            assert b" 404 " in (await get(there.port, "/chat"))[0]
            await there.edit('path = "/"\nexcept = true', 'path = "/"\nproxy = "balancer://b/"')
            await asyncio.gather(lasts.downloaded(), lasts.uploaded())
            for one in lasts.chats:
                one.send(b"still here")
                assert await one.reader.readexactly(10) == b"still here"
            for one in lasts.events:
                assert b"data: x" in await one.reader.readuntil(b"\n\n")
        gone = [each for each in made.outcomes if each.status == 404]
        assert all(each.good or each.status == 404 for each in made.outcomes)
        with capsys.disabled():
            print(
                f"\nswaps: 5 edits, 12 things that last untouched, {len(made.outcomes)} requests beside them, "
                f"{len(gone)} answered 404 while the site said so, none failed"
            )
        for one in (*lasts.chats, *lasts.events):
            one.writer.close()


async def slow(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        head, _ = await read_request(this, reader)
        await asyncio.sleep(0.3)
        name = head.split()[1][1:]
        writer.write(b"HTTP/1.1 200 OK\r\nX-Member: p\r\nContent-Length: %d\r\n\r\np %b" % (len(name) + 2, name))


async def test_a_proxy_that_stands_still_for_two_seconds_blames_nobody_for_the_silence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    limits = "[limits]\nhead_time = 1\nbody_time = 1\nidle_time = 1"
    async with upstream(slow) as member:
        async with world(tmp_path, {}, ports=(member.port,), options="timeout = 1", tables=limits) as there:
            async with load(there, rate=60, lanes=30) as made:
                await steady(made, 30)
                there.process.send_signal(signal.SIGSTOP)
                await asyncio.sleep(2)
                there.process.send_signal(signal.SIGCONT)
                await steady(made, 60)
            assert "the event loop stood still for " in there.errors.read_text()
            with capsys.disabled():
                print(
                    f"\nstood still for 2 s: {len(made.outcomes)} requests, slowest "
                    f"{max(each.seconds for each in made.outcomes):.2f} s, none failed"
                )
            assert all(each.good for each in made.outcomes), [each for each in made.outcomes if not each.good]


JUMPING = """\
import os, sys, time
real, flag = time.time, sys.argv[1] + ".tomorrow"
time.time = lambda: real() + 86400 * os.path.exists(flag)
from proxy_core.control.cli.__main__ import main
sys.exit(main())
"""


async def test_a_clock_that_jumps_a_day_fires_nothing(tmp_path: Path) -> None:
    program = tmp_path / "jumping.py"
    program.write_text("import sys\nsys.path.insert(0, '.')\n" + JUMPING)
    async with upstream(slow) as member, AsyncExitStack() as stack:
        there = await stack.enter_async_context(
            world(tmp_path, {}, ports=(member.port,), options="timeout = 5", program=(str(program),))
        )
        async with client(there.port) as idle, load(there, rate=60, lanes=30) as made:
            await steady(made, 30)
            (tmp_path / "site.toml.tomorrow").touch()
            await steady(made, 60)
            (tmp_path / "site.toml.tomorrow").unlink()
            await steady(made, 60)
            idle.send(b"GET /still HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await idle.answer())[1] == b"p still"
        assert all(each.good for each in made.outcomes)
