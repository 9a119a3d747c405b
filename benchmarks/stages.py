"""Where the time of a request goes, in process: the real engine between two transports that only remember.

Run by ``profile`` in the tree that it is asked of, so it knows nothing but that tree's modules: ``stages.py SITE HEAD``
prints JSON. Functions at the seams between stages are wrapped; what runs is charged to the innermost stage that is
open. What the wrapping itself costs is measured first and taken off again, and the stages are scaled to what a request
takes with nothing wrapped. Names that a tree does not have are told
and left out, and their time goes to the stage around them.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import importlib
import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any, ClassVar, NamedTuple

STAGES = {
    "connection": ("serve.client_connection:ClientConnection.data_received",),
    "head read": ("serve.request_head:RequestReader.read",),
    "head judged": ("serve.strict_parser:StrictParser.judge",),
    "gate": ("serve.client_limits:Admission.admit", "serve.client_limits:Admission.enter"),
    "flight": ("serve.flight:Flight.received",),
    "way": ("serve.way:way",),
    "decided": (
        "rules.program:Program.host_of",
        "rules.host_rules:HostRules.decide",
        "rules.routing.route_table:RouteTable.decide",
    ),
    "settings": ("rules.program:Program.settings", "serve.request_head:RequestReader.changed"),
    "elected": ("serve.forwarding:Forwarding.decided", "balance.choosing:choose"),
    "pool": ("runtime.upstreams.connector:Upstreams.take", "runtime.upstreams.connector:Upstreams.give_back"),
    "outgoing": ("serve.way:outgoing",),
    "sent": (
        "serve.forwarding:Forwarding.elected",
        "serve.upstream_request:UpstreamRequest.sent",
        "runtime.upstreams.connection:Upstream.ask",
    ),
    "answer read": (
        "runtime.upstreams.connection:Upstream.data_received",
        "runtime.upstreams.response_head:read_head",
    ),
    "answer made": ("serve.member_answer:head",),
    "answered": (
        "serve.upstream_request:UpstreamRequest.answered",
        "serve.upstream_request:UpstreamRequest.body",
        "serve.upstream_request:UpstreamRequest.ended",
    ),
    "finished": ("serve.open_request:OpenRequest.done", "serve.client_connection:ClientConnection.next"),
    "recorded": ("runtime.recent_requests:Recorder.finish",),
}
"""Each stage and the functions that it begins with, in the order of a request."""

ANSWER = (
    b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Mon, 30 Nov 2026 15:07:41 GMT\r\nContent-Type: text/plain\r\n"
    b"Content-Length: 1024\r\nConnection: keep-alive\r\n\r\n" + b"x" * 1024
)
CONNECTIONS, BATCHES, LOGGED, WARM_UP = 16, 1_000, 20, 2_000
"""The access log is written every ``LOGGED`` batches, as the engine does a few times a second."""


class Wire:
    """A transport that remembers who was written to last."""

    last: ClassVar[Wire]

    def __init__(self, protocol: Any) -> None:
        self.protocol = protocol
        self.written = b""
        protocol.connection_made(self)

    def write(self, data: bytes) -> None:
        self.written = data
        Wire.last = self

    def get_extra_info(self, name: str, default: object = None) -> object:
        return {"peername": ("127.0.0.1", 5_555), "sockname": ("127.0.0.1", 8_080)}.get(name, default)

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def can_write_eof(self) -> bool:
        return True

    def nothing(self, *_: object, **__: object) -> None:
        """What is asked of a transport and has no effect here."""

    set_write_buffer_limits = pause_reading = resume_reading = abort = close = nothing


class Clock:
    """Charges time to the stage that is open. ``spent``: nanoseconds; ``calls`` of a stage, and ``asked``: the calls
    of others that were made from it."""

    def __init__(self) -> None:
        self.clear()
        self.inside, self.around = 0.0, 0.0

    def clear(self) -> None:
        self.spent: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        self.open, self.since = "", time.perf_counter_ns()

    def wrapped(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        now = time.perf_counter_ns

        @functools.wraps(function)
        def timed(*given: Any, **named: Any) -> Any:
            before = self.open
            self.spent[before] += now() - self.since
            self.calls[stage] += 1
            self.asked[before] += 1
            self.open, self.since = stage, now()
            try:
                return function(*given, **named)
            finally:
                self.spent[stage] += now() - self.since
                self.open, self.since = before, now()

        return timed

    def learn(self) -> None:
        """What one wrapping costs, inside its stage and in the one around it."""

        def nothing() -> None:
            pass

        def asking(what: Callable[[], None], times: int = 20_000) -> None:
            for _ in range(times):
                what()

        bare, wrapped = self.wrapped("bare", asking), self.wrapped("around", asking)
        inside, around = [], []
        for _ in range(15):
            self.clear()
            bare(nothing)
            wrapped(self.wrapped("inside", nothing))
            inside.append(self.spent["inside"] / 20_000)
            around.append((self.spent["around"] - self.spent["bare"]) / 20_000)
        self.inside, self.around = min(inside), min(around)
        self.clear()

    def microseconds(self, requests: int) -> dict[str, float]:
        """For each request and stage, without what the wrapping cost."""
        return {
            stage: (self.spent[stage] - self.calls[stage] * self.inside - self.asked[stage] * self.around)
            / requests
            / 1e3
            for stage in STAGES
        }


def wrap(clock: Clock) -> list[str]:
    """Wrap the functions of all stages wherever they are known; the names that are not there, or cannot be wrapped."""
    missing = []
    homes = {name: name.partition(":") for names in STAGES.values() for name in names}
    for stage, names in STAGES.items():
        for name in names:
            place, _, path = homes[name]
            *owners, last = path.split(".")
            try:
                module = importlib.import_module(f"proxy_core.{place}")
                owner = functools.reduce(getattr, owners, module)
                function = getattr(owner, last)
                timed = clock.wrapped(stage, function)
                setattr(owner, last, timed)
            except (ImportError, AttributeError, TypeError):
                missing.append(name)
                continue
            for other in [one for key, one in sys.modules.items() if key.startswith("proxy_core.")]:
                for known in [key for key, value in vars(other).items() if value is function]:
                    setattr(other, known, timed)
    return missing


class Costs(NamedTuple):
    """Microseconds of a request: the mean of the quickest tenth of the batches, which nothing disturbed."""

    request: float
    log: float
    stages: dict[str, float]


async def run(site: Path, head: bytes, clock: Clock) -> Costs:
    from proxy_core.control.engine import Engine
    from proxy_core.runtime.upstreams.connection import Upstream

    engine: Any = Engine(site)
    await engine.start()
    server, log = engine._server, engine._access_log
    plain = next(bound for bound in server.listeners if bound.secure is None)
    clients = [Wire(server._enter(plain, None)) for _ in range(CONNECTIONS)]
    for pool in engine._current.rules.pools.values():
        for member in pool.members:
            upstream = Upstream(member.upstream)
            Wire(upstream)
            server.upstreams.give_back(upstream, time.monotonic())

    def request(client: Wire) -> None:
        client.protocol.data_received(head)
        Wire.last.protocol.data_received(ANSWER)

    for number in range(WARM_UP):
        request(clients[number % CONNECTIONS])
        if number % 500 == 0:
            log.write()
    if not clients[0].written.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"the request was answered {clients[0].written[:200]!r}")
    log.write()
    gc.collect()
    gc.freeze()
    batches, lines = [], []
    for number in range(1, BATCHES + 1):
        clock.clear()
        began = time.perf_counter()
        for client in clients:
            request(client)
        took = time.perf_counter() - began
        batches.append((took / CONNECTIONS * 1e6, clock.microseconds(CONNECTIONS)))
        if number % LOGGED == 0:
            began = time.perf_counter()
            log.write()
            lines.append((time.perf_counter() - began) / (LOGGED * CONNECTIONS) * 1e6)
        await asyncio.sleep(0)
    quick = sorted(batches, key=lambda batch: batch[0])[: BATCHES // 10]
    await engine.stop(0)
    stages = {stage: fmean(spent[stage] for _, spent in quick) for stage in STAGES}
    return Costs(fmean(took for took, _ in quick), min(lines), stages)


def main(site: str, head: str) -> None:
    import uvloop

    clock = Clock()
    clock.learn()
    bare = uvloop.run(run(Path(site), head.encode(), clock))
    missing = wrap(clock)
    stages = uvloop.run(run(Path(site), head.encode(), clock)).stages
    scale = bare.request / sum(stages.values())
    told = {stage: spent * scale for stage, spent in stages.items()} | {"access log": bare.log}
    print(json.dumps({"whole": bare.request + bare.log, "stages": told, "missing": missing}))


if __name__ == "__main__":
    main(*sys.argv[1:])
