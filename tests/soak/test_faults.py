"""Faults that take time or many connections, put to `rproxy` as a process of its own: run with -m soak.

Each test prints what it measured (-s shows it). Traffic stays on loopback and is bounded in number and time.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import pytest

from tests.e2e.harness import Client, Talk, Upstream, client, read_request, until, upstream
from tests.ports import free_port

pytestmark = pytest.mark.soak

CLOSE = b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
KEEP = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
BLOCK = os.urandom(1 << 20)


@pytest.fixture(autouse=True)
def many_descriptors() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Proxy:
    """A running `rproxy` that forwards everything to one port."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, file: Path) -> None:
        self.process = process
        self.port = port
        self.file = file

    def memory(self) -> int:
        """KiB of resident memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])

    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def cpu(self) -> float:
        """Seconds of CPU so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def rproxy(folder: Path, member: int, more: str = "", descriptors: int = 0) -> AsyncIterator[Proxy]:
    port, file = free_port(), folder / "site.toml"
    file.write_text(
        f'version = 1\n[listeners.http]\naddress = "127.0.0.1:{port}"\n{more}\n'
        f'[[routes]]\nid = "all"\npath = "/"\nproxy = "http://127.0.0.1:{member}/"\ntimeout = 20\n'
    )

    def bound() -> None:
        if descriptors:
            resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

    process = subprocess.Popen(  # noqa: ASYNC220 - it has to be there before anything else
        [sys.executable, "-m", "proxy_core.control.cli", str(file)], stdout=subprocess.DEVNULL, preexec_fn=bound
    )
    proxy = Proxy(process, port, file)
    try:
        await until(lambda: _listens(port), 20)
        yield proxy
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def _listens(port: int) -> bool:
    table = Path("/proc/net/tcp").read_text()
    return f":{port:04X} 00000000:0000 0A" in table


