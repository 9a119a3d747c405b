"""More clients than there is room for, or clients that take their time: those who behave are served all the same."""

from __future__ import annotations

import asyncio
import json
import resource
import socket
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from time import monotonic

import pytest

from tests.e2e.harness import HELLO, Client, Upstream, answers, client, get, until, upstream
from tests.faults.harness import World, load, steady, world

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture(autouse=True)
def many_descriptors() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def crowd(stack: AsyncExitStack, port: int, count: int) -> list[Client]:
    """So many connections, opened a hundred at a time, closed with the stack."""
    made: list[Client] = []
    while len(made) < count:
        batch = [stack.enter_async_context(client(port)) for _ in range(min(100, count - len(made)))]
        made += [await each for each in batch]
    return made


async def answered_at_once(there: World) -> float:
    """Seconds that a request of somebody who behaves takes."""
    began = monotonic()
    head, body = await get(there.port)
    assert head.startswith(b"HTTP/1.1 200 "), head
    assert body
    return monotonic() - began


async def test_ten_times_the_load_that_can_be_carried_is_refused_at_once_and_the_rest_is_served(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    limits = "[limits]\nin_flight = 20\nqueue = 20\nqueue_time = 4"
    limits += '\n[access_log]\nfile = "access.log"\nformat = "json"'
    async with world(tmp_path, {"a": "slow"}, tables=limits) as there:  # 20 at a time, 0.3 s each: 67 a second
        async with load(there, rate=670, lanes=400) as made:
            await steady(made, 600)
            memory, since = there.memory(), len(made.outcomes)
            await steady(made, 1500)
            grown = there.memory() - memory
            log = tmp_path / "access.log"
            await until(lambda: log.read_text().count("\n") >= len(made.outcomes))
        served = [each.seconds for each in made.outcomes[since:] if each.good]
        refused = sorted(each.seconds for each in made.outcomes[since:] if each.status == 503)
        assert len(served) + len(refused) == len(made.outcomes) - since, Counter(e.status for e in made.outcomes)
        p99 = refused[int(len(refused) * 0.99)]
        with capsys.disabled():
            print(
                f"\noverload x 10: {len(served)} served (slowest {max(served):.2f} s), {len(refused)} refused, half "
                f"within {refused[len(refused) // 2] * 1000:.1f} ms, 99 % within {p99 * 1000:.0f} ms; {grown} KiB more"
            )
        assert len(refused) > 4 * len(served)
        took = sorted(row["total"] for row in map(json.loads, log.read_text().splitlines()) if row["status"] == 503)
        assert took[len(took) * 9 // 10] < 100, "milliseconds by its own clock, but for when it had no processor"
        assert max(served) < 4.0, "the queue is longer than it may be"
        assert grown < 16 * 1024


@pytest.mark.parametrize("count", [1000, pytest.param(9_900, marks=pytest.mark.soak)])
async def test_idle_connections_cost_little_and_nobody_notices_them(
    tmp_path: Path, count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    async with upstream(answers(HELLO)) as member, AsyncExitStack() as stack:
        there = await stack.enter_async_context(
            world(tmp_path, {}, ports=(member.port,), tables="[limits]\nidle_time = 300")
        )
        await answered_at_once(there)
        memory, files = there.memory(), there.descriptors()
        async with AsyncExitStack() as connections:
            idle = await crowd(connections, there.port, count)
            for each in idle[::2]:
                each.send(GET)
                assert (await each.answer())[1] == b"hello"
            per = (there.memory() - memory) / count
            cpu, began = there.cpu(), monotonic()
            seconds = sorted([await answered_at_once(there) for _ in range(100)])
            await asyncio.sleep(1)
            used = (there.cpu() - cpu) / (monotonic() - began)
            assert await there.open_connections() >= count
        async with asyncio.timeout(20):
            while there.descriptors() > files + 4:
                await asyncio.sleep(0.05)
        with capsys.disabled():
            print(
                f"\n{count} idle: {per:.1f} KiB each, half of them after a request; others' p50 "
                f"{seconds[50] * 1000:.1f} ms, p99 {seconds[98] * 1000:.1f} ms; {used:.0%} of a core"
            )
        assert per < 16
        assert seconds[90] < 0.25


async def endless(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers /long with 32 MiB, and everything else in brief."""
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"/long" not in head:
            if b"POST" in head:
                await reader.readexactly(1000)
            number = head.split()[1][1:]
            writer.write(
                b"HTTP/1.1 200 OK\r\nX-Member: p\r\nContent-Length: %d\r\n\r\np %b" % (len(number) + 2, number)
            )
            continue
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (32 << 20))
        for _ in range(512):
            writer.write(bytes(1 << 16))
            await writer.drain()


async def _trickle(one: Client, raw: bytes) -> bytes:
    """One byte of ``raw`` each half second, until the proxy has enough of it."""

    async def feed() -> None:
        for number in range(len(raw)):
            one.send(raw[number : number + 1])
            await asyncio.sleep(0.5)

    feeding = asyncio.create_task(feed())
    try:
        return await one.rest()
    finally:
        feeding.cancel()


@pytest.mark.parametrize(("count", "silence"), [(60, 5), pytest.param(500, 15, marks=pytest.mark.soak)])
async def test_slow_heads_slow_bodies_and_slow_readers_are_cut_at_the_limit_and_the_others_served(
    tmp_path: Path, count: int, silence: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """``silence`` is the members' and the readers'; five hundred readers keep this process, which is the member too,
    busy for seconds."""
    silent = f"timeout = {silence}\nconnect_timeout = 30"
    limits = "[limits]\nhead_time = 2\nhead_rate = 0\nbody_time = 2\nbody_rate = 500"
    async with upstream(endless) as member, AsyncExitStack() as stack:
        there = await stack.enter_async_context(
            world(tmp_path, {}, ports=(member.port,), options=silent, tables=limits)
        )
        async with AsyncExitStack() as connections:
            slow = await crowd(connections, there.port, count * 3)
            heads, bodies, readers = slow[:count], slow[count : 2 * count], slow[2 * count :]
            memory, began = there.memory(), monotonic()
            for each in readers:
                each.reader._transport.pause_reading()  # type: ignore[attr-defined]
                each.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                each.send(b"GET /long HTTP/1.1\r\nHost: a\r\n\r\n")
            for each in bodies:
                each.send(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
            async with load(there, rate=50, lanes=10) as made:
                ends = await asyncio.gather(
                    *(_trickle(each, b"GET / HTTP/1.1\r\nHost: aaaaaaaaaaaaaaaaaaaaaa") for each in heads),
                    *(_trickle(each, b"x" * 40) for each in bodies),
                )
                took, peak = monotonic() - began, there.memory() - memory
                async with asyncio.timeout(30 + 2 * silence):
                    while await there.open_connections() > 15:  # the readers are gone too
                        await asyncio.sleep(0.1)
                gone = monotonic() - began
        said = Counter(end[9:12] for end in ends)
        good = sum(each.good for each in made.outcomes) / len(made.outcomes)
        slowest = sorted(each.seconds for each in made.outcomes)[int(len(made.outcomes) * 0.99)]
        with capsys.disabled():
            print(
                f"\nslow x {count}: heads and bodies {dict(said)} after {took:.1f} s, readers gone after {gone:.1f} s; "
                f"{good:.1%} of {len(made.outcomes)} others served, p99 {slowest * 1000:.0f} ms; {peak} KiB more"
            )
        assert said == {b"408": 2 * count}
        assert good >= 0.99


async def test_with_256_descriptors_a_thousand_clients_are_turned_away_without_a_busy_loop(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with upstream(answers(HELLO)) as member, AsyncExitStack() as stack:
        there = await stack.enter_async_context(
            world(tmp_path, {}, ports=(member.port,), before=("prlimit", "--nofile=256:256"))
        )
        async with AsyncExitStack() as connections:
            everybody = await crowd(connections, there.port, 1000)
            for each in everybody:
                each.send(GET)
            served = 0
            for each in everybody:
                try:
                    async with asyncio.timeout(5):
                        served += (await each.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
                except (asyncio.IncompleteReadError, ConnectionError):
                    pass
            cpu, began = there.cpu(), monotonic()
            assert (await there.numbers())["rproxy_generation"] == 1, "the page of numbers does not answer"
            assert there.descriptors() < 256
            await asyncio.sleep(1)
            used = (there.cpu() - cpu) / (monotonic() - began)
        began = monotonic()
        await until(lambda: there.descriptors() < 128)
        await answered_at_once(there)
        with capsys.disabled():
            print(
                f"\n256 descriptors: {served} of 1000 served, {used:.0%} of a core while they stay; accepting again "
                f"{monotonic() - began:.2f} s after they left"
            )
        assert served == 96
        assert used < 0.3


async def drips(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers /long with a KiB each hundredth of a second, for ever, and everything else at once."""
    if b"/long" not in await reader.readuntil(b"\r\n\r\n"):
        writer.write(HELLO)
        return
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (1 << 30))
    while True:
        writer.write(bytes(1 << 10))
        await writer.drain()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("rounds", [2, pytest.param(10, marks=pytest.mark.soak)])
async def test_clients_that_break_off_their_downloads_leave_no_connection_on_either_side(
    tmp_path: Path, rounds: int, capsys: pytest.CaptureFixture[str]
) -> None:
    async with upstream(drips) as member, world(tmp_path, {}, ports=(member.port,)) as there:
        await answered_at_once(there)
        files, slowest = there.descriptors(), 0.0
        for _ in range(rounds):
            async with AsyncExitStack() as connections:
                everybody = await crowd(connections, there.port, 100)
                for each in everybody:
                    each.send(b"GET /long HTTP/1.1\r\nHost: a\r\n\r\n")
                await until(lambda: member.open == 100)
                for each in everybody:
                    each.writer.transport.abort()
                began = monotonic()
            await until(lambda: member.open == 0)
            slowest = max(slowest, monotonic() - began)
        await until(lambda: there.descriptors() <= files + 4)
        with capsys.disabled():
            print(
                f"\n{rounds * 100} downloads broken off: the member's connections closed within {slowest:.2f} s, "
                f"descriptors {files} before and {there.descriptors()} after"
            )
