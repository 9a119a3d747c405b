"""A day in short: all that befalls a proxy without a console, and what its standard error tells of it.

Each act does something and says what has to be told; the whole journal is printed, to be read as an operator would
(``-m soak`` takes a quarter of an hour over it).
"""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from tests.e2e.harness import HELLO, Talk, Upstream, until, upstream
from tests.faults.harness import World, world
from tests.ports import free_port

AUTHORITY = trustme.CA()
GET = b"GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
BAD = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"
TABLES = """\
[listeners.secure]
address = "127.0.0.1:0"
[[listeners.secure.tls.certificates]]
cert = "cert.pem"
[limits]
request_line = 200
[access_log]
file = "access.log"
[maps.names]
type = "txt"
file = "names.txt"
[[rewrites]]
pattern = "^/by/(.*)"
substitution = "/${names:$1|nobody}"
flags = ["PT"]
"""
BALANCER = """\
[balancers.b.ejection]
consecutive = 5
seconds = 2
"""
HEALTH = """\
[balancers.checked.health]
method = "get"
uri = "/health"
interval = 0.5
timeout = 0.4
[balancers.checked.members.it]
"""


@dataclass
class Stage:
    """The proxy, its folder, and the two members, which are good, bad or away."""

    there: World
    folder: Path
    members: dict[str, int]
    base: str
    mood: dict[str, str]
    servers: dict[str, AsyncExitStack]
    untold: list[str]

    def lines(self) -> list[str]:
        return self.there.errors.read_text().splitlines()

    async def told(self, *words: str) -> None:
        """Wait until each of these patterns was told."""
        for each in words:
            pattern = re.compile(each)
            with suppress(AssertionError):
                await until(lambda pattern=pattern: any(map(pattern.search, self.lines())), 15)  # type: ignore[misc]
            if not any(map(pattern.search, self.lines())):
                self.untold.append(each)

    async def ask(self, path: str = "/", times: int = 1) -> None:
        for _ in range(times):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.there.port)
            writer.write(GET % path.encode())
            with suppress(OSError):
                await reader.read()
            writer.close()

    def write(self, text: str) -> None:
        (self.folder / "new").write_text(text)
        (self.folder / "new").replace(self.there.site)

    async def take(self, text: str, *words: str) -> None:
        """Write the site file and have it read."""
        read = self._read()
        self.write(text)
        self.there.process.send_signal(signal.SIGHUP)
        await until(lambda: self._read() > read, 15)
        await self.told(*words)

    def _read(self) -> int:
        """How often the site file was read, as far as that is told."""
        return sum(1 for line in self.lines() if re.search("is in force|reloaded: |is not taken", line))

    def certify(self, *names: str) -> None:
        AUTHORITY.issue_cert(*names).private_key_and_cert_chain_pem.write_to_path(self.folder / "cert.pem")

    async def comes(self, name: str) -> None:
        """The member accepts."""
        self.servers[name] = stack = AsyncExitStack()
        self.members[name] = (await stack.enter_async_context(upstream(self._talk(name), port=self.members[name]))).port

    async def goes(self, name: str) -> None:
        """The member is no more there."""
        await self.servers[name].aclose()

    def _talk(self, name: str) -> Talk:
        async def talk(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write({"good": HELLO, "bad": BAD}[self.mood[name]])

        return talk


async def starts(on: Stage) -> None:
    await on.told(
        "info +generation 1 is in force", "listener http accepts on http:", "listener secure accepts on https:"
    )


async def is_edited(on: Stage) -> None:
    text = on.base.replace("consecutive = 5", "consecutive = 6")
    await on.take(text, r"generation 2 is in force: .* \(signal\)")
    await on.take(on.base, "generation 3 is in force")


async def file_breaks(on: Stage) -> None:
    await on.take(
        "nonsense =\n[maps\n" + on.base, "error +the site file on disk is not taken", r"error +.*site\.toml:1:11"
    )
    await on.take(
        on.base.replace('proxy = "balancer://b/"', 'proxy = "balancer://c/"'),
        r'site\.toml:\d+:\d+: there is no balancer "c"',
    )
    on.there.site.unlink()
    await on.told(r"error .*site\.toml.*No such file")
    await on.take(on.base, "on disk is again the one in force")


async def member_dies(on: Stage) -> None:
    await on.goes("p0")
    await on.ask(times=4)
    await on.told("warning +member b/p0 is down: .* refused")
    await on.comes("p0")
    await asyncio.sleep(1)
    await on.ask(times=4)
    await on.told("info +member b/p0 is up again")


async def member_flaps(on: Stage) -> None:
    for _ in range(50):
        await on.goes("p1")
        await on.ask(times=2)
        await on.comes("p1")
        await on.ask(times=2)

    await asyncio.sleep(1.1)
    await on.ask(times=4)
    await on.told("member b/p1 is up again")


async def member_answers_500(on: Stage) -> None:
    on.mood["p0"] = "bad"
    await on.ask(times=20)
    await on.told("warning +member b/p0 is ejected for 2 s")
    on.mood["p0"] = "good"
    await asyncio.sleep(2)
    await on.ask(times=4)
    await on.told(r"member b/p0 is (up again|not held)")


async def checks_fail(on: Stage) -> None:
    await on.told("info +member checked/it was checked first")
    on.mood["p2"] = "bad"
    await on.told("warning +member checked/it is down, its checks fail: .*500")
    on.mood["p2"] = "good"
    await on.told("info +member checked/it is up again")


async def member_drains(on: Stage) -> None:
    row = "[balancers.b.members.p1]\n"
    await on.take(
        on.base.replace(row, f'{row}status = "draining"\n'), "info +member b/p1 is drained: it is safe to stop"
    )
    await on.take(on.base)


async def limit_is_hit(on: Stage) -> None:
    await on.ask("/" + "x" * 300, times=300)
    await on.told(r"warning +limit request_line turned away \d+")


async def map_changes(on: Stage) -> None:
    """Maps are looked at when somebody asks."""
    await on.ask("/by/one")
    for text, told in (
        ("one 1\ntwo 2\n", "info +map names has changed .*: 2 entries"),
        ("", "warning +map names: .*no such file"),
        ("one 1\n", "info +no longer: map names: "),
    ):
        if text:
            (on.folder / "names.txt").write_text(text)
        else:
            (on.folder / "names.txt").unlink()
        await on.ask("/by/one")
        await on.told(told)


async def certificate_changes(on: Stage) -> None:
    on.certify("b.example")
    await on.told("info +listener secure took its changed certificates")
    (on.folder / "cert.pem").write_text("nonsense\n")
    await on.told("error +listener secure: cert.pem and its key")
    on.certify("c.example")
    await on.told("info +no longer: .*cert.pem")


async def log_cannot_be_written(on: Stage) -> None:
    await on.take(on.base.replace('"access.log"', '"/dev/full"'))
    await on.ask()
    await on.told("error +.*/dev/full: No space left on device")
    await on.take(on.base)
    await on.ask()
    await on.told("no longer: .*/dev/full")


async def listeners_come_and_go(on: Stage) -> None:
    row = f'[listeners.extra]\naddress = "127.0.0.1:{free_port()}"\n'
    await on.take(on.base + row, "info +listener extra accepts on")
    await on.take(on.base, "info +listener extra .* is closed")
    await on.take(on.base + f'[listeners.taken]\naddress = "127.0.0.1:{on.there.port}"\n', "error .*cannot listen on")
    await on.take(on.base)


async def name_is_unknown(on: Stage) -> None:
    row = '[balancers.b.members.far]\nurl = "http://nowhere.invalid:80"\n'
    await on.take(on.base + row)
    await on.ask(times=4)
    await on.told("warning +member b/far is down: nowhere.invalid has no address")
    await on.take(on.base)


async def stops(on: Stage) -> None:
    on.there.process.send_signal(signal.SIGTERM)
    await on.there.process.wait()
    await on.told("info +stopping: nothing is in flight", "info +stopped, 0 cut")


Act = Callable[[Stage], Awaitable[None]]
BESIDE: Sequence[Sequence[Act]] = (
    (is_edited, file_breaks, log_cannot_be_written, listeners_come_and_go),
    (member_dies, member_flaps, member_answers_500),
    (checks_fail,),
    (limit_is_hit, map_changes),
)
"""What befalls it at once, each row in its order."""
AFTER: Sequence[Act] = (member_drains, certificate_changes, name_is_unknown, stops)


@pytest.mark.parametrize(
    "pause", [0.0, pytest.param(120.0, marks=pytest.mark.soak)], ids=["short", "a quarter of an hour"]
)
async def test_all_that_befalls_a_proxy_is_told_in_few_words(
    tmp_path: Path, pause: float, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "names.txt").write_text("one 1\n")
    async with AsyncExitStack() as stack:
        on = Stage(None, tmp_path, dict.fromkeys(("p0", "p1", "p2"), 0), "", {}, {}, [])  # type: ignore[arg-type]
        for name in on.members:
            on.mood[name] = "good"
            await on.comes(name)
            stack.push_async_callback(on.goes, name)
        on.certify("a.example")
        checked = f'{HEALTH}url = "http://127.0.0.1:{on.members["p2"]}"\n[[routes]]\npath = "/checked/"\nproxy = "balancer://checked/"\n'
        ports = (on.members["p0"], on.members["p1"])
        on.there = await stack.enter_async_context(
            world(tmp_path, {}, ports=ports, tables=TABLES + checked, balancer="", member="retry = 1")
        )
        on.base = on.there.site.read_text() + BALANCER

        async def play(acts: Sequence[Act]) -> None:
            for act in acts:
                await act(on)
                await asyncio.sleep(pause)

        await starts(on)
        await asyncio.gather(*map(play, BESIDE))
        await play(AFTER)
        with capsys.disabled():
            print("\n" + "\n".join(on.lines()))
        assert not on.untold
        assert len(on.lines()) < 120
