"""A real terminal for the tests, in a session of its own: it can stop reading, and it can hang up.

Plain pseudo-terminals and sockets, no emulator: what the console writes is kept as text, and a load of small requests
runs beside it from a thread, each with its latency.
"""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import socket
import socketserver
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

SITE = """\
version = 1

[listeners.http]
address = "127.0.0.1:0"

[[routes]]
path = "/"
proxy = "http://127.0.0.1:{port}/"
"""
PROGRAM = "import sys; from rproxy_tui.__main__ import main; sys.exit(main())"


def until(condition: Callable[[], object], what: str, seconds: float = 20.0, seen: Callable[[], str] = str) -> None:
    """Wait for a condition, with a deadline; ``seen`` tells then what there was instead."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}; {seen()}"
        time.sleep(0.02)


class Terminal:
    """``rproxy-tui`` in a terminal. ``output`` is what it wrote while the terminal was reading."""

    def __init__(
        self, file: Path, *, program: str = PROGRAM, shell: bool = False, size: tuple[int, int] = (80, 24)
    ) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        (file.parent / "state" / "rproxy").mkdir(parents=True, exist_ok=True)
        (file.parent / "state" / "rproxy" / "console-seen").touch()  # what the first run shows is asked of it alone
        command = [sys.executable, "-c", program, str(file)]
        if shell:  # a shell that does not hand SIGHUP on: its child hears of a hang-up by reading alone
            command = ["sh", "-c", 'trap "" HUP; "$@"; :', "sh", *command]
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env={
                **os.environ,
                "XDG_STATE_HOME": str(file.parent / "state"),
                "TERM": "xterm-256color",
            },
        )
        os.close(slave)
        self.output = ""
        self._shell = shell
        self._reading = threading.Event()
        self._reading.set()
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def pid(self) -> int:
        """The process that serves."""
        if not self._shell:
            return self.process.pid
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        until(lambda: children.read_text().split(), "the shell has a child")
        return int(children.read_text().split()[0])

    def _read(self) -> None:
        while True:
            self._reading.wait()
            try:
                data = os.read(self._master, 65536)
            except OSError:
                return
            if not data:
                return
            self.output += data.decode("utf-8", "replace")

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def shows(self, words: str, seconds: float = 20.0) -> None:
        """Wait until the words have been written since the last ``forget``."""
        until(lambda: words in self.output, f"{words!r} on the terminal", seconds, lambda: repr(self.output[-3000:]))

    def forget(self) -> None:
        self.output = ""

    @contextmanager
    def stalled(self) -> Iterator[None]:
        """The terminal does not read in the meantime (but for one read that may be under way)."""
        self._reading.clear()
        try:
            yield
        finally:
            self._reading.set()

    def hang_up(self) -> None:
        """Close the terminal's side, as a lost connection does."""
        os.close(self._master)

    def cpu(self) -> float:
        """Seconds of processor time that the process has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def files(self) -> list[str]:
        """What the process has open."""
        return [os.readlink(path) for path in Path(f"/proc/{self.pid}/fd").iterdir() if path.is_symlink()]

    def port(self) -> int:
        """The port that the process listens on, once it does."""
        found: list[int] = []
        until(lambda: found.extend(listening(self.files())) or found, "the proxy listens")
        return found[0]

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        os.kill(self.pid, signal.SIGTERM)
        return self.process.wait(10)

    def kill(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)  # a group of our own: start_new_session
            self.process.wait()


def listening(files: list[str]) -> list[int]:
    """The TCP ports that the sockets among some open files listen on."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in files]


class _Member(socketserver.StreamRequestHandler):
    """Answers every request with two bytes, as long as there are requests."""

    def handle(self) -> None:
        while line := self.rfile.readline():
            if line == b"\r\n":
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


@contextmanager
def member() -> Iterator[int]:
    """A small upstream; its port."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Member) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


class Load:
    """Some fifty requests a second on one connection; ``latencies`` in seconds, ``failures`` in words."""

    def __init__(self, port: int) -> None:
        self.latencies: list[float] = []
        self.failures: list[str] = []
        self._port = port
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(10)

    def answered(self, more: int) -> None:
        """Wait until so many more requests were answered."""
        goal = len(self.latencies) + more
        until(lambda: len(self.latencies) >= goal or self.failures, f"{more} more requests are answered")
        assert not self.failures

    def _run(self) -> None:
        with socket.create_connection(("127.0.0.1", self._port), 5) as connection:
            connection.settimeout(5)
            while not self._over.wait(0.02):
                began = time.monotonic()
                try:
                    connection.sendall(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
                    answer = b""
                    while not answer.endswith(b"\r\n\r\nok"):
                        data = connection.recv(4096)
                        assert data, "the proxy closed the connection"
                        answer += data
                except (OSError, AssertionError) as error:
                    self.failures.append(repr(error))
                    return
                self.latencies.append(time.monotonic() - began)


def percentile(latencies: list[float], part: float) -> float:
    """The latency, in milliseconds, that ``part`` of the requests did not exceed."""
    return sorted(latencies)[int(len(latencies) * part)] * 1000
