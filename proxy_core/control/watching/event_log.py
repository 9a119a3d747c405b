"""The log of events on standard error, for a proxy without a console: one line an event.

Lines are text (time, level, sentence) or JSON; where standard error is systemd's journal they begin with ``<N>``, the
level as sd-daemon(3) has it, and the journal knows the time. Text from outside is made visible: no control byte
reaches the terminal. Nothing here waits or raises: what standard error does not take now is kept, up to ``KEPT``
bytes, and what is more is counted and said.
"""

from __future__ import annotations

import logging
import os
import select
import socket
import stat
import time
import traceback
from collections.abc import Iterable
from itertools import islice
from json import dumps

from msgspec.structs import replace

from proxy_core.config.model import Log
from proxy_core.control.watching.events import Event, Level, Sight, Told, events, reached
from proxy_core.control.watching.floods import Spells, thinned
from proxy_core.control.watching.log_file import own_descriptor
from proxy_core.errors import Problem
from proxy_core.printable import printable

KEPT = 256 * 1024
"""Bytes that wait at most for a standard error that does not take them."""
AT_ONCE = 200
"""Events of one look that are told; of the others only how many there are."""
_LEVELS: dict[Level, int] = {"info": 6, "warning": 4, "error": 3}
"""syslog's numbers: informational, warning, error."""


def in_journal(descriptor: int = 2) -> bool:
    """Whether the descriptor leads to systemd's journal, as systemd.exec(5) says under JOURNAL_STREAM."""
    found = os.fstat(descriptor)
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def spelled(event: Event, settings: Log, at: float, journal: bool) -> list[str]:
    """The lines of one event."""
    prefix = f"<{_LEVELS[event.level]}>" if journal else ""
    second, milliseconds = divmod(int(at * 1000), 1000)
    moment = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(second))}.{milliseconds:03}Z"
    if settings.format == "json":
        line = {"at": moment, "level": event.level, "event": event.kind, "message": event.text, **event.facts}
        if event.trace:
            line["trace"] = event.trace
        return [prefix + dumps(line, separators=(",", ":")).replace("\x7f", "\\u007f")]
    before = prefix if journal else f"{moment} {event.level:7} "
    return [before + printable(line) for line in (event.text, *event.trace.splitlines())]


class LineSink:
    """Standard error, as a descriptor that nobody waits for. ``lost`` counts the lines that it never took."""

    def __init__(self, descriptor: int = 2) -> None:
        self.lost = 0
        self._untold = 0
        self._pending: list[bytes] = []
        self._room: select.poll | None = None
        try:
            self._file = own_descriptor(descriptor)
        except OSError:  # what it leads to is another user's, or nobody's any more: it cannot be opened anew
            self._file = os.dup(descriptor)
            self._room = select.poll()
            self._room.register(self._file, select.POLLOUT)
        # The journal's socket is shared with others, so its mode must stay as it is.
        shared = stat.S_ISSOCK(os.fstat(self._file).st_mode)
        self._socket = socket.socket(fileno=self._file) if shared else None

    def write(self, lines: Iterable[str]) -> None:
        self._flush()
        size = sum(map(len, self._pending))
        for line in lines:
            raw = line.encode(errors="backslashreplace") + b"\n"
            if size + len(raw) > KEPT:
                self._lose(1)
            else:
                self._pending.append(raw)
                size += len(raw)
        self._flush()

    def missing(self) -> int:
        """How many lines were lost and not told yet. They are told now; 0 while nothing would come of that."""
        self._flush()
        if self._pending:
            return 0
        untold, self._untold = self._untold, 0
        return untold

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        else:
            os.close(self._file)

    def _flush(self) -> None:
        while self._pending:
            first = self._pending[0]
            try:
                if self._socket is not None:
                    written = self._socket.send(first, socket.MSG_DONTWAIT)
                elif self._room is not None and not self._room.poll(0):
                    return
                else:
                    written = os.write(self._file, first[: select.PIPE_BUF])
            except BlockingIOError:
                return
            except OSError:  # nobody reads any more, or the disk is full: there is no other place to say it
                self._lose(len(self._pending))
                self._pending.clear()
                return
            self._pending[:1] = [first[written:]] if written < len(first) else []

    def _lose(self, lines: int) -> None:
        self.lost += lines
        self._untold += lines


class EventLog:
    """Says what is between one look at the engine and the next."""

    def __init__(self, sink: LineSink, journal: bool = False) -> None:
        self.sink = sink
        self._journal = journal
        self.settings = Log()
        """[log] of the site in force, as it was seen last."""
        self._before = Sight()
        self._told: Told = {}
        self._spells: Spells = {}

    def see(self, now: Sight) -> None:
        """Tell what happened since the last look."""
        limits, self._told = reached(self._told, now)
        found = self._thinned((*events(self._before, now), *limits))
        self._before, self.settings = now, now.settings
        if len(found) > AT_ONCE:
            text = f"{len(found) - AT_ONCE} more events within this second are not told"
            found = [*islice(found, AT_ONCE), Event(level="warning", kind="events_left_out", text=text)]
        if missing := self.sink.missing():
            text = f"{missing} lines of this log were lost: standard error did not take them"
            found.append(Event(level="warning", kind="lines_lost", text=text, facts={"count": missing}))
        self._write(found)

    def refused(self, now: Sight, why: Iterable[Problem]) -> None:
        """Tell why the file on disk is not taken, even where that is known: somebody has asked for it again. ``why``
        is told where nothing is wrong with the file itself."""
        self._before = replace(self._before, refused=())
        self.see(now)
        if not now.refused:
            self.tell(*(Event(level="error", kind="config_refused", text=f"not reloaded: {each}") for each in why))

    def tell(self, *found: Event) -> None:
        """Tell what happened just now."""
        self._write(self._thinned(found))

    def _thinned(self, found: Iterable[Event]) -> list[Event]:
        told, self._spells = thinned(self._spells, found, time.time())
        return told

    def _write(self, found: Iterable[Event]) -> None:
        settings = self.settings
        least, at = _LEVELS[settings.level], time.time()
        wanted = (event for event in found if _LEVELS[event.level] <= least)
        self.sink.write(line for event in wanted for line in spelled(event, settings, at, self._journal))


class LibraryHandler(logging.Handler):
    """Tells the event log what libraries log, and the traces of our own mistakes."""

    def __init__(self, log: EventLog) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        level: Level = "error" if record.levelno >= logging.ERROR else "warning"
        trace = "".join(traceback.format_exception(*record.exc_info)) if record.exc_info else ""
        facts, about = {"logger": record.name}, f"{record.name}: {record.msg}"
        text = record.getMessage()
        self._log.tell(Event(level=level, kind="library", text=text, facts=facts, trace=trace, about=about))
