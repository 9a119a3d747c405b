"""``rproxy SITE.toml``: serve without a console until a signal says stop.

SIGTERM and SIGINT drain; a second one cuts. SIGHUP takes the site file as it stands on disk, SIGUSR1 opens the access
log anew. What happens is told on standard error, a line an event (``event_log``).
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from argparse import Namespace
from contextlib import suppress
from pathlib import Path

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
from proxy_core.control.watching.event_log import EventLog, LibraryHandler, LineSink, in_journal
from proxy_core.control.watching.events import Event, Sight
from proxy_core.printable import printable
from proxy_core.runtime.process_limits import open_standard_descriptors, settle


def _run(given: Namespace) -> int:
    open_standard_descriptors()
    return uvloop.run(serve(given.site, allow_empty=given.allow_empty, control=given.control))


async def serve(file: Path, *, allow_empty: bool = False, control: Place = None) -> int:
    """Serve ``file`` until a signal or somebody at the door says stop; 2 when it has errors, 1 when it can bind no
    listener."""
    journal = in_journal()
    log = EventLog(LineSink(), journal)
    try:
        engine = Engine(file, allow_empty=allow_empty)
    except BadSite as bad:
        report_all(await with_named_things(bad.document, bad.problems), "<3>" if journal else "")
        return EXIT_BAD_SITE
    log.settings = engine.site().site.log
    _listen_to_python(log)
    log.see(Sight(settings=log.settings, remarks=await engine.told_by_check()))
    await engine.start()
    stop, cut = heeded(engine, log)
    settle()
    log.see(engine.sight())
    if engine.site().site.listeners and not engine.snapshot().listeners:
        log.tell(Event(level="error", kind="stopped", text="no listener could be bound: nothing can be served"))
        await engine.stop(0)
        return EXIT_NO_LISTENER
    door = await opened(engine, control, lambda: (cut if stop.is_set() else stop).set())
    with suppress(OutputLost):
        say(ready(engine))
    engine.watch = log.see
    await stop.wait()
    in_flight = engine.snapshot().in_flight
    text = "stopping: nothing is in flight"
    if in_flight:
        text = f"stopping: {in_flight} in flight may finish; the same signal again cuts them"
    log.tell(Event(level="info", kind="draining", text=text, facts={"in_flight": in_flight}))
    faults = engine.sight().faults
    lost = await drained(engine, cut)
    if door is not None:
        await door.close()
    log.see(replace(engine.sight(), faults=faults))  # what is wrong is not over because nobody serves any more
    log.tell(Event(level="info", kind="stopped", text=f"stopped, {lost} cut", facts={"cut": lost}))
    return 0


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


def heeded(engine: Engine, log: EventLog) -> tuple[asyncio.Event, asyncio.Event]:
    """Heed signals from now on: one that says stop sets the first event, one more the second. To be called before
    anybody is told that the proxy is ready: a SIGHUP that nobody heeds ends the process."""
    loop = asyncio.get_running_loop()
    stop, cut = asyncio.Event(), asyncio.Event()
    background: set[asyncio.Task[None]] = set()

    def stopping() -> None:
        (cut if stop.is_set() else stop).set()

    def reloading() -> None:
        task = asyncio.create_task(_reload(engine, log))
        background.add(task)
        task.add_done_callback(background.discard)

    handlers = {signal.SIGTERM: stopping, signal.SIGINT: stopping, signal.SIGHUP: reloading,
                signal.SIGUSR1: engine.reopen_logs}  # fmt: skip
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


async def _reload(engine: Engine, log: EventLog) -> None:
    before = engine.snapshot().generation
    result = await engine.reload()
    if isinstance(result, Refused):
        log.refused(engine.sight())
        return
    log.see(engine.sight())
    if result.generation == before:
        text = f"reloaded: {result.sentence} (generation {before})"
        log.tell(Event(level="info", kind="config_reloaded", text=text, facts={"generation": before}))


SERVE = Subcommand(site_argument, _run)
