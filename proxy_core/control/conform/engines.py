"""Servers that are started to be asked: rproxy itself, HAProxy and Apache httpd, each in a folder of its own.

Each is a process of its own on loopback that is ended by its id, whatever happens. What keeps one from starting is told
in a sentence (CannotStart): a program that crashes over its own configuration is no different.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from proxy_core.control.conform.asking import DEADLINE

PROGRAMS = {"haproxy": "haproxy", "apache": "apache2"}
"""The program of each engine."""
_LINES = 12


class CannotStart(Exception):
    """A server does not start, or does not take its configuration; the text says why, for people."""


def binary(engine: str, named: Path | None = None) -> str | None:
    """The program of an engine, where it is installed."""
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin"))  # where httpd is, which users do not look in
    return shutil.which(str(named) if named is not None else PROGRAMS[engine], path=path)


def look_through(program: str, file: Path) -> None:
    """Have HAProxy read a configuration. Raises CannotStart."""
    found = subprocess.run([program, "-c", "-f", str(file)], capture_output=True, timeout=60)
    crashed = -found.returncode if found.returncode < 0 else found.returncode - 128
    if crashed in {each.value for each in signal.Signals}:
        by = signal.Signals(crashed).name
        raise CannotStart(f"{program} -c ends by {by} over the configuration: a fault of that program's own")
    if found.returncode:
        raise CannotStart(f"{program} -c does not take the configuration:\n{_last(found.stderr)}")


def _last(said: bytes) -> str:
    return "\n".join(said.decode("utf-8", "replace").strip().splitlines()[-_LINES:])


@contextmanager
def rproxy(site: Path, ports: Sequence[int], state: Path) -> Iterator[int]:
    """A headless rproxy on a site file; ``state`` has its journal. Gives its process id. Raises CannotStart."""
    command = [sys.executable, "-m", "proxy_core.control.cli", str(site), "--no-control", "--allow-empty"]
    with _running("rproxy", command, site.parent, ports, {**os.environ, "XDG_STATE_HOME": str(state)}) as pid:
        yield pid


@contextmanager
def haproxy(program: str, file: Path, ports: Sequence[int]) -> Iterator[int]:
    """HAProxy on a configuration. Gives its process id. Raises CannotStart."""
    with _running("haproxy", [program, "-db", "-f", str(file)], file.parent, ports, None) as pid:
        yield pid


@contextmanager
def apache(program: str, file: Path, ports: Sequence[int]) -> Iterator[int]:
    """httpd on a configuration. Gives its process id. Raises CannotStart."""
    with _running("apache2", [program, "-f", str(file), "-DFOREGROUND"], file.parent, ports, None) as pid:
        yield pid


@contextmanager
def _running(
    name: str, command: Sequence[str], folder: Path, ports: Sequence[int], environment: dict[str, str] | None
) -> Iterator[int]:
    output = folder / f"{name}.out"
    with output.open("wb") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment)
    try:
        deadline = time.monotonic() + 2 * DEADLINE
        while not all(map(_listens, ports)):
            if process.poll() is not None or time.monotonic() > deadline:
                raise CannotStart(f"{name} does not start:\n{_last(output.read_bytes())}")
            time.sleep(0.02)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _listens(port: int) -> bool:
    """Whether somebody listens there: /proc is asked, for a connection would be a request that never comes."""
    if sys.platform == "linux":
        wanted = f":{port:04X}"
        rows = Path("/proc/net/tcp").read_text().splitlines()[1:]
        return any(row.split()[1].endswith(wanted) and row.split()[3] == "0A" for row in rows)
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
