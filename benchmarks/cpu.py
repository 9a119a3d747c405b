"""CPU per request of the whole process tree, and memory per idle connection, beside the other proxies.

All contenders run at once, each case goes round all of them before the next round begins, and every round yields
ratios of its own: what disturbs the machine disturbs neighbours alike. Times of different days are not comparable,
ratios are.
"""

from __future__ import annotations

import contextlib
import socket
import time
from pathlib import Path
from statistics import median

from benchmarks.contenders import Contender, Running, started, upstream
from benchmarks.load import CASES, closed
from benchmarks.machine import cpu_seconds, memory_kib

Samples = dict[str, dict[str, list[float]]]
"""Microseconds per request by case and contender, one for each round."""

IDLE_FIRST, IDLE_MORE = 500, 1_000
"""Idle connections that are opened before memory is looked at (buffers and threads that are made once are in it then),
and those that it is measured with."""


def measure(found: list[Contender], rounds: int, seconds: float, folder: Path) -> Samples:
    samples: Samples = {case: {contender.name: [] for contender in found} for case in CASES}
    with contextlib.ExitStack() as stack:
        to = stack.enter_context(upstream(folder / "upstream"))
        running = [stack.enter_context(started(one, folder / one.name, to)) for one in found]
        for one in running:
            for case in CASES:  # so that connections are there, and their handshakes are not counted
                _microseconds(one, case, 1, folder)
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", flush=True)
            for case in CASES:
                for one in running[number % len(running) :] + running[: number % len(running)]:
                    samples[case][one.name].append(_microseconds(one, case, seconds, folder))
    return samples


def idle_memory(found: list[Contender], folder: Path) -> dict[str, float]:
    """KiB that one idle connection costs, each contender started afresh and warmed up."""
    costs = {}
    for contender in found:
        with (
            upstream(folder / f"upstream-{contender.name}") as to,
            started(contender, folder / f"idle-{contender.name}", to) as one,
            contextlib.ExitStack() as held,
        ):
            closed(one.port, "1 KiB GET", 1, folder)
            for number in range(IDLE_FIRST + IDLE_MORE):
                if number == IDLE_FIRST:
                    before = memory_kib(one.pid)
                _ask(held.enter_context(socket.create_connection(("127.0.0.1", one.port), 5)))
            costs[contender.name] = (memory_kib(one.pid) - before) / IDLE_MORE
    return costs


def table(samples: Samples, idle: dict[str, float]) -> str:
    """The medians, with the lowest and highest round, and the ratios of this proxy to the others."""
    names = list(next(iter(samples.values())))
    heads = [*samples, "KiB per idle connection"]
    rows = [
        [name, *(_spread(samples[case][name]) for case in samples), f"{idle[name]:.1f}" if name in idle else ""]
        for name in names
    ]
    rows += [
        [f"rproxy / {name}", *(_spread(ratios(samples[case], name), 2) for case in samples), ""]
        for name in names
        if name != "rproxy"
    ]
    widths = [max(map(len, column)) for column in zip(["", *heads], *rows, strict=True)]
    lines = [
        f"{first:<{widths[0]}}  " + "  ".join(f"{cell:>{width}}" for cell, width in zip(cells, widths[1:], strict=True))
        for first, *cells in [["", *heads], *rows]
    ]
    return "CPU microseconds per request, median (lowest-highest round)\n" + "\n".join(lines)


def ratios(case: dict[str, list[float]], other: str) -> list[float]:
    """This proxy's time by the other's, round by round."""
    return [ours / theirs for ours, theirs in zip(case["rproxy"], case[other], strict=True)]


def _microseconds(one: Running, case: str, seconds: float, folder: Path) -> float:
    before = cpu_seconds(one.pid)
    requests = closed(one.secure if CASES[case].secure else one.port, case, seconds, folder)
    return (cpu_seconds(one.pid) - before) / requests * 1e6


def _ask(connection: socket.socket) -> None:
    """One request, so that the connection has been used and is kept alive."""
    connection.sendall(CASES["1 KiB GET"].request())
    got, deadline = b"", time.monotonic() + 5
    while b"x" * 1024 not in got and time.monotonic() < deadline:
        got += connection.recv(65_536)


def _spread(values: list[float], digits: int = 0) -> str:
    return f"{median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"
