"""What is left after very many requests of which some are broken off and some fail, or of which none is like another:
nothing. Kept out of the suite.

The proxy's ring of requests and its history of seconds fill first and are bounded, so growth is taken from there on.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from pathlib import Path
from time import monotonic

import pytest

from tests.e2e.harness import Upstream, answers, until, upstream
from tests.faults.harness import PATIENCE, World, world

SECONDS = 240.0
GET = b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /%s HTTP/1.1\r\nHost: a\r\nContent-Length: 3000\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n"


async def moody(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Does what the path asks for."""
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"POST" in head:
            await reader.readexactly(3000)
        wish = head.split()[1]
        if wish == b"/reset":
            writer.transport.abort()
            return
        if wish == b"/garbage":
            writer.write(b"what?\r\n\r\n")
            return
        if wish == b"/short":
            writer.write(HEAD + b"x" * 100)
            return
        if wish == b"/slow":
            await asyncio.sleep(0.2)
        writer.write(HEAD + b"x" * 2000)


WISHES = (b"ok",) * 12 + (b"reset", b"garbage", b"short", b"slow")


async def lane(port: int, seed: int, end: float, count: list[int]) -> None:
    """Requests over one connection after the other; one in ten is broken off somewhere."""
    chance = random.Random(seed)
    while monotonic() < end:
        with suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                for _ in range(50):
                    wish = chance.choice(WISHES)
                    raw = GET % wish if chance.random() < 0.7 else POST % wish + b"y" * 3000
                    count[0] += 1
                    if chance.random() < 0.1:
                        writer.write(raw[: chance.randrange(len(raw) + 1)])
                        await asyncio.sleep(chance.random() * 0.02)
                        writer.transport.abort()
                        break
                    writer.write(raw)
                    async with asyncio.timeout(PATIENCE):
                        head = await reader.readuntil(b"\r\n\r\n")
                        length = int(head.lower().partition(b"content-length: ")[2].split()[0])
                        await reader.readexactly(length)
                    if b"connection: close" in head.lower():
                        break
            finally:
                writer.close()


@pytest.mark.soak
async def test_hundreds_of_thousands_of_requests_with_aborts_and_errors_leave_nothing_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with upstream(moody) as a, upstream(moody) as b:
        async with world(
            tmp_path, {}, ports=(a.port, b.port), options="timeout = 2", member="retry = 0", balancer="timeout = 1"
        ) as there:
            before, count, samples = there.descriptors(), [0], []
            end = monotonic() + SECONDS
            lanes = [asyncio.create_task(lane(there.port, seed, end, count)) for seed in range(32)]
            while monotonic() < end:
                await asyncio.sleep(SECONDS / 24)
                samples.append((count[0], there.memory()))
            await asyncio.gather(*lanes)
            await there.at_rest()
            await until(lambda: there.descriptors() <= before + 64, 20)
            after = there.descriptors()
            half = len(samples) // 2
            (asked, kib), (asked_then, kib_then) = samples[-1], samples[half]
            growth = (kib - kib_then) * 100_000 / (asked - asked_then)
            numbers = await there.numbers()
            with capsys.disabled():
                print(
                    f"\nsoak: {count[0]} requests in {SECONDS:.0f} s; memory (requests, MiB): "
                    f"{', '.join(f'{n}: {k / 1024:.1f}' for n, k in samples[::4])}, {asked}: {kib / 1024:.1f}; second "
                    f"half grew {growth:.0f} KiB per 100k; descriptors {before} before, {after} after; "
                    f"{ {k: v for k, v in numbers.items() if k.startswith('rproxy_requests_total')} }"
                )
            assert growth < 1024


UNLIKE = 200_000
LANES = 32
RULES = """
[limits]
client_rate = 1000

[[rewrites]]
pattern = "^/unlike/1(.*)$"
substitution = "/unlike/2$1"
flags = ["PT"]
conditions = [{ test = "%{HTTP:X-Number}", pattern = "7$" }]
"""
"""What remembers clients, fields and decisions."""


async def unlike(there: World, first: int) -> None:
    """Every so manieth request from the ``first`` on: each of a client, with a target and with a field of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", there.port)
    for number in range(first, UNLIKE, LANES):
        client = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        target = f"/unlike/{number}/{'x' * (number % 400)}?n={number}"
        writer.write(f"GET {target} HTTP/1.1\r\nHost: a\r\nX-Client: {client}\r\nX-Number: {number}\r\n\r\n".encode())
        async with asyncio.timeout(PATIENCE):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            await reader.readexactly(2000)
    writer.close()


@pytest.mark.soak
async def test_no_memory_grows_with_targets_fields_and_clients_that_never_come_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the second half on all that is remembered is at its bounds: the buckets of clients are forgotten last, when
    there are 100,000."""
    talk = answers(HEAD + b"x" * 2000)
    options = 'client_header = "X-Client"\ntrusted_proxies = ["127.0.0.1"]'
    async with (
        upstream(talk) as a,
        upstream(talk) as b,
        world(tmp_path, {}, ports=(a.port, b.port), options=options, tables=RULES) as there,
    ):
        samples: list[tuple[int, int]] = []
        lanes = [asyncio.create_task(unlike(there, first)) for first in range(LANES)]
        while not all(lane.done() for lane in lanes):
            await asyncio.sleep(2)
            numbers = await there.numbers()
            asked = sum(n for name, n in numbers.items() if name.startswith("rproxy_requests_total"))
            samples.append((int(asked), there.memory()))
        await asyncio.gather(*lanes)
        half = [(asked, kib) for asked, kib in samples if asked >= UNLIKE * 0.55]
        with capsys.disabled():
            shown = [*samples[::6], samples[-1]]
            print(f"\nsoak: memory (requests, MiB): {', '.join(f'{n}: {k / 1024:.1f}' for n, k in shown)}")
        assert samples[-1][0] >= UNLIKE
        assert half[-1][1] - half[0][1] < 1024
