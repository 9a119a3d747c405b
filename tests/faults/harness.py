"""Real processes for faults: members with vices, a proxy before them, and a client that accounts for every request."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import re
import signal
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Literal

from tests.e2e.harness import until
from tests.ports import free_port

PATIENCE = 10.0
ROOT = Path(__file__).parent.parent.parent


@dataclass
class MemberProcess:
    """A member that can be killed and come back, with another vice perhaps, at its old port."""

    name: str
    log: Path
    port: int = field(default_factory=free_port)
    process: asyncio.subprocess.Process | None = None

    async def start(self, vice: str = "good") -> None:
        """``vice`` from the start; "+vice" begins good, until its ``turn`` comes."""
        command = (sys.executable, "-m", "tests.faults.member", str(self.port), self.name, vice, str(self.log))
        self.process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
        await _line(self.process, "ready")

    def turn(self) -> None:
        """From good to the vice that it was started with, or back."""
        assert self.process is not None
        self.process.send_signal(signal.SIGUSR1)

    async def kill(self) -> None:
        """kill -9: nothing is finished, nothing said."""
        if self.process is not None:
            self.process.kill()
            await self.process.wait()
            self.process = None

    def executed(self) -> list[tuple[str, str]]:
        """(id, sha256 of the body) of every request that it executed, health checks left out."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [(number, digest) for number, digest in (line.split() for line in lines) if number != "health"]


async def _line(process: asyncio.subprocess.Process, start: str) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(4 * PATIENCE):  # an interpreter starts slowly on a busy machine
        line = (await process.stdout.readline()).decode()
    assert start in line, line
    return line


@dataclass
class World:
    """``site`` is the proxy's file, ``errors`` what it said on standard error."""

    members: dict[str, MemberProcess]
    port: int
    metrics: int
    process: asyncio.subprocess.Process
    site: Path
    errors: Path

    def memory(self) -> int:
        """KiB of the proxy that are in memory."""
        return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.process.pid}/status").read_text())[1])  # type: ignore[index]

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def cpu(self) -> float:
        """Seconds of processor time that the proxy has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    async def edit(self, old: str, new: str) -> None:
        """Change the site file, and wait until the change is in force."""
        text = self.site.read_text()
        assert old in text
        generation = (await self.numbers())["rproxy_generation"]
        self.site.write_text(text.replace(old, new))
        self.process.send_signal(signal.SIGHUP)
        async with asyncio.timeout(PATIENCE):
            while (await self.numbers())["rproxy_generation"] == generation:
                await asyncio.sleep(0.02)

    async def open_connections(self) -> int:
        return int(sum(n for name, n in (await self.numbers()).items() if name.startswith("rproxy_connections{")))

    async def numbers(self) -> dict[str, float]:
        """Every sample of the metrics page by its line up to the value."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.metrics)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        async with asyncio.timeout(PATIENCE):
            text = (await reader.read()).decode()
        writer.close()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in re.findall(r"(?m)^rproxy.*$", text)}

    async def at_rest(self) -> None:
        """Nothing is in flight any more, anywhere."""
        end = monotonic() + PATIENCE
        while monotonic() < end:
            gauges = {
                name: value
                for name, value in (await self.numbers()).items()
                if name.split("{")[0].endswith("_in_flight")
            }
            assert all(value >= 0 for value in gauges.values()), gauges
            if not any(gauges.values()):
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"still in flight: {gauges}")


@asynccontextmanager
async def world(
    folder: Path,
    vices: dict[str, str],
    *,
    ports: tuple[int, ...] = (),
    health: str = "",
    options: str = "",
    balancer: str = "",
    member: str = "",
    tables: str = "",
    before: tuple[str, ...] = (),
    program: tuple[str, ...] = ("-m", "proxy_core.control.cli"),
) -> AsyncIterator[World]:
    """A proxy before members with these vices ("" = not started), and before those of this process at ``ports``. Lines
    of the site file: ``options`` of [site], ``balancer``, ``health``, ``member`` of each member, other ``tables``.
    ``before`` is the command that starts the interpreter, ``program`` what it runs."""
    members = {name: MemberProcess(name, folder / f"{name}.log") for name in vices}
    site, metrics, errors = folder / "site.toml", free_port(), folder / "stderr"
    where = {name: each.port for name, each in members.items()} | {f"p{n}": port for n, port in enumerate(ports)}
    rows = "".join(
        f'[balancers.b.members.{name}]\nurl = "http://127.0.0.1:{port}"\n{member}\n' for name, port in where.items()
    )
    site.write_text(
        f'version = 1\n[site]\n{options}\n[listeners.http]\naddress = "127.0.0.1:0"\n'
        f'[metrics]\naddress = "127.0.0.1:{metrics}"\n{tables}\n[[routes]]\npath = "/"\nproxy = "balancer://b/"\n'
        f"[balancers.b]\n{balancer}\n{f'[balancers.b.health]{chr(10)}{health}{chr(10)}' if health else ''}{rows}"
    )
    proxy = None
    try:
        await asyncio.gather(*(m.start(vices[name]) for name, m in members.items() if vices[name]))
        with errors.open("w") as said:
            proxy = await asyncio.create_subprocess_exec(
                *before, sys.executable, *program, str(site), cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=said
            )
        ready = re.search(r"http://127\.0\.0\.1:(\d+)", await _line(proxy, "ready"))
        assert ready is not None
        there = World(members, int(ready[1]), metrics, proxy, site, errors)
        yield there
        if proxy.returncode is None:
            await there.at_rest()
        assert "Traceback" not in errors.read_text(), errors.read_text()
    finally:
        if proxy is not None and proxy.returncode is None:
            proxy.kill()
            await proxy.wait()
        for each in members.values():
            await each.kill()


