"""The access log: a line for each finished request, pulled from the recorder's ring.

The data path knows nothing of it. ``write`` is called a few times a second by the engine's loop and takes up where it
stopped, so the ring is its buffer: while the disk is full or the file cannot be opened, records wait there, and what
leaves the ring meanwhile is counted as lost and said so. It never raises and never waits: pipes and terminals are
written without blocking, and one call formats a bounded number of records. A failure is a Problem until it is over.

common and combined are httpd's formats of these names, byte for byte, and compiled as any format of the site's own is
(``log_format``). json is one object a line.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from json import dumps
from pathlib import Path

import msgspec

from proxy_core.config.model import AccessLog as Settings
from proxy_core.control.watching.log_file import ADDRESS, FLAGS, own_descriptor, unwritten
from proxy_core.control.watching.log_format import compiled
from proxy_core.control.watching.log_records import record
from proxy_core.errors import Problem
from proxy_core.rules.decision import NO_EXTRAS
from proxy_core.rules.fields.edits import condition
from proxy_core.runtime.exchange import Exchange
from proxy_core.runtime.recent_requests import Recorder

BATCH = 2_500
"""Records that one ``write`` formats at most, about 20 ms of the loop. Four writes a second carry 10,000 requests/s."""


class AccessLogWriter:
    """Writes what is new in ``recorder`` to the file that the site wants, if it wants one."""

    def __init__(self, recorder: Recorder, folder: Path, console: bool = False) -> None:
        """``folder`` is that of the site file. With a ``console`` standard output is not ours to write to."""
        self._recorder = recorder
        self._folder = folder
        self._console = console
        self._settings: Settings | None = None
        self._line: Callable[[Exchange], bytes] | None = None
        self._wanted: Callable[[Exchange], bool] | None = None
        self._path: Path | None = None
        self._cursor = recorder.newest
        self._pending = b""
        self._lost = 0
        self.unwritten = 0
        """Requests that were lost, since the start."""
        self._trouble = ""
        self._file = -1

    def adopt(self, settings: Settings | None) -> None:
        """Write to the file of these settings, from now on. Opening may fail: see ``problem``; every ``write`` tries
        again."""
        if settings == self._settings:
            return
        self.close()
        self._settings, self._line = settings, None
        self._cursor, self._pending, self._lost, self._trouble = self._recorder.newest, b"", 0, ""
        if settings is not None:
            self._path = None if settings.file == "-" else self._folder / settings.file
            self._line = LINES.get(settings.format) or compiled(settings.format)
            self._wanted = _wanted(settings)
            self._open()

    @property
    def _closed_to_us(self) -> bool:
        """The console has what the site wants to write to."""
        return self._console and self._settings is not None and self._path is None

    @property
    def problem(self) -> Problem | None:
        """What is wrong now. Records that were lost are told until the file is reopened."""
        if self._closed_to_us:
            what = "the access log cannot go to standard output, which the console has"
            todo = "name a file; rproxy without a console can write there"
            return Problem(what=what, todo=todo, severity="warning", address=ADDRESS)
        if self._trouble:
            return unwritten(self._name, self._trouble)
        if self._lost:
            what = f"access log {self._name}: {self._lost} requests were not written"
            todo = "they had left the ring before the file took them; SIGUSR1 reopens it and clears this"
            return Problem(what=what, todo=todo, severity="warning", address=ADDRESS)
        return None

    def write(self) -> None:
        """Write what is new, at most ``BATCH`` records. What the file does not take now is kept for the next call."""
        recorder, line = self._recorder, self._line
        if line is None:
            return
        oldest = recorder.newest - len(recorder.ring)
        if self._cursor < oldest:
            self._lost += oldest - self._cursor
            self.unwritten += oldest - self._cursor
            self._cursor = oldest
        if self._file < 0 and not self._open():
            return
        if not self._pending:
            exchanges = recorder.after(self._cursor, BATCH)
            self._cursor += len(exchanges)  # before: a mistake of ours over one of them must not stop the log for ever
            self._pending = b"".join(map(line, filter(self._wanted, exchanges) if self._wanted else exchanges))
        self._flush()

    def reopen(self) -> None:
        """Finish the old file and go on in a new one of the same name: what a log rotation asks for."""
        self._drain()
        self._shut()
        self._lost = 0
        self._open()

    def close(self) -> None:
        """Write all that is left, if the file takes it, and close it."""
        self._drain()
        self._shut()

    @property
    def _name(self) -> str:
        return str(self._path or "on standard output")

    def _open(self) -> bool:
        if self._line is None or self._closed_to_us:
            return False
        try:
            self._file = own_descriptor(1) if self._path is None else os.open(self._path, FLAGS, 0o640)
        except OSError as error:
            self._trouble = error.strerror or str(error)
            return False
        self._trouble = ""
        return True

    def _shut(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _flush(self) -> None:
        while self._pending:
            try:
                written = os.write(self._file, self._pending)
            except BlockingIOError:
                self._trouble = "the reader at its far end does not keep up"
                return
            except OSError as error:
                self._trouble = error.strerror or str(error)
                return
            self._pending = self._pending[written:]
        self._trouble = ""

    def _drain(self) -> None:
        """Write until nothing is left or the file refuses."""
        while self._pending or self._cursor < self._recorder.newest:
            self.write()
            if self._trouble or self._file < 0:
                return


def _wanted(settings: Settings) -> Callable[[Exchange], bool] | None:
    """Which requests these settings want, None for all of them (``config_log_transaction``)."""
    from proxy_core.serve.field_edits import EditBasis, moment  # who only looks at a site serves nothing

    holds = condition(settings.env, settings.expr)
    if holds is None:
        return None

    def wanted(exchange: Exchange) -> bool:
        basis = EditBasis(exchange, exchange.view, exchange.host_rules, exchange.extras or NO_EXTRAS,
                          exchange.notes or {})  # fmt: skip
        return holds(moment(basis, answered=exchange.answer.split(b"\r\n")[1:-2], status=exchange.status))

    return wanted


common, combined = compiled("common"), compiled("combined")
"""Lines of LogFormat common and combined. %l is never known, %u where a password was asked for."""


_KEYS = (
    "at", "client", "method", "target", "host", "status", "sent", "received", "route", "balancer", "member", "attempts",
    "retries", "generation", "queued", "waited", "first", "total", "cause", "referer", "user_agent",
)  # fmt: skip
_TIMES = ("queued", "waited", "first", "total")


def json(exchange: Exchange) -> bytes:
    """An object a line. ``at`` is UTC as RFC 3339 says; times are milliseconds, null where it never came to that."""
    seen = record(exchange)
    line = {key: getattr(seen, key) for key in _KEYS}
    line["at"] = _utc(seen.at)
    for key in _TIMES:
        line[key] = None if line[key] < 0 else round(line[key] * 1000, 3)
    if exchange.notes:
        line["notes"] = exchange.notes
    text = msgspec.json.encode(line)
    if not text.isascii():  # what steers a terminal may be among it
        text = dumps(line, separators=(",", ":")).encode("ascii")
    return text + b"\n"


LINES: dict[str, Callable[[Exchange], bytes]] = {"common": common, "combined": combined, "json": json}


def _utc(at: float) -> str:
    second, milliseconds = divmod(int(at * 1000), 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(second))}.{milliseconds:03}Z"
