"""``rproxy SITE.toml``: serve without a console until a signal says stop.

SIGTERM and SIGINT drain; a second one cuts. SIGHUP takes the site file as it stands on disk, SIGUSR1 opens the access
log anew, SIGUSR2 lets the program that is on disk take over. What happens is told on standard error, a line an event
(``event_log``), and in short to a service manager.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from argparse import Namespace
from collections.abc import Coroutine
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import uvloop
from msgspec.structs import replace

from proxy_core.control.cli.subcommand import (
    EXIT_BAD_SITE,
    EXIT_NO_LISTENER,
    OutputLost,
    Subcommand,
    report_all,
    say,
    site_argument,
)
from proxy_core.control.door.opening import Place, opened
from proxy_core.control.editing.commands import Refused
from proxy_core.control.engine import BadSite, Engine
from proxy_core.control.named_things import with_named_things
from proxy_core.control.upgrading.predecessor import CalledOff, Predecessor, predecessor
from proxy_core.control.upgrading.service_manager import ServiceManager
from proxy_core.control.upgrading.upgrade import Upgrade
from proxy_core.control.watching.event_log import EventLog, LibraryHandler, LineSink, in_journal
from proxy_core.control.watching.events import Event, Sight
from proxy_core.control.watching.member_standing import standings
from proxy_core.errors import Problem, errors
from proxy_core.printable import printable
from proxy_core.runtime.process_limits import open_standard_descriptors, settle


def _run(given: Namespace) -> int:
    open_standard_descriptors()
    return uvloop.run(serve(given.site, allow_empty=given.allow_empty, control=given.control))


async def serve(file: Path, *, allow_empty: bool = False, control: Place = None) -> int:
    """Serve ``file`` until a signal or somebody at the door says stop, or another process serves it; 2 when it has
    errors, 1 when it can bind no listener."""
    journal = in_journal()
    log = EventLog(LineSink(), journal)
    try:
        before = await predecessor(os.environ)
    except CalledOff as why:
        log.tell(Event(level="error", kind="stopped", text=f"not started: {why}"))
        return EXIT_NO_LISTENER
    manager = ServiceManager(os.environ, quiet=before.is_there)
    try:
        engine = Engine(file, allow_empty=allow_empty, kept=before.kept)
    except BadSite as bad:
        problems = await with_named_things(bad.document, bad.problems)
        await before.failed(errors(problems))
        report_all(problems, "<3>" if journal else "")
        return EXIT_BAD_SITE
    log.settings = engine.site().site.log
    _listen_to_python(log)
    if before.cold is not None:
        engine.recent_problems.add(before.cold)
    log.see(Sight(settings=log.settings, remarks=await engine.told_by_check()))
    await engine.start()
    upgrade = Upgrade(engine.handing_over, manager, log.tell)
    stop, cut = heeded(engine, log, manager, upgrade)
    settle()
    log.see(engine.sight())
    if engine.site().site.listeners and not engine.snapshot().listeners:
        await before.failed([Problem(what="no listener could be bound")])
        log.tell(Event(level="error", kind="stopped", text="no listener could be bound: nothing can be served"))
        await engine.stop(0)
        return EXIT_NO_LISTENER
    stopping = lambda: (cut if stop.is_set() else stop).set()  # noqa: E731
    upgrade.door = await opened(engine, control, stopping, upgrade, before.control)
    following = asyncio.create_task(_taken_over(engine, before, manager))
    with suppress(OutputLost):
        say(ready(engine))
    engine.watch = partial(_watched, log, manager)
    await _first(stop, upgrade.done)
    await upgrade.call_off()
    manager.stopping()
    if upgrade.done.is_set():
        engine.watch = None
        await _first(stop, asyncio.create_task(engine.handing_over.finished()))
    else:
        _tell_draining(engine, log)
    faults = engine.sight().faults
    lost = await drained(engine, cut)
    if upgrade.door is not None:
        await upgrade.door.close()
    if not upgrade.done.is_set():
        log.see(replace(engine.sight(), faults=faults))  # what is wrong is not over because nobody serves any more
    await upgrade.finish()
    following.cancel()
    await manager.close()
    log.tell(Event(level="info", kind="stopped", text=f"stopped, {lost} cut", facts={"cut": lost}))
    return 0


async def _taken_over(engine: Engine, before: Predecessor, manager: ServiceManager) -> None:
    """Say that requests are served: to the process before, where there is one, and then to the service manager."""
    for address in before.begin(engine.handing_over):
        what = f"a socket that listens on {address} was handed over, and no listener has that address"
        todo = "take it out of the socket unit, or add such a listener: who connects there waits for nothing"
        engine.recent_problems.add(Problem(what=what, todo=todo, severity="warning"))
    if before.is_there:
        await before.follow(engine.handing_over, manager.speak)
    else:
        manager.speak()


def _watched(log: EventLog, manager: ServiceManager, sight: Sight) -> None:
    log.see(sight)
    manager.status(f"generation {sight.generation}; {standings(sight.members)}")


def _tell_draining(engine: Engine, log: EventLog) -> None:
    in_flight = engine.snapshot().in_flight
    text = "stopping: nothing is in flight"
    if in_flight:
        text = f"stopping: {in_flight} in flight may finish; the same signal again cuts them"
    log.tell(Event(level="info", kind="draining", text=text, facts={"in_flight": in_flight}))


async def _first(event: asyncio.Event, other: asyncio.Event | asyncio.Task[None]) -> None:
    """Wait until one of the two is there."""
    tasks: list[asyncio.Task[Any]] = [asyncio.create_task(event.wait())]
    tasks.append(asyncio.create_task(other.wait()) if isinstance(other, asyncio.Event) else other)
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


def _listen_to_python(log: EventLog) -> None:
    """What libraries and Python itself would write to standard error goes to the log, which waits for nobody."""
    logging.getLogger().addHandler(LibraryHandler(log))
    logging.captureWarnings(True)
    logger = logging.getLogger("python")

    def unraisable(found: sys.UnraisableHookArgs) -> None:
        trace = (found.exc_type, found.exc_value or found.exc_type(), found.exc_traceback)
        logger.error("%s: %r", found.err_msg or "an exception that nobody could catch", found.object, exc_info=trace)

    sys.unraisablehook = unraisable


def ready(engine: Engine) -> str:
    """The line that says where requests are accepted."""
    snapshot = engine.snapshot()
    addresses = ", ".join(f"{printable(state.name)} {state.url}" for state in snapshot.listeners) or "nowhere"
    return f"rproxy: ready on {addresses} (generation {snapshot.generation}, pid {os.getpid()})"


def heeded(
    engine: Engine, log: EventLog, manager: ServiceManager, upgrade: Upgrade
) -> tuple[asyncio.Event, asyncio.Event]:
    """Heed signals from now on: one that says stop sets the first event, one more the second. To be called before
    anybody is told that the proxy is ready: a SIGHUP that nobody heeds ends the process."""
    loop = asyncio.get_running_loop()
    stop, cut = asyncio.Event(), asyncio.Event()
    background: set[asyncio.Task[None]] = set()

    def stopping() -> None:
        (cut if stop.is_set() else stop).set()

    def begun(what: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(what)
        background.add(task)
        task.add_done_callback(background.discard)

    def reloading() -> None:
        if not upgrade.done.is_set():
            begun(_reload(engine, log, manager))

    handlers = {signal.SIGTERM: stopping, signal.SIGINT: stopping, signal.SIGHUP: reloading,
                signal.SIGUSR1: engine.reopen_logs, signal.SIGUSR2: lambda: begun(upgrade.signalled())}  # fmt: skip
    for number, handler in handlers.items():
        loop.add_signal_handler(number, handler)
    return stop, cut


async def drained(engine: Engine, cut: asyncio.Event) -> int:
    """Stop the engine, waiting for what is in flight until ``cut`` is set. Returns how many requests were cut."""
    draining = asyncio.create_task(engine.stop())
    cutting = asyncio.create_task(cut.wait())
    await asyncio.wait((draining, cutting), return_when=asyncio.FIRST_COMPLETED)
    cutting.cancel()
    if not draining.done():
        draining.cancel()
        draining = asyncio.create_task(engine.stop(0))
    return await draining


async def _reload(engine: Engine, log: EventLog, manager: ServiceManager) -> None:
    before = engine.snapshot().generation
    manager.reloading()
    try:
        result = await engine.reload()
    finally:
        manager.ready()
    if isinstance(result, Refused):
        log.refused(engine.sight(), result.problems)
        return
    log.see(engine.sight())
    if result.generation == before:
        text = f"reloaded: {result.sentence} (generation {before})"
        log.tell(Event(level="info", kind="config_reloaded", text=text, facts={"generation": before}))


SERVE = Subcommand(site_argument, _run)
