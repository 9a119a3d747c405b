"""What it costs to remember where nothing comes again, and that it is bounded: ``python -m benchmarks.remembering``.

The real engine between two transports that only remember, as in ``stages``. Every request has a target of its own, for
a site whose rules no target can take, and for one whose rules look at a field; batches in which decisions are
remembered take turns with those in which they are not. Then requests with targets, fields and clients of their own are
counted against the memory of the process.
"""

from __future__ import annotations

import asyncio
import os
import time
from itertools import count
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final

import uvloop

from benchmarks.machine import memory_kib
from benchmarks.stages import ANSWER, Wire

ROUTES: Final = """version = 1
[listeners.http]
address = "127.0.0.1:0"
[site]
client_header = "X-Forwarded-For"
internal_proxies = ["127.0.0.1"]
[balancers.b.members.one]
url = "http://127.0.0.1:9"
""" + "".join(
    f'[[routes]]\npath = "{path}"\nproxy = "balancer://b{path}"\n' for path in (*(f"/r{n}" for n in range(19)), "/app")
)
_CONDITION: Final = "flags = ['F']\nconditions = [{{ test = '%{{HTTP_USER_AGENT}}', pattern = 'bot{n}' }}]\n"
SITES: Final = {
    "rules that match nothing": ROUTES
    + "".join(
        f"[[rewrites]]\npattern = '^/app/old{n}/(.*)$'\nsubstitution = '/gone'\nflags = ['R=302']\n" for n in range(10)
    ),
    "rules with a condition on a field": ROUTES
    + "".join("[[rewrites]]\npattern = '^/app/'\n" + _CONDITION.format(n=n) for n in range(10)),
}
PAIRS, BATCH = 150, 250
WARM_UP = 5_000
"""More than there is room for, so that memories are full."""


async def _begun(site: str, folder: Path) -> Any:
    """An engine with one idle connection to its member."""
    from proxy_core.control.engine import Engine
    from proxy_core.runtime.process_limits import settle
    from proxy_core.runtime.upstreams.connection import Upstream

    file = folder / "site.toml"
    file.write_text(site)
    engine: Any = Engine(file)
    await engine.start()
    settle()
    (member,) = (member for pool in engine._current.rules.pools.values() for member in pool.members)
    upstream = Upstream(member.upstream)
    Wire(upstream)
    engine._server.upstreams.give_back(upstream, time.monotonic())
    return engine


def _client(engine: Any) -> Wire:
    server = engine._server
    return Wire(server._enter(server.listeners[0], None))


def _ask(client: Wire, number: int, fields: bytes = b"") -> None:
    head = b"GET /app/%d HTTP/1.1\r\nHost: a\r\nUser-Agent: load\r\nAccept: */*\r\n%b\r\n" % (number, fields)
    client.protocol.data_received(head)
    Wire.last.protocol.data_received(ANSWER)


async def ratio(site: str, folder: Path) -> float:
    """What a request with a target of its own costs, by what it costs where nothing is looked for in a memory nor put
    into one: the median of pairs of batches."""
    from proxy_core.rules.host_rules import HostRules
    from proxy_core.rules.routing.straight import straight
    from proxy_core.rules.shortcuts import Shortcuts

    def decide(self: HostRules, view: Any, facts: Any, trace: Any = None) -> Any:
        if trace is not None or view.env:
            return self.decided(view, facts, trace)
        return self.shortcuts.decide(view, facts, self.decided)

    def shortest(self: Shortcuts, view: Any, facts: Any, whole: Any) -> Any:
        if self.begun is not None:
            found = straight(view.target, self.begun, self.tables, self.reading)
            if found:
                return found
        return whole(view, facts)

    ways: dict[str, tuple[Any, Any]] = {"memory": (HostRules.decide, Shortcuts.decide), "none": (decide, shortest)}
    engine, numbers, ratios = await _begun(site, folder), count(), []
    client = _client(engine)
    for _ in range(WARM_UP):
        _ask(client, next(numbers))
    assert client.written.startswith(b"HTTP/1.1 200"), client.written[:200]
    try:
        for pair in range(PAIRS):
            spent = {}
            for name in [*ways][:: 1 if pair % 2 else -1]:
                HostRules.decide, Shortcuts.decide = ways[name]  # type: ignore[method-assign]
                began = time.thread_time()
                for _ in range(BATCH):
                    _ask(client, next(numbers))
                spent[name] = time.thread_time() - began
            ratios.append(spent["memory"] / spent["none"])
            await asyncio.sleep(0)
    finally:
        HostRules.decide, Shortcuts.decide = ways["memory"]  # type: ignore[method-assign]
        await engine.stop(0)
    return median(ratios)


async def memory(site: str, folder: Path, requests: int = 200_000) -> list[int]:
    """KiB of the process after each tenth of the requests; each has a target, fields and a client of its own, and each
    twentieth a connection."""
    engine = await _begun(site, folder)
    client, found = _client(engine), []
    for number in range(1, requests + 1):
        if not number % 20:
            client.protocol.connection_lost(None)
            client = _client(engine)
        forwarded = b"10.%d.%d.%d" % (number >> 16 & 255, number >> 8 & 255, number & 255)
        _ask(client, number, b"X-Own: %d\r\nCookie: s=%d\r\nX-Forwarded-For: %b\r\n" % (number, number, forwarded))
        if not number % 200:
            await asyncio.sleep(0)
        if not number % (requests // 10):
            found.append(memory_kib(os.getpid()))
    assert client.written.startswith(b"HTTP/1.1 200"), client.written[:200]
    await engine.stop(0)
    return found


def main() -> None:
    for name, site in SITES.items():
        with TemporaryDirectory() as folder:
            print(f"{name}: {uvloop.run(ratio(site, Path(folder))):.3f} of no memory", flush=True)
        with TemporaryDirectory() as folder:
            began, found = time.process_time(), uvloop.run(memory(site, Path(folder)))
            mib = ", ".join(f"{kib / 1024:.1f}" for kib in found)
            print(
                f"{name}: MiB at each tenth of 200,000: {mib}; {time.process_time() - began:.0f} s of CPU", flush=True
            )


if __name__ == "__main__":
    main()
