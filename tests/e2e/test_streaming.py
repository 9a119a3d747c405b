"""Bodies stream in constant memory, however large they are and however slowly one side reads."""

from __future__ import annotations

import asyncio
import resource
from pathlib import Path

import pytest

from tests.e2e.harness import Upstream, client, serving, site, until, upstream
from tests.waiting import still

MIB = 1 << 20
SIZE = 64 * MIB
SOCKETS = 48 * MIB
"""What four socket buffers may take at most, by the system's own tuning."""
MAY_GROW = 24 * MIB
"""Of the process, with the buffers of the tests' own streams in it."""


def memory() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_large_answer_waits_for_a_slow_reader(chunked: bool) -> None:
    piece = b"x" * 65536
    sent = 0

    async def gushes(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        how = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % SIZE
        writer.write(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n" % how)
        for _ in range(SIZE // len(piece)):
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            await writer.drain()
            sent += len(piece)
        if chunked:
            writer.write(b"0\r\n\r\n")

    async with upstream(gushes) as member, serving(site(member.port)) as proxy, client(proxy.port) as one:
        one.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        await one.reader.readuntil(b"\r\n\r\n")
        before = memory()
        await until(lambda: any(each.blocked for each in proxy.server._clients))
        assert await still(lambda: sent) < SOCKETS
        got, worst = 0, 0
        while data := await one.reader.read(MIB):
            got += len(data)
            worst = max(worst, memory())
        assert got >= SIZE
        assert worst - before < MAY_GROW
        assert (await proxy.finished()).sent == SIZE


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_large_upload_waits_for_a_slow_upstream(chunked: bool) -> None:
    go = asyncio.Event()
    seen = 0

    async def sips(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        await reader.readuntil(b"\r\n\r\n")
        await go.wait()
        while seen < SIZE:
            seen += len(await reader.read(MIB))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await reader.read()

    async with upstream(sips) as member, serving(site(member.port)) as proxy, client(proxy.port) as one:
        how = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % SIZE
        one.send(b"POST / HTTP/1.1\r\nHost: a\r\n%b\r\n\r\n" % how)
        piece = b"y" * 65536
        sent = 0

        async def sends() -> None:
            nonlocal sent
            for _ in range(SIZE // len(piece)):
                one.send(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
                await one.writer.drain()
                sent += len(piece)
            if chunked:
                one.send(b"0\r\n\r\n")

        before = memory()
        sending = asyncio.create_task(sends())
        await until(lambda: sent)
        assert await still(lambda: sent) < SOCKETS
        go.set()
        head, _ = await one.answer()
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert memory() - before < MAY_GROW
        await sending
