"""How long each key of the console keeps requests waiting: ``python -m benchmarks.slices [TREE]`` (two minutes).

A console in the process of a proxy, with 100 requests a second, gets one key after the other. In the loop that serves,
a timer of a millisecond notes what the process spent from one turn to the next: what a request would have waited for.
For each key: the most between two turns, the longest walk of the garbage collector, and what was spent until the page
or dialog was there to be read. All of it is CPU time, of which other work of the machine takes nothing away. The second
opening is what an operator meets; the first also makes the page.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmarks.configurations import Ends, site_file
from benchmarks.console import OpenedTerminal, opened_terminal
from benchmarks.contenders import upstream
from benchmarks.load import own
from benchmarks.machine import PROXY_CORE, ROOT, free_ports, running, wait_for
from benchmarks.rows import WORKS

PROGRAM = """\
import asyncio, gc, sys, time
import rproxy_tui.__main__ as program

serve, noted, began = program.serve, open("noted", "a", buffering=1), 0.0

def collected(phase, info):
    global began
    if phase == "start":
        began = time.process_time()
    elif (took := time.process_time() - began) > 0.0005:
        noted.write(f"gc {time.monotonic()} {took}\\n")

async def beat():
    gc.callbacks.append(collected)
    while True:
        before = time.process_time()
        await asyncio.sleep(0.001)
        if (spent := time.process_time() - before) > 0.001:
            noted.write(f"turn {time.monotonic()} {spent}\\n")

async def observed(*arguments):
    beating = asyncio.create_task(beat())
    return await serve(*arguments)

program.serve = observed
sys.exit(program.main())
"""
PAUSE, LONGEST = 0.8, 5.0
"""Seconds after a key in which its waits are counted; and until it must have shown its text."""


class Step(NamedTuple):
    """``key`` opens what ``name`` is, which is there when ``text`` is; ``before`` comes before it, and so many
    ``escapes`` leave it."""

    name: str
    key: str
    text: str
    before: str = ""
    escapes: int = 0


ESCAPE, F3 = "\x1b", "\x1bOR"
STEPS = (
    Step("Dashboard", "1", "4xx/s"), Step("Routes", "3", "hits"), Step("Balancers", "4", "byrequests"),
    Step("Rewrites", "5", "pattern"), Step("Maps", "6", "No map"), Step("History", "7", "in force"),
    Step("Traffic", "2", "follow"), Step("palette", ":", "earch for", escapes=1),
    Step("Why", "W", "verdict", escapes=2), Step("help", "?", "Keys of this page", escapes=1),
    Step("problems", "p", "esc", escapes=1), Step("rule tests", F3, "esc", escapes=1),
    Step("form of a route", "e", "nothing changed yet", before="3", escapes=1),
    Step("form of a member", "E", "nothing changed yet", before="4", escapes=1),
    Step("weight", "w", "enter applies", before="4", escapes=1), Step("drain", "D", "Drain", before="4", escapes=1),
)  # fmt: skip


class Cost(NamedTuple):
    """Milliseconds of CPU: the most between two turns, the longest walk of the collector, until it could be read; and
    the last on the clock."""

    longest: float
    collector: float
    readable: float
    seconds: float


def measure(home: Path, folder: Path) -> dict[str, list[Cost]]:
    """Two openings of each, in order."""
    port, secure = free_ports(2)
    with contextlib.ExitStack() as stack:
        to = stack.enter_context(upstream(folder / "upstream"))
        site = site_file(folder, Ends(port, secure, *to), WORKS["full"])
        terminal = stack.enter_context(opened_terminal())
        started = [sys.executable, "-c", f"import sys, os; sys.path.insert(0, {str(home)!r})\n{PROGRAM}", str(site)]
        pid = stack.enter_context(running(started, PROXY_CORE, folder, terminal.far, folder))
        wait_for(port, folder)
        time.sleep(2.5)
        seconds = 5 + 2 * PAUSE * sum(1.25 + len(step.before) + step.escapes for step in STEPS)
        threading.Thread(target=own, args=("steady", port, 100.0, seconds), daemon=True).start()
        time.sleep(2.5)
        costs: dict[str, list[Cost]] = {step.name: [] for step in STEPS}
        for _ in range(2):
            for step in STEPS:
                for key in step.before:
                    os.write(terminal.near, key.encode())
                    time.sleep(PAUSE)
                costs[step.name].append(_cost(pid, folder / "noted", step, terminal))
                for _ in range(step.escapes):
                    os.write(terminal.near, ESCAPE.encode())
                    time.sleep(PAUSE)
        return costs


def _cost(pid: int, noted: Path, step: Step, terminal: OpenedTerminal) -> Cost:
    terminal.seen()
    began = time.monotonic()
    os.write(terminal.near, step.key.encode())
    shown, readable, spent, at_first = b"", -1.0, -1.0, cpu_time(pid)
    while time.monotonic() < began + PAUSE or (readable < 0 and time.monotonic() < began + LONGEST):
        time.sleep(0.002)
        shown += terminal.seen()
        if readable < 0 and step.text.encode() in shown:
            readable, spent = time.monotonic() - began, cpu_time(pid) - at_first
    waits = [(kind, float(at), float(took)) for kind, at, took in map(str.split, noted.read_text().splitlines())]
    turns = [took for kind, at, took in waits if kind == "turn" and at >= began]
    walks = [took for kind, at, took in waits if kind == "gc" and at >= began]
    return Cost(*(1e3 * each for each in (max(turns, default=0.0), max(walks, default=0.0), spent, readable)))


def cpu_time(pid: int) -> float:
    """Seconds that the threads of a process have run, to the nanosecond."""
    return sum(int(each.read_text().split()[0]) for each in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def main() -> None:
    home = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT
    with TemporaryDirectory(prefix="rproxy-slices-") as name:
        costs = measure(home, Path(name))
    print("milliseconds of CPU: longest, collector, until readable (on the clock); first opening, second")
    for name, openings in costs.items():
        print(f"{name:18}" + "   ".join("".join(f"{value:7.1f}" for value in cost) for cost in openings))


if __name__ == "__main__":
    main()
