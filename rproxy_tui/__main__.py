"""``rproxy-tui SITE.toml``: serve a site and open the console on it. ``attach`` is for one that is served already, and
a recording in place of the site file is shown.

The engine belongs to this module, not to the console: it is started before and stopped after, and a console that
crashes, is left, or loses its terminal leaves it serving. While nobody attends, Enter on the terminal opens the
console again and Ctrl-C stops the proxy; where the terminal is gone, SIGTERM drains and stops it. Nothing here prints
in a way that could wait for a terminal (see driver.tell), and nothing logs to one.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvloop

from proxy_core.control.cli.serve_site import drained, ready
from proxy_core.control.cli.subcommand import (
    EXIT_BAD_SITE,
    Parser,
    common_options,
    report,
    serving_options,
    site_argument,
)
from proxy_core.control.demo.scratch_site import move_listeners, sample, scratch_copy
from proxy_core.control.door.opening import opened
from proxy_core.control.engine import BadSite, Engine
from proxy_core.control.named_things import with_named_things
from proxy_core.control.recording.schema import is_database
from proxy_core.errors import Problem
from proxy_core.runtime.process_limits import open_standard_descriptors, settle
from rproxy_tui import attach, recorded
from rproxy_tui.app import ConsoleApp
from rproxy_tui.console import Ending
from rproxy_tui.cooperative import cooperate
from rproxy_tui.driver import ConsoleDriver, tell
from rproxy_tui.screens.first_run import first_run
from rproxy_tui.traces import keep_trace, log_to, state_folder

GRACE = 1.0
"""Seconds that a console may take to end once its terminal is gone or a signal came."""
SETTLE = 2.0
"""Seconds after which what is in memory is taken to stay there: the garbage collector no longer walks it."""
WALKS = 2_000, 4, 100
"""How often the garbage collector walks while there is a console (see ``settle``): a form makes some ten thousand
objects, and no request is to wait while all of them are walked at once."""
DEMO_RATE = 15.0
"""Requests per second of the demo traffic."""


NO_UPGRADE = (
    "a process with a console on its own terminal cannot leave that to another one: "
    "serve with rproxy, which can be upgraded, and stop this one"
)


class Signals:
    """What the process was told from outside. ``stop``: drain and end; ``cut``: a second time, so at once; ``hung``:
    the terminal is gone (in a process with a console SIGHUP never means reload)."""

    def __init__(self) -> None:
        self.stop, self.cut, self.hung = asyncio.Event(), asyncio.Event(), asyncio.Event()

    def install(self, engine: Engine) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.end)
        loop.add_signal_handler(signal.SIGHUP, self.hung.set)
        loop.add_signal_handler(signal.SIGUSR1, engine.reopen_logs)
        loop.add_signal_handler(
            signal.SIGUSR2, engine.recent_problems.add, Problem(what=NO_UPGRADE, severity="warning")
        )
        # A stopped process serves nobody: no key, and no shell that puts it into the background, may stop it.
        for number in (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU):
            signal.signal(number, signal.SIG_IGN)

    def end(self) -> None:
        """Drain and end; a second time, at once."""
        (self.cut if self.stop.is_set() else self.stop).set()


def whole() -> Parser:
    """The whole command line as one parser, of which completion in shells and the man page are made."""
    parser = _serving()
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", prog="rproxy-tui")
    attach.arguments(commands.add_parser("attach", help=attach.ABOUT, description=attach.ABOUT))
    return parser


def _serving() -> Parser:
    """The parser of ``rproxy-tui SITE.toml`` with its options, not yet with the site."""
    parser = Parser(
        "rproxy-tui",
        description="Serve a site, with a console to watch and edit it.",
        epilog="rproxy-tui attach opens the console on a service that runs: rproxy-tui attach --help.",
    )
    common_options(parser, whole)
    serving_options(parser)
    parser.add_argument("--demo", action="store_true", help="serve a scratch copy, with demo members and traffic")
    parser.add_argument("--read-only", action="store_true", help="a console that changes nothing")
    help_ = "of a recording, the moment to begin at: 02:30, or '2026-11-30 02:30'"
    parser.add_argument("--at", default="", metavar="TIME", help=help_)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``rproxy-tui``; returns the exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    open_standard_descriptors()
    if words[:1] == ["attach"]:
        return attach.main(words[1:])
    parser = _serving()
    site_argument(parser, nargs="?", help="the site file (TOML), or a recording; without it --demo serves a sample")
    given = parser.read(words)
    if given.site is None and not given.demo:
        parser.error("which site? Give its file, or --demo to look around, or write one: rproxy init site.toml")
    file: Path = given.site or sample()
    if is_database(file) and not given.demo:
        return recorded.shown(file, given.at)
    if not in_foreground():
        tell(f"rproxy-tui: needs a terminal in the foreground; `rproxy {file}` serves without one\n")
        return EXIT_BAD_SITE
    if not given.demo and given.control is not False and (served := attach.offered(file, given.control)):
        return attach.attach(str(served), given.read_only or None)
    site = file
    moved: tuple[Problem, ...] = ()
    if given.demo:
        try:
            file = scratch_copy(file)
            moved = move_listeners(file)
        except OSError as error:
            tell(f"rproxy-tui: cannot make a copy of {file}: {error.strerror}\n")
            return EXIT_BAD_SITE
    sys.setswitchinterval(0.0005)
    status = uvloop.run(serve(file, given, moved))
    if given.demo and not status:
        tell(f"rproxy-tui: the demo's edits are in {file}; {site} is as it was\n")
    return status


def in_foreground() -> bool:
    """Whether standard input is this process's own terminal, and its group the one that reads from it."""
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:  # no terminal at all, or that of another session (after setsid)
        return False


