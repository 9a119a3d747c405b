"""What an open console adds to the latency of requests and takes of their number: headless and with one, in turns.

The console runs in a terminal of its own that reads everything at once, and gets ``keys``, one a second. Requests come
at a constant rate, and then as fast as they are answered; each turn starts the proxy anew. A console paints in a thread
of the process that serves, on the same core, so this is the figure that it is built for. One that is attached paints in
a process of its own, on the core of the load; the service only tells it what there is.
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
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.configurations import Ends, site_file
from benchmarks.contenders import Upstream, upstream
from benchmarks.load import closed, own
from benchmarks.machine import OTHER_CORE, PROXY_CORE, cpu_seconds, free_ports, running, wait_for
from benchmarks.rows import WORKS

SETTLE = 2.0
"""Seconds after the start, in which modules are loaded and the first screen is laid out."""


class Turn(NamedTuple):
    """Latencies in milliseconds at the constant rate and the share of a core that the proxy used; then requests a
    second, as many as were answered."""

    p50: float
    p99: float
    worst: float
    core: float
    most: float


class Shown(NamedTuple):
    """The console that is compared with none: ``kind`` is console, for one in the process of the proxy, or attached."""

    kind: str
    keys: str


def measure(rounds: int, seconds: float, rate: float, shown: Shown, folder: Path) -> dict[str, list[Turn]]:
    turns: dict[str, list[Turn]] = {"headless": [], shown.kind: []}
    with upstream(folder / "upstream") as to:
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", flush=True)
            for kind in turns if number % 2 == 0 else reversed(turns):
                place = folder / f"{kind}-{number}"
                place.mkdir()
                turns[kind].append(_turn(Shown(kind, shown.keys), place, to, seconds, rate))
    return turns


def table(turns: dict[str, list[Turn]], rate: float) -> str:
    """Medians over the rounds; what is added is the median of the differences round by round, with the lowest and the
    highest of p99; of the most a second it is what is left."""
    none, some = turns.values()
    lines = [f"milliseconds at {rate:.0f} requests/s, then the most a second; median of {len(some)} rounds"]
    lines.append(f"{'':<10}{'p50':>8}{'p99':>8}{'worst':>8}{'core':>8}{'most':>8}")
    for kind, seen in turns.items():
        *latencies, core, most = (median(values) for values in zip(*seen, strict=True))
        lines.append(_line(kind, [*latencies, core], f"{most:.0f}"))
    added = [
        [with_ - without for with_, without in zip(one, other, strict=True)][:4]
        for one, other in zip(some, none, strict=True)
    ]
    left = median(one.most / other.most for one, other in zip(some, none, strict=True))
    lines.append(_line("added", [median(values) for values in zip(*added, strict=True)], f"x {left:.3f}"))
    slowest = [each[1] for each in added]
    return "\n".join([*lines, f"added to p99 from {min(slowest):.2f} to {max(slowest):.2f}"])


def _line(name: str, values: list[float], most: str) -> str:
    p50, p99, worst, core = values
    return f"{name:<10}{p50:>8.2f}{p99:>8.2f}{worst:>8.1f}{core:>8.1%}{most:>8}"


def _turn(shown: Shown, folder: Path, to: Upstream, seconds: float, rate: float) -> Turn:
    port, secure = free_ports(2)
    site = str(site_file(folder, Ends(port, secure, *to), WORKS["plain"]))
    serve, console = [sys.executable, "-m", "proxy_core.control.cli"], [sys.executable, "-m", "rproxy_tui"]
    control = str(folder / "control.sock")
    with contextlib.ExitStack() as stack:
        if shown.kind == "console":
            terminal = stack.enter_context(opened_terminal())
            pid = stack.enter_context(running([*console, site], PROXY_CORE, folder, terminal.far))
        else:
            pid = stack.enter_context(running([*serve, site, "--control", control], PROXY_CORE, folder))
        wait_for(port, folder)
        if shown.kind == "attached":
            terminal = stack.enter_context(opened_terminal())
            stack.enter_context(running([*console, "attach", control], OTHER_CORE, folder, terminal.far))
        time.sleep(SETTLE)
        if shown.kind != "headless":
            threading.Thread(target=_type, args=(terminal.near, shown.keys), daemon=True).start()
        own("steady", port, rate, 1.0)
        before, started = cpu_seconds(pid), time.monotonic()
        latencies = sorted(1e3 * latency for latency in own("steady", port, rate, seconds))
        core = (cpu_seconds(pid) - before) / (time.monotonic() - started)
        most = closed(port, "get", seconds / 2, folder) / (seconds / 2)
    return Turn(latencies[len(latencies) // 2], latencies[len(latencies) * 99 // 100], latencies[-1], core, most)


def _type(terminal: int, keys: str) -> None:
    """One key a second: what a page, a form or a palette costs when it opens is in the figures."""
    for key in keys:
        with contextlib.suppress(OSError):  # the turn is over
            os.write(terminal, key.encode())
        time.sleep(1.0)


class OpenedTerminal(NamedTuple):
    """``seen`` gives what came since it was asked last."""

    near: int
    far: int
    seen: Callable[[], bytes]


@contextlib.contextmanager
def opened_terminal() -> Iterator[OpenedTerminal]:
    """A terminal of 120 by 40 whose near end is read as fast as it comes. The far end is closed by who uses it."""
    near, far = pty.openpty()
    fcntl.ioctl(far, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    came: deque[bytes] = deque(maxlen=1000)

    def read() -> None:
        with contextlib.suppress(OSError):  # EIO: the program is gone
            while data := os.read(near, 1 << 16):
                came.append(data)

    def seen() -> bytes:
        return b"".join(came.popleft() for _ in range(len(came)))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        yield OpenedTerminal(near, far, seen)
    finally:
        reader.join(5)
        os.close(near)
