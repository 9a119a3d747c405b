"""The rows beside the other proxies: CPU per request of the whole process tree, starts, and memory.

The contenders of a work run at once, each row goes round all of them before the next round begins, and every round
yields ratios of its own: what disturbs the machine disturbs neighbours alike. Times of different days are not
comparable, ratios are.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from benchmarks.contenders import OURS, Contender, Running, Upstream, prepared, started, upstream
from benchmarks.load import closed
from benchmarks.machine import PROXY_CORE, cpu_seconds, memory_kib, settle_on
from benchmarks.rows import ROWS, SIZES, WORKS, Load, Work

Samples = dict[str, dict[str, list[float]]]
"""By row and contender, one figure for each round."""

IDLE_FIRST, IDLE_MORE = 500, 1_000
"""Idle connections that are opened before memory is looked at (buffers and threads that are made once are in it then),
and those that it is measured with."""


def measure(found: list[Contender], rows: list[str], rounds: int, seconds: float, folder: Path) -> Samples:
    samples: Samples = {row: {contender.name: [] for contender in found} for row in rows}
    for name, work in WORKS.items():
        mine = [row for row in rows if ROWS[row].work == name]
        loads = [row for row in mine if isinstance(ROWS[row].what, Load)]
        with contextlib.ExitStack() as stack:
            if mine:
                to = stack.enter_context(upstream(folder / f"upstream-{name}", work.own))
            if loads:
                running = [stack.enter_context(started(one, folder / f"{name}-{one.name}", to, work)) for one in found]
                for one in running:
                    for row in loads:  # so that connections are there, and their handshakes are not counted
                        _cost(one, row, 1, folder)
            for number in range(rounds if mine else 0):
                print(f"{name}: round {number + 1} of {rounds}", flush=True)
                for row in mine:
                    for index in _turns(number, len(found)):
                        if row in loads:
                            figure = _cost(running[index], row, seconds, folder)
                        else:
                            place = folder / f"{row}-{number}-{found[index].name}"
                            figure = LOOKS[str(ROWS[row].what)](found[index], place, to, work)
                        samples[row][found[index].name].append(figure)
    return samples


def _turns(number: int, count: int) -> Iterator[int]:
    """Another contender comes first in each round."""
    return ((number + index) % count for index in range(count))


def _cost(one: Running, row: str, seconds: float, folder: Path) -> float:
    """Microseconds of CPU for each request or message."""
    load = ROWS[row].what
    assert isinstance(load, Load)
    before = cpu_seconds(one.pid)
    answered = closed(one.secure if load.secure else one.port, row, seconds, folder)
    return (cpu_seconds(one.pid) - before) / answered * 1e6


def _start(contender: Contender, folder: Path, to: Upstream, work: Work) -> float:
    with started(contender, folder, to, work) as one:
        return cpu_seconds(one.pid) * 1e3


def _memory(contender: Contender, folder: Path, to: Upstream, work: Work) -> float:
    with started(contender, folder, to, work) as one:
        time.sleep(1)
        return memory_kib(one.pid) / 1024


def _check(contender: Contender, folder: Path, to: Upstream, work: Work) -> float:
    commands, _ = prepared(contender, folder, to, work)
    with (folder / "output").open("ab") as output:
        process = subprocess.Popen(
            commands.check, cwd=contender.home or folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            preexec_fn=lambda: settle_on(PROXY_CORE),
        )  # fmt: skip
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        said = (folder / "output").read_text(errors="replace")[-2_000:]
        raise SystemExit(f"{contender.name} does not like its configuration:\n{said}")
    return (used.ru_utime + used.ru_stime) * 1e3


def _idle(contender: Contender, folder: Path, to: Upstream, work: Work) -> float:
    """KiB that one idle connection costs, warmed up."""
    with started(contender, folder, to, work) as one, contextlib.ExitStack() as held:
        closed(one.port, "get", 1, folder)
        for number in range(IDLE_FIRST + IDLE_MORE):
            if number == IDLE_FIRST:
                before = memory_kib(one.pid)
            _ask(held.enter_context(socket.create_connection(("127.0.0.1", one.port), 5)))
        return (memory_kib(one.pid) - before) / IDLE_MORE


LOOKS: dict[str, Callable[[Contender, Path, Upstream, Work], float]] = {
    "start": _start, "check": _check, "memory": _memory, "idle": _idle,
}  # fmt: skip


def _ask(connection: socket.socket) -> None:
    """One request, so that the connection has been used and is kept alive."""
    load = Load()
    connection.sendall(load.request())
    got, deadline = b"", time.monotonic() + 5
    while b"x" * SIZES[load.path] not in got and time.monotonic() < deadline:
        got += connection.recv(65_536)


def table(samples: Samples) -> str:
    """A line for each row: medians, and the ratios of this proxy to the others with the lowest and highest round."""
    names = list(next(iter(samples.values())))
    others = [name for name in names if name != OURS]
    heads = ["row", *names, *(f"/ {name}" for name in others), "what"]
    lines = [
        [
            row,
            *(_figure(median(figures[name])) for name in names),
            *(_spread(ratios(figures, name)) for name in others),
            f"{ROWS[row].says} ({ROWS[row].unit})",
        ]
        for row, figures in samples.items()
    ]
    widths = [max(map(len, column)) for column in zip(heads, *lines, strict=True)]
    shown = [
        "  ".join(
            cell.rjust(width) if 0 < number < len(heads) - 1 else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ).rstrip()
        for cells in (heads, *lines)
    ]
    return "\n".join([f"medians, CPU per request; / NAME: {OURS} by it, round by round (lowest-highest)", *shown])


def ratios(figures: dict[str, list[float]], other: str) -> list[float]:
    """This proxy's figure by the other's, round by round."""
    return [ours / max(theirs, 0.001) for ours, theirs in zip(figures[OURS], figures[other], strict=True)]


def _figure(value: float) -> str:
    return f"{value:.1f}" if value < 20 else f"{value:.0f}"


def _spread(values: list[float]) -> str:
    return f"{median(values):.2f} ({min(values):.2f}-{max(values):.2f})"
