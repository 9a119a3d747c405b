"""``rproxy-tui site.rec``: the console on a recording, as if one had been there.

It shows the newest moment that is recorded, and its time cursor goes back to the oldest. Nothing is served, asked or
changed; a recording that is still written to may be opened, and is read on.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import uvloop

from proxy_core.control.cli.asked_moment import moment_of
from proxy_core.control.cli.subcommand import EXIT_BAD_SITE
from proxy_core.control.recording.recorded_view import RecordedView, Unreadable
from proxy_core.printable import printable_lines
from rproxy_tui.app import ConsoleApp
from rproxy_tui.driver import ConsoleDriver, tell
from rproxy_tui.time_cursor import TimeCursor
from rproxy_tui.traces import keep_trace, log_to, state_folder


def shown(file: Path, begin: str = "") -> int:
    """Show the recording until the console is left, first the moment that ``begin`` says; the exit status."""
    try:
        view = RecordedView(file)
    except Unreadable as error:
        return _told(str(error))
    except OSError as error:
        return _told(f"{file}: {error.strerror}")
    try:
        if not sys.stdin.isatty():
            return _told("needs a terminal; sqlite3 -readonly asks a recording without one")
        return uvloop.run(_console(view, moment_of(begin, view.snapshot().at) if begin else None))
    except ValueError as error:
        return _told(str(error))
    finally:
        view.close()


async def _console(view: RecordedView, begin: float | None) -> int:
    log_to(state_folder())
    app = ConsoleApp(view, read_only=True, driver_class=ConsoleDriver)
    app.notes_anyway = True
    app.time = TimeCursor(view.span)
    app.time.at = begin
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, app.exit)
    loop.add_signal_handler(signal.SIGHUP, app.hang_up)
    await app.run_async()
    if app.crash is not None:
        return _told(f"the console crashed: {app.crash!r}. The trace is in {keep_trace(app.crash, state_folder())}", 1)
    return 0


def _told(words: str, status: int = EXIT_BAD_SITE) -> int:
    tell(printable_lines(f"rproxy-tui: {words}\n"))
    return status
