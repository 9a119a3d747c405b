"""Edits by file, one after the other, while everything is asked of the proxy: GETs, uploads, WebSockets, event streams.

Each edit changes several things at once: weights, method, roles of members, routes, listeners, fields, maps, pages.
None may fail a request, cut what lasts, lose a hit of a route, or leave memory or descriptors behind.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import signal
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import pytest

from tests.e2e.harness import PATIENCE, Client, Upstream, client, until, upstream
from tests.e2e.test_tunnels import ASK, SWITCH
from tests.faults.harness import World, load, world

MEMBERS = 3
UPLOAD = bytes(range(256)) * 800
HERE = "# what an edit adds\n"
CHAT = '[[routes]]\npath = "/chat"\nproxy = "balancer://b/chat"\nupgrade = ["websocket"]\n'
METHODS = ("byrequests", "bytraffic", "bybusyness", "latency", "hash")

ADDED = {
    2: '[[headers]]\non = "always"\naction = "set"\nname = "X-Edit"\nvalue = "{number}"\n',
    3: '[[routes]]\npath = "/more/{number}"\nproxy = "balancer://b/more"\n[[locations]]\npath = "/more"\ntimeout = 9\n',
    4: '[listeners.extra]\naddress = "127.0.0.1:0"\n',
    5: '[maps.names]\ntype = "txt"\nfile = "names.txt"\n'
    '[[rewrites]]\npattern = "^/old/(.*)"\nsubstitution = "/${{names:$1|x}}"\nflags = ["PT"]\n',
    7: '[[errors]]\nstatus = ["404"]\ntext = "edit {number}"\n',
    9: '[balancers.more{number}.members.one]\nurl = "http://127.0.0.1:1"\n',
    11: "[limits]\nin_flight = 5000\n",
}
"""What every so manieth edit adds to the file; it goes with the next."""


def edited(base: str, number: int) -> str:
    """The site file as the edit of that number leaves it."""
    added = "".join(table.format(number=number) for every, table in ADDED.items() if number % every == 0)
    text = base.replace(HERE, f"{HERE}# edit {number}\n{added}")
    text = text.replace("[balancers.b]\n", f'[balancers.b]\nmethod = "{METHODS[number % len(METHODS)]}"\n')
    status = ("enabled", "draining", "disabled", "stopped")[number % 4]
    text = text.replace("[balancers.b.members.p1]\n", f'[balancers.b.members.p1]\nstatus = "{status}"\n')
    text = text.replace("[balancers.b.members.p2]\n", f"[balancers.b.members.p2]\nweight = {1 + number % 5}\n")
    return text if number % 6 else text.replace("[balancers.b.members.p1]\n", "[balancers.b.members.other]\n")


async def anything(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A member that answers GETs, tells what it got of uploads, echoes, and sends numbered events for ever."""
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split()[1]
        if found := re.search(rb"(?i)\r\ncontent-length: (\d+)", head):
            said = hashlib.sha256(await reader.readexactly(int(found[1]))).hexdigest().encode()
        else:
            said = b"p " + path[1:]
        if path == b"/events":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
            number = 0
            while not reader.at_eof():
                writer.write(b"data: %d\n\n" % number)
                number += 1
                await asyncio.sleep(0.1)
            return
        if path == b"/chat":
            writer.write(SWITCH)
            while data := await reader.read(65536):
                writer.write(data)
            return
        writer.write(b"HTTP/1.1 200 OK\r\nX-Member: p\r\nContent-Length: %d\r\n\r\n%b" % (len(said), said))