@dataclass
class Outcome:
    """What became of one request. ``whole``: its answer came to its end and says what it should."""

    number: str
    method: Literal["GET", "POST"]
    digest: str
    began: float
    seconds: float = 0.0
    status: int = 0
    begun: bool = False
    whole: bool = False
    member: str = ""

    @property
    def good(self) -> bool:
        return self.status == 200 and self.whole


@dataclass
class Load:
    """Requests at a steady rate over ``lanes`` keep-alive connections, until ``stop``; ``outcomes`` in the order of
    their ends."""

    port: int
    rate: float = 200.0
    lanes: int = 20
    posts: float = 0.0
    outcomes: list[Outcome] = field(default_factory=list)
    _stopped: bool = False

    async def run(self) -> None:
        await asyncio.gather(*(self._lane(lane) for lane in range(self.lanes)))

    def stop(self) -> None:
        self._stopped = True

    async def _lane(self, lane: int) -> None:
        chance, count = random.Random(lane), 0
        reader = writer = None
        due = monotonic() + lane / self.rate
        while not self._stopped:
            await asyncio.sleep(max(0.0, due - monotonic()))
            due = max(due + self.lanes / self.rate, monotonic() - 0.5)
            count += 1
            method: Literal["GET", "POST"] = "POST" if chance.random() < self.posts else "GET"
            body = chance.randbytes(chance.randrange(1, 4000)) if method == "POST" else b""
            outcome = Outcome(f"{lane}-{count}", method, hashlib.sha256(body).hexdigest(), monotonic())
            try:
                if reader is None or writer is None:
                    reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                keep = await self._ask(reader, writer, outcome, body)
            except (OSError, asyncio.IncompleteReadError, TimeoutError):
                keep = False
            outcome.seconds = monotonic() - outcome.began
            self.outcomes.append(outcome)
            if not keep and writer is not None:
                writer.close()
                reader = writer = None
        if writer is not None:
            writer.close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, to: Outcome, body: bytes) -> bool:
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        writer.write(f"{to.method} /{to.number} HTTP/1.1\r\nHost: test\r\n{length}\r\n".encode() + body)
        async with asyncio.timeout(PATIENCE):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            to.status, to.begun = int(head.split()[1]), True
            if found := re.search(r"(?i)x-member: (\S+)", head):
                to.member = found[1]
            size = re.search(r"(?i)content-length: *(\d+)", head)
            said = await reader.readexactly(int(size[1]) if size else 0)
        to.whole = to.status != 200 or said.decode() == f"{to.member} {to.number}"
        assert to.whole, f"the answer to {to.number} is somebody else's: {said!r}"
        return "connection: close" not in head.lower()


@asynccontextmanager
async def load(there: World, **options: float) -> AsyncIterator[Load]:
    """Load on the proxy for as long as the block lasts, and until its last request is answered."""
    made = Load(there.port, **options)  # type: ignore[arg-type]
    task = asyncio.create_task(made.run())
    try:
        yield made
        made.stop()
        await task
    finally:
        if not task.done():
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def steady(made: Load, requests: int) -> None:
    """Wait for so many more outcomes."""
    wanted = len(made.outcomes) + requests
    await until(lambda: len(made.outcomes) >= wanted, 60)


def accounts(made: Load, members: Iterable[MemberProcess]) -> None:
    """What the client was told and what members did agree: no POST was executed twice or with another body, none that
    was answered 200 is missing, and every one that was executed without a 200 was reported as failed."""
    executed: dict[str, list[str]] = {}
    for member in members:
        for number, digest in member.executed():
            executed.setdefault(number, []).append(digest)
    for outcome in made.outcomes:
        did = executed.get(outcome.number, [])
        if outcome.method == "POST":
            assert len(did) <= 1, f"POST {outcome.number} was executed {len(did)} times"
            if outcome.good:
                assert did, f"POST {outcome.number} was answered and never executed"
            else:
                assert outcome.status >= 500 or outcome.status == 0 or not outcome.whole, outcome
        assert set(did) <= {outcome.digest}, f"{outcome.number} came with another body"
