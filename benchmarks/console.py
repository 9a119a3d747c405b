"""What an open console adds to the latency of requests: headless and with a console, in turns.

The console runs in a terminal of its own that reads everything at once, on the page that ``page`` opens. Requests come
at a constant rate; each turn starts the proxy anew. The loop that serves is the loop that paints, so this is the
figure that the console is built for.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import struct
import sys
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.configurations import Ends, site_file
from benchmarks.contenders import Upstream, upstream
from benchmarks.load import own
from benchmarks.machine import PROXY_CORE, cpu_seconds, free_ports, running, wait_for
from benchmarks.rows import WORKS

SETTLE = 2.0
"""Seconds after the start, in which modules are loaded and the first screen is laid out."""


class Turn(NamedTuple):
    """Latencies in milliseconds, and the share of a core that the process used."""

    p50: float
    p99: float
    worst: float
    core: float


def measure(rounds: int, seconds: float, rate: float, page: str, folder: Path) -> dict[str, list[Turn]]:
    turns: dict[str, list[Turn]] = {"headless": [], "console": []}
    with upstream(folder / "upstream") as to:
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", flush=True)
            for kind in ("headless", "console") if number % 2 == 0 else ("console", "headless"):
                place = folder / f"{kind}-{number}"
                place.mkdir()
                turns[kind].append(_turn(kind, place, to, seconds, rate, page))
    return turns


def table(turns: dict[str, list[Turn]], rate: float) -> str:
    """Medians over the rounds; what is added is the median of the differences round by round."""
    lines = [f"milliseconds at {rate:.0f} requests/s, median of {len(turns['console'])} rounds"]
    lines.append(f"{'':<10}{'p50':>8}{'p99':>8}{'worst':>8}{'core':>8}")
    for kind, seen in turns.items():
        lines.append(_line(kind, [median(values) for values in zip(*seen, strict=True)]))
    added = [
        [open_ - shut for open_, shut in zip(with_, without, strict=True)]
        for with_, without in zip(turns["console"], turns["headless"], strict=True)
    ]
    lines.append(_line("added", [median(values) for values in zip(*added, strict=True)]))
    return "\n".join(lines)


def _line(name: str, values: list[float]) -> str:
    p50, p99, worst, core = values
    return f"{name:<10}{p50:>8.2f}{p99:>8.2f}{worst:>8.1f}{core:>8.1%}"


def _turn(kind: str, folder: Path, to: Upstream, seconds: float, rate: float, page: str) -> Turn:
    port, secure = free_ports(2)
    site = str(site_file(folder, Ends(port, secure, *to), WORKS["plain"]))
    with contextlib.ExitStack() as stack:
        if kind == "console":
            terminal = stack.enter_context(_terminal())
            command = [sys.executable, "-m", "rproxy_tui", site]
            pid = stack.enter_context(running(command, PROXY_CORE, folder, terminal.far))
        else:
            command = [sys.executable, "-m", "proxy_core.control.cli", site]
            pid = stack.enter_context(running(command, PROXY_CORE, folder))
        wait_for(port, folder)
        time.sleep(SETTLE)
        if kind == "console":
            os.write(terminal.near, page.encode())
        own("steady", port, rate, 1.0)
        before, started = cpu_seconds(pid), time.monotonic()
        latencies = sorted(1e3 * latency for latency in own("steady", port, rate, seconds))
        core = (cpu_seconds(pid) - before) / (time.monotonic() - started)
    return Turn(latencies[len(latencies) // 2], latencies[len(latencies) * 99 // 100], latencies[-1], core)


class _Terminal(NamedTuple):
    near: int
    far: int


@contextlib.contextmanager
def _terminal() -> Iterator[_Terminal]:
    """A terminal of 120 by 40 whose near end is read as fast as it comes. The far end is closed by who uses it."""
    near, far = pty.openpty()
    fcntl.ioctl(far, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))

    def read() -> None:
        with contextlib.suppress(OSError):  # EIO: the program is gone
            while os.read(near, 1 << 16):
                pass

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        yield _Terminal(near, far)
    finally:
        reader.join(5)
        os.close(near)
