"""``rproxy SITE.toml``: serve without a console until a signal says stop.

SIGTERM and SIGINT drain; a second one cuts. SIGHUP takes the site file as it stands on disk, SIGUSR1 opens the access
log anew.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from argparse import Namespace
from pathlib import Path

import uvloop

from proxy_core.control.cli.subcommand import EXIT_BAD_SITE, Subcommand, report, report_all, serving_arguments
from proxy_core.control.editing.commands import Refused
from proxy_core.control.engine import BadSite, Engine
from proxy_core.runtime.process_limits import settle


def _run(given: Namespace) -> int:
    return uvloop.run(serve(given.site, allow_empty=given.allow_empty))


async def serve(file: Path, *, allow_empty: bool = False) -> int:
    """Serve ``file`` until a signal says stop; 2 when it has errors."""
    try:
        engine = Engine(file, report, allow_empty=allow_empty)
    except BadSite as bad:
        report_all(bad.problems)
        return EXIT_BAD_SITE
    await engine.start()
    settle()
    report_all(engine.problems())
    print(ready(engine), flush=True)
    await until_stopped(engine)
    return 0


def ready(engine: Engine) -> str:
    """The line that says where requests are accepted."""
    snapshot = engine.snapshot()
    hosts = [(state, state.address.rpartition(":")[0] or "*") for state in snapshot.listeners]
    addresses = ", ".join(f"{state.name} http://{host}:{state.port}" for state, host in hosts) or "nowhere"
    return f"rproxy: ready on {addresses} (generation {snapshot.generation}, pid {os.getpid()})"


async def until_stopped(engine: Engine) -> None:
    """Heed signals until one of them stops the engine, and stop it."""
    loop = asyncio.get_running_loop()
    stop, cut = asyncio.Event(), asyncio.Event()
    background: set[asyncio.Task[None]] = set()

    def stopping() -> None:
        (cut if stop.is_set() else stop).set()

    def reloading() -> None:
        task = asyncio.create_task(_reload(engine))
        background.add(task)
        task.add_done_callback(background.discard)

    handlers = {signal.SIGTERM: stopping, signal.SIGINT: stopping, signal.SIGHUP: reloading,
                signal.SIGUSR1: engine.reopen_logs}  # fmt: skip
    for number, handler in handlers.items():
        loop.add_signal_handler(number, handler)
    await stop.wait()
    in_flight = engine.snapshot().in_flight
    print(f"rproxy: draining {in_flight} in flight; the same signal again cuts them", file=sys.stderr, flush=True)
    print(f"rproxy: stopped, {await drained(engine, cut)} cut", file=sys.stderr, flush=True)


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


async def _reload(engine: Engine) -> None:
    result = await engine.reload()
    if isinstance(result, Refused):
        report_all(result.problems)
        print("rproxy: not reloaded; the running site stays", file=sys.stderr, flush=True)
    else:
        report_all(result.warnings)
        print(f"rproxy: {result.sentence} (generation {result.generation})", file=sys.stderr, flush=True)


SERVE = Subcommand(
    "Serve a site. The other commands are check, explain, import and export: rproxy check --help.",
    serving_arguments,
    _run,
)