async def says_hello(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        await read_request(this, reader)
        this.heads.clear()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")


def streams(count: int, pause: float) -> Talk:
    """Answers with ``count`` KiB, one at a time."""

    async def talk(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(this, reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (count * 1024))
        for _ in range(count):
            writer.write(BLOCK[:1024])
            await writer.drain()
            await asyncio.sleep(pause)

    return talk


async def canary(port: int, seconds: float) -> tuple[int, int, float]:
    """Ask ten times a second: how often it was asked and answered well, and the longest it took."""
    asked = good = 0
    longest = 0.0
    end = monotonic() + seconds
    while monotonic() < end:
        asked += 1
        began = monotonic()
        try:
            async with asyncio.timeout(5), client(port) as one:
                one.send(CLOSE)
                good += (await one.rest()).endswith(b"hello")
        except (OSError, TimeoutError):
            pass
        longest = max(longest, monotonic() - began)
        await asyncio.sleep(max(0.0, 0.1 - (monotonic() - began)))
    return asked, good, longest


@asynccontextmanager
async def opened(port: int, count: int, window: int = 0) -> AsyncIterator[list[Client]]:
    """``window``: the receive buffer of each, in bytes."""
    clients: list[Client] = []
    for _ in range(count):
        raw = socket.socket()
        if window:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        raw.setblocking(False)
        await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", port))
        clients.append(Client(*await asyncio.open_connection(sock=raw)))
    try:
        yield clients
    finally:
        for one in clients:
            one.writer.transport.abort()  # type: ignore[attr-defined]


async def test_256_descriptors_and_1000_clients(tmp_path: Path) -> None:
    async with upstream(says_hello) as member, rproxy(tmp_path, member.port, descriptors=256) as proxy:
        async with opened(proxy.port, 1000) as clients:
            for one in clients:
                one.send(KEEP)
            await asyncio.sleep(1)
            before = proxy.cpu()
            await asyncio.sleep(2)
            busy = (proxy.cpu() - before) / 2
            served = 0
            for one in clients:
                try:
                    async with asyncio.timeout(0.5):
                        served += b"hello" in await one.reader.read(4096)
                except (OSError, TimeoutError):
                    pass
        await asyncio.sleep(1)
        asked, good, _ = await canary(proxy.port, 3)
        print(f"\n1,000 clients, 256 descriptors: {served} served, CPU while full {busy:.0%}, after: {good}/{asked}")
        assert served >= 80
        assert busy < 0.2
        assert good == asked


SLOW = {
    "head": (b"GET / HTTP/1.1\r\nX: ", 8.0),
    "body": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n", 8.0),
}


@pytest.mark.parametrize("what", SLOW)
async def test_500_slow_clients_are_cut_and_nobody_else_notices(tmp_path: Path, what: str) -> None:
    raw, seconds = SLOW[what]
    more = "[limits]\nhead_time = 3\nbody_time = 3\nhead_rate = 0"
    async with upstream(says_hello) as member, rproxy(tmp_path, member.port, more) as proxy:
        async with opened(proxy.port, 500) as clients:
            for one in clients:
                one.send(raw)

            async def trickle() -> None:
                for _ in range(int(seconds / 0.5)):
                    await asyncio.sleep(0.5)
                    for one in clients:
                        if not one.reader._buffer:  # type: ignore[attr-defined]
                            one.send(b"a")

            task = asyncio.create_task(trickle())
            asked, good, longest = await canary(proxy.port, seconds)
            task.cancel()
            cut = 0
            for one in clients:
                cut += (await one.rest()).startswith(b"HTTP/1.1 408 ")
        print(f"\n500 slow {what}: {cut} cut with 408; others {good}/{asked} answered, longest {longest * 1e3:.0f} ms")
        assert cut == 500
        assert good >= 0.99 * asked


async def test_500_slow_readers_are_held_back_and_nobody_else_notices(tmp_path: Path) -> None:
    async def large(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head, _ = await read_request(this, reader)
            if b"/large" not in head:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
                continue
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (1 << 20))
            for _ in range(16):
                writer.write(BLOCK[: 1 << 16])
                await writer.drain()

    async with upstream(large) as member, rproxy(tmp_path, member.port) as proxy:
        before = proxy.memory()
        async with opened(proxy.port, 500, 8192) as clients:
            for one in clients:
                one.writer.transport.pause_reading()  # type: ignore[attr-defined]
                one.send(KEEP.replace(b"/x", b"/large"))
            asked, good, longest = await canary(proxy.port, 10)
            grown = proxy.memory() - before
        print(
            f"\n500 slow readers: others {good}/{asked}, longest {longest * 1e3:.0f} ms, "
            f"{grown / 500:.0f} KiB of memory each"
        )
        assert good >= 0.99 * asked
        assert grown < 500 * 1024


async def test_10000_idle_connections(tmp_path: Path) -> None:
    more = "[limits]\nidle_time = 120"
    async with upstream(says_hello) as member, rproxy(tmp_path, member.port, more) as proxy:
        await canary(proxy.port, 1)
        before = proxy.memory()
        async with opened(proxy.port, 10_000) as clients:
            for one in clients:
                one.send(KEEP)
                await one.answer()
            grown = (proxy.memory() - before) / len(clients)
            began = proxy.cpu()
            asked, good, _ = await canary(proxy.port, 5)
            busy = (proxy.cpu() - began) / 5
        print(f"\n{len(clients)} idle: {grown:.1f} KiB each, {busy:.1%} of a core, others {good}/{asked}")
        assert len(clients) == 10_000
        assert good == asked
        assert grown < 16
        await until(lambda: proxy.descriptors() < 200, 10)


async def test_1_gib_both_ways_in_flat_memory(tmp_path: Path) -> None:
    size = (1 << 30) - (1 << 20)

    async def mirrors(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        left = size
        while left and (data := await reader.read(1 << 18)):
            left -= len(data)
            writer.write(data)
            await writer.drain()

    async with upstream(mirrors) as member, rproxy(tmp_path, member.port) as proxy, client(proxy.port) as one:
        before, began = proxy.memory(), monotonic()
        one.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
        sent, received, most = hashlib.sha256(), hashlib.sha256(), 0

        async def send() -> None:
            for _ in range(size >> 20):
                sent.update(BLOCK)
                one.send(BLOCK)
                await one.writer.drain()

        task = asyncio.create_task(send())
        await one.reader.readuntil(b"\r\n\r\n")
        left = size
        while left and (data := await one.reader.read(1 << 18)):
            left -= len(data)
            received.update(data)
            if left % (64 << 20) < len(data):
                most = max(most, proxy.memory() - before)
        await task
        took = monotonic() - began
        print(f"\n1 GiB both ways: {took:.1f} s, {size / took / 1e6:.0f} MB/s each way, memory +{most} KiB at most")
        assert left == 0
        assert sent.digest() == received.digest()
        assert most < 16 * 1024


async def _download(port: int) -> int:
    async with client(port) as one:
        one.send(CLOSE)
        return len((await one.rest()).partition(b"\r\n\r\n")[2])


@pytest.mark.parametrize("how", ["terminated", "reloaded"])
async def test_streams_that_are_open_end_whole(tmp_path: Path, how: str) -> None:
    """Under SIGTERM, and across edits of their own route that come by SIGHUP."""
    async with upstream(streams(60, 0.05)) as member, rproxy(tmp_path, member.port) as proxy:
        downloads = [asyncio.create_task(_download(proxy.port)) for _ in range(50)]
        await until(lambda: member.open == 50)
        if how == "terminated":
            proxy.process.send_signal(signal.SIGTERM)
        else:
            for n in range(10):
                proxy.file.write_text(re.sub(r"timeout = \d+", f"timeout = {30 + n}", proxy.file.read_text()))
                proxy.process.send_signal(signal.SIGHUP)
                await asyncio.sleep(0.1)
        assert [await task for task in downloads] == [60 * 1024] * 50
        if how == "terminated":
            await until(lambda: proxy.process.poll() is not None, 5)
            assert proxy.process.returncode == 0


async def test_a_process_that_stood_still_for_two_seconds_blames_nobody(tmp_path: Path) -> None:
    more = "[limits]\nhead_time = 1.5\nidle_time = 1.5"
    async with upstream(streams(20, 0.05)) as member, rproxy(tmp_path, member.port, more) as proxy:
        async with client(proxy.port) as idle, client(proxy.port) as slow:
            downloads = [asyncio.create_task(_download(proxy.port)) for _ in range(20)]
            await until(lambda: member.open == 20)
            slow.send(b"GET /x HTTP/1.1\r\n")
            await asyncio.sleep(0.1)
            proxy.process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(2)
            proxy.process.send_signal(signal.SIGCONT)
            slow.send(b"Host: a\r\nConnection: close\r\n\r\n")
            idle.send(CLOSE)
            assert [await task for task in downloads] == [20 * 1024] * 20
            assert b" 200 OK\r\n" in await slow.rest()
            assert b" 200 OK\r\n" in await idle.rest()


async def test_clients_that_abort_leave_nothing(tmp_path: Path) -> None:
    async with upstream(streams(1000, 0.01)) as member, rproxy(tmp_path, member.port) as proxy:
        baseline = proxy.descriptors()
        for _ in range(10):
            async with opened(proxy.port, 100) as clients:
                for one in clients:
                    one.send(KEEP)
                await until(lambda: member.open >= 90)
            began = monotonic()
            await until(lambda: member.open == 0, 5)
            assert monotonic() - began < 2
        await until(lambda: proxy.descriptors() <= baseline + 5, 5)
        print(f"\n1,000 aborts: descriptors {baseline} before, {proxy.descriptors()} after")