@dataclass
class Lasting:
    """Things that last, each told by its name how often it went well; ``failed`` says what did not."""

    port: int
    well: dict[str, int] = field(default_factory=lambda: {"uploads": 0, "WebSocket messages": 0, "events": 0})
    failed: list[str] = field(default_factory=list)
    over: bool = False

    async def run(self) -> None:
        lanes = (self._uploads, self._messages, self._events)
        await asyncio.gather(*(self._lane(lane) for lane in lanes for _ in range(4)))

    async def _lane(self, lane: object) -> None:
        try:
            async with client(self.port) as one:
                await lane(one)  # type: ignore[operator]
        except (OSError, asyncio.IncompleteReadError, TimeoutError, AssertionError) as error:
            self.failed.append(f"{lane.__name__}: {error!r}")  # type: ignore[attr-defined]

    async def _uploads(self, one: Client) -> None:
        digest = hashlib.sha256(UPLOAD).hexdigest().encode()
        while not self.over:
            one.send(b"POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(UPLOAD))
            for start in range(0, len(UPLOAD), 40_000):
                one.send(UPLOAD[start : start + 40_000])
                await asyncio.sleep(0.05)
            head, body = await one.answer()
            assert body == digest, head
            self.well["uploads"] += 1

    async def _messages(self, one: Client) -> None:
        one.send(ASK)
        assert b" 101 " in await one.answer_head()
        number = 0
        while not self.over:
            number += 1
            one.send(b"message %d." % number)
            async with asyncio.timeout(PATIENCE):
                assert await one.reader.readuntil(b".") == b"message %d." % number
            self.well["WebSocket messages"] += 1
            await asyncio.sleep(0.1)

    async def _events(self, one: Client) -> None:
        one.send(b"GET /events HTTP/1.0\r\nHost: a\r\n\r\n")
        assert b" 200 " in await one.answer_head()
        number = 0
        while not self.over:
            async with asyncio.timeout(PATIENCE):
                assert await one.reader.readuntil(b"\n\n") == b"data: %d\n\n" % number
            number += 1
            self.well["events"] += 1


async def taken(there: World, text: str, hang_up: bool) -> None:
    """Write the site file, and wait until it is in force: at once by SIGHUP, or found on disk."""
    generation = (await there.numbers())["rproxy_generation"]
    there.site.write_text(text)
    if hang_up:
        there.process.send_signal(signal.SIGHUP)
    async with asyncio.timeout(4 * PATIENCE):
        while (await there.numbers())["rproxy_generation"] == generation:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("edits", "seconds"), [(16, 3.0), pytest.param(1000, 600.0, marks=pytest.mark.soak)], ids=["short", "ten minutes"]
)
async def test_edits_by_file_fail_nothing_and_leave_nothing_behind(
    tmp_path: Path, edits: int, seconds: float, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "names.txt").write_text("a b\n")
    async with AsyncExitStack() as stack:
        ports = [(await stack.enter_async_context(upstream(anything))).port for _ in range(MEMBERS)]
        there = await stack.enter_async_context(
            world(tmp_path, {}, ports=tuple(ports), tables=HERE + CHAT, options="timeout = 30", member="ttl = 1")
        )
        base, before, began = there.site.read_text(), there.descriptors(), monotonic()
        samples: list[tuple[int, int, int]] = []
        lasting = Lasting(there.port)
        lasts = asyncio.create_task(lasting.run())
        async with load(there, rate=80, lanes=12) as made:
            for number in range(1, edits + 1):
                await taken(there, edited(base, number), hang_up=bool(number % 10))
                if number % max(1, edits // 20) == 0:
                    samples.append((number, there.memory(), there.descriptors()))
                await asyncio.sleep(max(0.0, began + seconds * number / edits - monotonic()))
            took = monotonic() - began
            (tmp_path / "site.toml").write_text(base)
        lasting.over = True
        await lasts
        there.process.send_signal(signal.SIGHUP)
        await until(lambda: there.descriptors() <= before + 2, 30)
        after = there.descriptors()
        await there.at_rest()
        numbers = await there.numbers()
        hits = sum(n for name, n in numbers.items() if name.startswith('rproxy_route_hits_total{list="routes"'))
        asked = len(made.outcomes) + lasting.well["uploads"] + 8  # tunnels and streams
        said = there.errors.read_text().splitlines()
        bad = [each for each in made.outcomes if not each.good]
        with capsys.disabled():
            print(
                f"\n{edits} edits in {took:.0f} s: {len(made.outcomes)} GETs, "
                f"{', '.join(f'{count} {name}' for name, count in lasting.well.items())}; failed: "
                f"{len(bad) + len(lasting.failed)}; {hits:.0f} hits of {asked} requests; (edit, MiB, descriptors): "
                f"{', '.join(f'({n}, {kib / 1024:.1f}, {fds})' for n, kib, fds in samples[::3])}, {after} descriptors "
                f"at the end, {before} before; {len(said)} lines told"
            )
        assert not bad, bad[:3]
        assert not lasting.failed
        assert hits == asked
        assert sum("is in force" in line for line in said) >= edits
        assert not [line for line in said if " error " in line or "not told" in line]
        half = [kib for _, kib, _ in samples[len(samples) // 2 :]]
        assert max(half) - half[0] < 4096 or edits < 500, samples
