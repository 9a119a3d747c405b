"""What is remembered of requests is bounded: where none is like another, memory stays as it is. Kept out of the suite.

The ring, the table of clients' rates and all that is remembered by target, block of fields or client are full by half
of the requests; growth is taken from there on.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.e2e.harness import HELLO, answers, upstream
from tests.faults.harness import PATIENCE, World, world

REQUESTS, BATCH, LANES = 240_000, 40, 8
"""How many in all, how many over one connection, and how many connections at a time."""
GET = b"GET /a%d?n=%d HTTP/1.1\r\nHost: a%d.test\r\nUser-Agent: agent-%d\r\nX-Real-IP: 10.%d.%d.%d\r\n\r\n"
OPTIONS = 'trusted_proxies = ["127.0.0.1"]\nclient_header = "X-Real-IP"'
TABLES = """
[limits]
client_rate = 1000
[[rewrites]]
pattern = "^/never"
substitution = "-"
flags = ["F"]
conditions = [{ test = "%{HTTP_USER_AGENT}", pattern = "bot" }]
"""


async def lane(there: World, numbers: range) -> None:
    for first in numbers[::BATCH]:
        reader, writer = await asyncio.open_connection("127.0.0.1", there.port)
        for n in range(first, first + BATCH):
            writer.write(GET % (n, n, n, n, n >> 16, n >> 8 & 255, n & 255))
        async with asyncio.timeout(PATIENCE):
            for _ in range(BATCH):
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
                assert await reader.readexactly(5) == b"hello"
        writer.close()


@pytest.mark.soak
async def test_requests_of_which_none_is_like_another_take_no_more_memory_than_half_of_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with upstream(answers(HELLO)) as member:
        async with world(tmp_path, {}, ports=(member.port,), options=OPTIONS, tables=TABLES) as there:
            samples, each = [], REQUESTS // 8
            for begin in range(0, REQUESTS, each):
                share = each // LANES
                await asyncio.gather(*(lane(there, range(at, at + share)) for at in range(begin, begin + each, share)))
                samples.append(there.memory())
            with capsys.disabled():
                print(f"\nMiB after each {each} requests: {', '.join(f'{kib / 1024:.1f}' for kib in samples)}")
            assert samples[-1] - samples[len(samples) // 2] < 2048
