"""The access logs: a line for each finished request in each log that has it, pulled from the recorder's ring.

The data path knows nothing of it. ``write`` is called a few times a second by the engine's loop and takes up where it
stopped, so the ring is its buffer: while the disk is full or the file cannot be opened, records wait there, and what
leaves the ring meanwhile is counted as lost and said so. Each file has a cursor of its own, so trouble with one holds
up no other. It never raises and never waits: pipes and terminals are
written without blocking, and one call formats a bounded number of records. A failure is a Problem until it is over.

common and combined are httpd's formats of these names, byte for byte, and compiled as any format of the site's own is
(``log_format``). json is one object a line.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from itertools import chain
from json import dumps
from operator import attrgetter
from pathlib import Path

import msgspec

from proxy_core.config import access_logs
from proxy_core.config.access_logs import Logs
from proxy_core.config.model import AccessLog, Site
from proxy_core.control.watching.log_file import FLAGS, own_descriptor, unwritten
from proxy_core.control.watching.log_format import compiled
from proxy_core.control.watching.log_records import record
from proxy_core.errors import Address, Problem
from proxy_core.rules.fields.edits import condition
from proxy_core.runtime.exchange import Exchange
from proxy_core.runtime.recent_requests import Recorder

BATCH = 2_500
"""Records that one ``write`` formats at most, about 20 ms of the loop. Four writes a second carry 10,000 requests/s."""


class Batch:
    """Finished exchanges that one ``write`` looks at, whatever file they go to."""

    def __init__(self, exchanges: Sequence[Exchange]) -> None:
        self.exchanges = exchanges

    @cached_property
    def _by_host(self) -> dict[str, list[Exchange]]:
        found: dict[str, list[Exchange]] = {}
        for exchange in self.exchanges:
            found.setdefault(exchange.host_rules.name, []).append(exchange)
        return found

    def of(self, hosts: Iterable[str]) -> list[Exchange]:
        """Those of these hosts, in order: a hundred files of a host each cost one look at each exchange."""
        groups = [self._by_host[host] for host in hosts if host in self._by_host]
        return groups[0] if len(groups) == 1 else sorted(chain(*groups), key=attrgetter("number"))


class AccessLogs:
    """All logs of the site in force: a writer for each file."""

    def __init__(self, recorder: Recorder, folder: Path, console: bool = False) -> None:
        """``folder`` is that of the site file. With a ``console`` standard output is not ours to write to."""
        self._recorder = recorder
        self._folder = folder
        self._console = console
        self._writers: dict[str, AccessLogWriter] = {}
        self._batches: dict[int, Batch] = {}
        self._unwritten = 0

    def adopt(self, site: Site) -> None:
        """Write to the files of this site, from now on. A file whose logs are the same goes on where it stopped.
        Opening may fail: see ``problems``; every ``write`` tries again."""
        wanted, addresses = access_logs.by_file(site), access_logs.files(site)
        for file in [file for file, writer in self._writers.items() if writer.logs != wanted.get(file)]:
            writer = self._writers.pop(file)
            writer.close()
            self._unwritten += writer.unwritten
        for file, logs in wanted.items():
            if file not in self._writers:
                path = None if file == "-" else self._folder / file
                self._writers[file] = AccessLogWriter(self._recorder, self._batch, path, logs, self._console)
            self._writers[file].address = addresses[file]
        self._batches.clear()

    def write(self) -> None:
        """Write what is new to each file, at most ``BATCH`` records of it."""
        try:
            for writer in self._writers.values():
                writer.write()
        finally:
            self._batches.clear()

    def reopen(self) -> None:
        """Finish the old files and go on in new ones of the same names: what a log rotation asks for."""
        for writer in self._writers.values():
            writer.reopen()
        self._batches.clear()

    def close(self) -> None:
        """Write all that is left, as far as the files take it, and close them."""
        for writer in self._writers.values():
            writer.close()
        self._batches.clear()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong now."""
        return tuple(problem for writer in self._writers.values() if (problem := writer.problem) is not None)

    @property
    def unwritten(self) -> int:
        """Lines that were lost, since the start."""
        return self._unwritten + sum(writer.unwritten for writer in self._writers.values())

    def _batch(self, cursor: int) -> Batch:
        """What comes behind a cursor. Files that keep up have one, and share what is found there."""
        found = self._batches.get(cursor)
        if found is None:
            found = Batch(self._recorder.after(cursor, BATCH))
            if found.exchanges:  # what is nothing yet may soon be something
                self._batches[cursor] = found
        return found


