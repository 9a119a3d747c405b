"""Processes, cores, CPU time and memory, read from /proc.

CPU time of a process tree is the sum, over the processes in it, of their own time and that of their reaped children,
so nothing is counted twice and a child that died is still counted. Memory is the proportional set size, so that what
forked children share is counted once. Linux only.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
_SCHEDULED = 2
"""CPUCLOCK_SCHED: with the pid above it in a clock's number, the time that the whole process has run."""
CORES = sorted(os.sched_getaffinity(0))
PROXY_CORE = CORES[0]
"""The core of the proxy under test; everything else is on OTHER_CORE, which is the same when there is only one."""
OTHER_CORE = CORES[-1]
START_SECONDS = 20.0
ROOT = Path(__file__).parent.parent


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now. They are let go before they are used: a race, but a rare one."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [int(one.getsockname()[1]) for one in sockets]


def settle_on(core: int) -> None:
    """Keep this process on a core, and before the machine's other work where that is allowed (to root)."""
    os.sched_setaffinity(0, {core})
    with contextlib.suppress(PermissionError):
        os.nice(-10)


@contextlib.contextmanager
def running(
    command: list[str], core: int, folder: Path, terminal: int | None = None, home: Path = ROOT
) -> Iterator[int]:
    """Run a program in ``home``, pinned to a core, until the block ends; its pid. What it says goes to
    ``folder/output``, unless ``terminal`` (a descriptor, used up by this) becomes its controlling terminal."""

    def prepare() -> None:
        settle_on(core)
        if terminal is not None:
            os.login_tty(terminal)

    with (folder / "output").open("ab") as output:
        process = subprocess.Popen(
            command, preexec_fn=prepare, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=home,
            env=os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"},
        )  # fmt: skip
    if terminal is not None:
        os.close(terminal)
    try:
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            for pid in tree(process.pid):
                os.kill(pid, signal.SIGKILL)
            process.wait(5)


def wait_for(port: int, folder: Path) -> None:
    """Until the port accepts. SystemExit, with what the program said, when it does not in START_SECONDS."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.5):
            return
        time.sleep(0.01)
    said = (folder / "output").read_text(errors="replace")[-2_000:]
    raise SystemExit(f"nothing accepts on port {port} after {START_SECONDS:.0f} s; the program said:\n{said}")


def tree(root: int) -> list[int]:
    """The pids of a process and of all its descendants."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    parents = {pid: seen[0] for pid in pids if (seen := _parent_and_ticks(pid))}
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def cpu_seconds(root: int) -> float:
    """User and system time that a process tree has used: each process by its own clock, in nanoseconds, and those of
    its children that are gone, in ticks."""
    total = 0.0
    for pid in tree(root):
        with contextlib.suppress(OSError):
            total += time.clock_gettime(~pid << 3 | _SCHEDULED) + (_parent_and_ticks(pid) or (0, 0))[1] / TICK
    return total


def memory_kib(root: int) -> float:
    """Proportional set size of a process tree."""
    total = 0
    for pid in tree(root):
        with contextlib.suppress(OSError):
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += int(rollup.partition("\nPss:")[2].split()[0])
    return float(total)


def _parent_and_ticks(pid: int) -> tuple[int, int] | None:
    """Parent and the clock ticks of reaped children, None for a process that is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[1]), sum(map(int, fields[13:15]))