async def serve(file: Path, given: Namespace, notices: Sequence[Problem] = ()) -> int:
    """Serve ``file`` and attend to it until it shall stop; 2 when the file has errors. ``notices`` are shown among its
    problems for a while."""
    try:
        engine = Engine(file, console=True, allow_empty=given.allow_empty)
    except BadSite as bad:
        for problem in await with_named_things(bad.document, bad.problems):
            report(problem)
        return EXIT_BAD_SITE
    signals = Signals()
    signals.install(engine)
    log_to(state_folder(file))
    await engine.start()
    for notice in notices:
        engine.recent_problems.add(notice)
    if given.demo:
        await engine.start_demo()
        engine.start_demo_traffic(DEMO_RATE)
    door = await opened(engine, given.control, signals.end, no_upgrade)
    asyncio.get_running_loop().call_later(SETTLE, settle, *WALKS)
    if await attended(engine, signals, given.read_only) == "cut":
        signals.cut.set()
    if in_flight := engine.snapshot().in_flight:
        tell(f"rproxy: waiting for {in_flight} in flight; Ctrl-C cuts them\n")
    cut = await drained(engine, signals.cut)
    if door is not None:
        await door.close()
    tell(f"rproxy: stopped, {cut} cut\n")
    return 0


async def no_upgrade() -> str:
    raise ValueError(NO_UPGRADE)


async def attended(engine: Engine, signals: Signals, read_only: bool = False) -> Ending:
    """Consoles, one after the other, until one of them or a signal says that the proxy shall end, and how."""
    while True:
        welcome = first_run(state_folder())
        app = ConsoleApp(engine, read_only=read_only, driver_class=ConsoleDriver, welcome=welcome)
        await console(app, signals)
        trace = keep_trace(app.crash, state_folder(engine.file)) if app.crash is not None else ""
        if not app.lost.is_set() and not signals.stop.is_set():
            if app.crash is None and app.return_value != "serve":
                return app.return_value or "drain"
            crashed = f"rproxy-tui: the console crashed: {app.crash!r}\nThe trace is in {trace}\n" if trace else ""
            tell(f"{crashed}{ready(engine)}\nEnter opens the console again; Ctrl-C stops the proxy.\n")
            if await asked_back(signals):
                continue
        if not signals.stop.is_set():
            let_go_of_terminal()
            await signals.stop.wait()
        return "drain"


async def console(app: ConsoleApp, signals: Signals) -> None:
    """Run the console until it ends. One whose terminal is gone, or that a signal ends, gets ``GRACE`` for it."""
    cooperate(asyncio.get_running_loop())
    running = asyncio.create_task(app.run_async())
    await any_of(running, signals.stop, signals.hung, app.lost)
    if signals.hung.is_set():
        app.hang_up()
    elif not running.done():
        app.exit("drain")
    await asyncio.wait({running}, timeout=GRACE)
    running.cancel()
    await asyncio.wait({running}, timeout=GRACE)


async def any_of(future: asyncio.Future[Any], *events: asyncio.Event) -> None:
    """Wait until the future is done or one of the events is set."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait((future, *waits), return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()


async def asked_back(signals: Signals) -> bool:
    """Wait on the terminal: True for Enter, False when the terminal or the proxy is to be let go of."""
    loop = asyncio.get_running_loop()
    asked: asyncio.Future[bool] = loop.create_future()

    def read() -> None:
        try:
            line = os.read(0, 4096)  # a whole line is there: the terminal is in its usual mode again
        except OSError:
            line = b""
        if not asked.done():
            asked.set_result(bool(line))

    loop.add_reader(0, read)
    await any_of(asked, signals.stop, signals.hung)
    loop.remove_reader(0)
    return asked.done() and asked.result()


def let_go_of_terminal() -> None:
    """Put the null device in the terminal's place, so that no later read or write meets what is gone."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.close(null)


if __name__ == "__main__":
    sys.exit(main())