class AccessLogWriter:
    """Writes what is new in ``recorder`` to one file."""

    def __init__(
        self, recorder: Recorder, batch: Callable[[int], Batch], path: Path | None, logs: Logs, console: bool
    ) -> None:
        """``batch`` gives what comes behind a cursor; without a ``path`` the file is standard output."""
        self.logs = logs
        self.address: Address = ("access_log", "file")
        self._recorder = recorder
        self._batch = batch
        self._path = path
        self._console = console
        self._lines = _lines(logs)
        self._cursor = recorder.newest
        self._pending = b""
        self._lost = 0
        self.unwritten = 0
        """Requests that were lost, since the start."""
        self._trouble = ""
        self._file = -1
        self._open()

    @property
    def _closed_to_us(self) -> bool:
        """The console has what the site wants to write to."""
        return self._console and self._path is None

    @property
    def problem(self) -> Problem | None:
        """What is wrong now. Records that were lost are told until the file is reopened."""
        if self._closed_to_us:
            what = "the access log cannot go to standard output, which the console has"
            todo = "name a file; rproxy without a console can write there"
            return Problem(what=what, todo=todo, severity="warning", address=self.address)
        if self._trouble:
            return unwritten(self._name, self._trouble, self.address)
        if self._lost:
            what = f"access log {self._name}: {self._lost} requests were not written"
            todo = "they had left the ring before the file took them; SIGUSR1 reopens it and clears this"
            return Problem(what=what, todo=todo, severity="warning", address=self.address)
        return None

    def write(self) -> None:
        """Write what is new, at most ``BATCH`` records. What the file does not take now is kept for the next call."""
        recorder = self._recorder
        oldest = recorder.newest - len(recorder.ring)
        if self._cursor < oldest:
            self._lost += oldest - self._cursor
            self.unwritten += oldest - self._cursor
            self._cursor = oldest
        if self._file < 0 and not self._open():
            return
        if not self._pending:
            batch = self._batch(self._cursor)
            self._cursor += len(batch.exchanges)  # before: a mistake of ours must not stop the log for ever
            self._pending = self._lines(batch)
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
        if self._closed_to_us:
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


def _lines(logs: Logs) -> Callable[[Batch], bytes]:
    """What writes all lines of a file for a batch."""
    rows = {host: tuple((_line(log), _wanted(log)) for log in each) for host, each in logs.items()}
    others = rows.get("", ())
    if rows.keys() == {""} and len(others) == 1:  # one log for all requests, as most sites have
        line, wanted = others[0]
        return lambda batch: b"".join(map(line, filter(wanted, batch.exchanges) if wanted else batch.exchanges))

    def lines(batch: Batch) -> bytes:
        return b"".join(
            line(exchange)
            for exchange in (batch.exchanges if others else batch.of(rows))
            for line, wanted in rows.get(exchange.host_rules.name, others)
            if wanted is None or wanted(exchange)
        )

    return lines


def _line(log: AccessLog) -> Callable[[Exchange], bytes]:
    return LINES.get(log.format) or compiled(log.format)


def _wanted(settings: AccessLog) -> Callable[[Exchange], bool] | None:
    """Which requests these settings want, None for all of them (``config_log_transaction``)."""
    from proxy_core.serve.field_edits import moment_of  # who only looks at a site serves nothing

    holds = condition(settings.env, settings.expr)
    if holds is None:
        return None
    return lambda exchange: holds(moment_of(exchange))


common, combined = compiled("common"), compiled("combined")
"""Lines of LogFormat common and combined. %l is never known, %u where a password was asked for."""


_KEYS = (
    "at", "client", "method", "target", "host", "status", "sent", "received", "route", "rule", "balancer", "member",
    "attempts", "retries", "generation", "queued", "waited", "first", "total", "cause", "cache", "age", "referer",
    "user_agent",
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
