"""Very many bytes, and bytes in very many pieces: they pass whole or are refused, in little memory."""

from __future__ import annotations

import asyncio
import random
import zlib
from contextlib import suppress
from pathlib import Path
from time import monotonic

import pytest

from tests.e2e.harness import HELLO, Client, Talk, Upstream, answers, client, get, read_request, upstream
from tests.faults.harness import World, world

PIECE = random.Random(1).randbytes(1 << 16)
CHUNKS = 100_000


async def canary(there: World) -> None:
    began = monotonic()
    assert (await get(there.port, "/canary"))[0].startswith(b"HTTP/1.1 200 ")
    assert monotonic() - began < 5


async def _sums(reader: asyncio.StreamReader, size: int) -> int:
    """The checksum of so many bytes."""
    found = 0
    while size:
        data = await reader.read(min(size, 1 << 20))
        assert data, f"{size} bytes are missing"
        found, size = zlib.crc32(data, found), size - len(data)
    return found


async def _sends(writer: asyncio.StreamWriter, size: int) -> int:
    found = 0
    for number in range(size // len(PIECE)):
        piece = number.to_bytes(8, "big") + PIECE[8:]
        found = zlib.crc32(piece, found)
        writer.write(piece)
        await writer.drain()
    return found


@pytest.mark.parametrize("size", [1 << 26, pytest.param(1 << 30, marks=pytest.mark.soak)], ids=["64 MiB", "1 GiB"])
async def test_a_huge_body_passes_whole_both_ways_at_once_in_little_memory(
    tmp_path: Path, size: int, capsys: pytest.CaptureFixture[str]
) -> None:
    told: dict[str, int] = {}

    async def mirror(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"POST" in head:
            told["up"] = await _sums(reader, size)
            writer.write(HELLO)
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            told["down"] = await _sends(writer, size)
        await reader.read()

    async def up(one: Client) -> int:
        one.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
        sent = await _sends(one.writer, size)
        assert (await one.answer())[1] == b"hello"
        return sent

    async def down(one: Client) -> int:
        one.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await one.answer_head()
        return await _sums(one.reader, size)

    async with upstream(mirror) as member, world(tmp_path, {}, ports=(member.port,)) as there:
        memory, cpu, began, peak = there.memory(), there.cpu(), monotonic(), 0
        async with client(there.port) as one, client(there.port) as two:
            both = asyncio.gather(up(one), down(two))
            while not both.done():
                await asyncio.wait((both,), timeout=0.1)
                peak = max(peak, there.memory() - memory)
            sent, received = await both
        assert (sent, received) == (told["up"], told["down"])
        seconds = monotonic() - began
        with capsys.disabled():
            print(
                f"\n{size >> 20} MiB both ways: {seconds:.1f} s, {there.cpu() - cpu:.1f} s of processor time, at most "
                f"{peak / 1024:.1f} MiB more memory"
            )
        assert peak < 32 << 10


def _floods(interim: bytes, count: int) -> Talk:
    async def talk(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head, _ = await read_request(this, reader)
            if b"/canary" not in head:
                for _ in range(count // 100):
                    writer.write(interim * 100)
                    await writer.drain()
            writer.write(HELLO)

    return talk


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


async def _tiny(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        head, body = await read_request(this, reader)
        if b"/canary" in head:
            writer.write(HELLO)
        elif body:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        else:
            writer.write(CHUNKED)
            for _ in range(CHUNKS // 100):
                writer.write(b"1\r\nx\r\n" * 100)
                await writer.drain()
            writer.write(b"0\r\n\r\n")


FIELDS = b"".join(b"X-%d: y\r\n" % number for number in range(5000))
ODD = {
    "100,000 answers 103 before the answer": (_floods(b"HTTP/1.1 103 Early Hints\r\n\r\n", 100_000), b"", (502,)),
    "an answer in 100,000 chunks of a byte": (_tiny, b"", (200,)),
    "an answer with 5,000 fields": (answers(b"HTTP/1.1 200 OK\r\n%bContent-Length: 0\r\n\r\n" % FIELDS), b"", (502,)),
    "a request in 100,000 chunks of a byte": (_tiny, b"1\r\nx\r\n" * CHUNKS + b"0\r\n\r\n", (200, 400, 413)),
    "a request with 5,000 fields": (answers(HELLO), FIELDS, (431,)),
}


@pytest.mark.parametrize("what", ODD)
async def test_floods_cost_a_bounded_time_and_one_request_alone(
    tmp_path: Path, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    talk, rest, statuses = ODD[what]
    if rest == FIELDS:
        raw = b"GET / HTTP/1.1\r\nHost: a\r\n%b\r\n" % FIELDS
    elif rest:
        raw = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + rest
    else:
        raw = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    async with upstream(talk) as member, world(tmp_path, {}, ports=(member.port,), member="retry = 0") as there:
        memory, cpu, began = there.memory(), there.cpu(), monotonic()
        async with client(there.port) as one:
            one.send(raw)
            asked = asyncio.create_task(one.answer())
            if "5,000 fields" not in what or rest:
                await canary(there)
            head, body = await asked
            while head.startswith(b"HTTP/1.1 103 "):
                head, body = await one.answer()
        seconds, used = monotonic() - began, there.cpu() - cpu
        status = int(head[9:12])
        with capsys.disabled():
            print(
                f"\n{what}: {status} after {seconds:.2f} s, {used:.2f} s of processor time, "
                f"{there.memory() - memory} KiB more"
            )
        assert status in statuses
        if status == 200:
            assert len(body) == CHUNKS
        assert used < 4


@pytest.mark.parametrize("seconds", [2.0, pytest.param(60.0, marks=pytest.mark.soak)])
async def test_random_bytes_from_both_sides_harm_nobody_else(
    tmp_path: Path, seconds: float, capsys: pytest.CaptureFixture[str]
) -> None:
    good = (
        b"GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    )

    def junk(chance: random.Random, message: bytes) -> bytes:
        """Random bytes, or a good message in which a few are random."""
        if chance.random() < 0.3:
            return chance.randbytes(chance.randrange(1, 2000))
        made = bytearray(message)
        for _ in range(chance.randrange(1, 4)):
            made[chance.randrange(len(made))] = chance.randrange(256)
        return bytes(made)

    chance = random.Random(7)

    async def babbles(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head, _ = await read_request(this, reader)
            writer.write(HELLO if b"/canary" in head else junk(chance, good[1]))
            if b"/canary" not in head:
                return

    async with upstream(babbles) as member:
        async with world(tmp_path, {}, ports=(member.port,), member="retry = 0", options="timeout = 1") as there:
            end, count, seen = monotonic() + seconds, [0], 0

            async def babble(seed: int) -> None:
                mine = random.Random(seed)
                while monotonic() < end:
                    async with client(there.port) as one:
                        one.send(junk(mine, good[0]))
                        count[0] += 1
                        with suppress(TimeoutError):
                            async with asyncio.timeout(0.05):
                                await one.rest()

            babbling = [asyncio.create_task(babble(seed)) for seed in range(8)]
            while monotonic() < end:
                await canary(there)
                seen += 1
                await asyncio.sleep(0.05)
            await asyncio.gather(*babbling)
            with capsys.disabled():
                print(f"\nrandom bytes for {seconds:.0f} s: {count[0]} messages, {seen} requests between them all well")
