"""``rproxy``: the engine without a console.

``rproxy SITE.toml`` serves until SIGTERM or SIGINT, which drain; a second one cuts. SIGHUP takes the site file as it
stands on disk, SIGUSR1 opens the access log anew. ``rproxy check SITE.toml`` lists every problem of a site file and
exits 2 when there is an error. ``rproxy explain SITE.toml URL`` tells what would become of a request, and why.
``rproxy import httpd.conf -o SITE.toml`` makes a site file of an Apache configuration, ``rproxy export --to apache
SITE.toml -o httpd.conf`` the other way round.
Problems go to standard error, one a line, as ``file:line:column: what, what to do``.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
import uvloop

from proxy_core.config.reading.document import read
from proxy_core.control.editing.commands import Refused
from proxy_core.control.editing.editor import check
from proxy_core.control.engine import BadSite, Engine
from proxy_core.control.explaining.explain import explain, spelled
from proxy_core.control.explaining.question_line import arguments, question
from proxy_core.control.import_export import export_configuration, import_configuration
from proxy_core.control.view import Question
from proxy_core.errors import Problem, errors
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.error_files import unreadable
from proxy_core.runtime.fact_sources import Outside
from proxy_core.runtime.maps.store import MapStore
from proxy_core.runtime.process_limits import settle
from proxy_core.runtime.registry import Registry

EXIT_BAD_SITE = 2

_ABOUT = "Serve a site. The other commands are check, explain, import and export: rproxy check --help."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``rproxy``; returns the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["check"]:
        return check_file(_arguments("rproxy check", "List every problem of a site file.", given[1:]))
    if given[:1] == ["explain"]:
        return explain_file(given[1:])
    if given[:1] == ["import"]:
        return import_configuration(given[1:])
    if given[:1] == ["export"]:
        return export_configuration(given[1:])
    return uvloop.run(serve(_arguments("rproxy", _ABOUT, given)))


def _arguments(program: str, description: str, given: list[str]) -> Path:
    parser = argparse.ArgumentParser(program, description=description)
    parser.add_argument("site", type=Path, help="the site file (TOML)")
    site: Path = parser.parse_args(given).site
    return site


def report(problem: Problem) -> None:
    with suppress(OSError):  # a full disk, or nobody who reads: serving goes on
        print(problem, file=sys.stderr, flush=True)


def check_file(file: Path) -> int:
    """Print every problem of ``file``; 2 when there is an error, else 0."""
    document = read(file)
    problems = check(document)
    if document.site is not None:
        problems += tuple(map(document.located, unreadable(document.site, file.parent)))
    status = EXIT_BAD_SITE if errors(problems) or document.site is None else 0
    lines = [str(problem) for problem in problems]
    if not status:
        warnings = f", with {len(problems)} warning{'s' * (len(problems) > 1)}" if problems else ""
        lines.append(f"{file}: sound{warnings}")
    say("\n".join(lines))
    return status


def say(text: str) -> None:
    """Print what was asked for."""
    try:
        print(text, flush=True)
    except BrokenPipeError:  # whoever read it had enough; what is left must not be tried again at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def explain_file(given: list[str]) -> int:
    """Print what would become of a request to the site in a file, and why; 2 when the site has errors."""
    parser = argparse.ArgumentParser("rproxy explain", description="Tell what would become of a request, and why.")
    parser.add_argument("site", type=Path, help="the site file (TOML)")
    arguments(parser)
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")
    asked = parser.parse_args(given)
    try:
        wanted = question(asked)
    except ValueError as error:
        parser.error(str(error))
    return uvloop.run(_explain(asked.site, wanted, asked.json))


async def _explain(file: Path, question: Question, as_json: bool) -> int:
    document = read(file)
    problems = check(document)
    if errors(problems) or document.site is None:
        for problem in errors(problems):
            report(problem)
        return EXIT_BAD_SITE
    maps = MapStore(report)
    prepared = await maps.prepare(document.site, file.parent)
    for problem in prepared.problems:
        report(document.located(problem))
    maps.commit(prepared)
    try:
        told = await explain(compile_site(document.site, Registry(), 1), Outside(maps), question)
    except ValueError as error:
        print(f"rproxy explain: {question.url}: {error}", file=sys.stderr)
        return EXIT_BAD_SITE
    finally:
        await maps.close()
    say(msgspec.json.format(msgspec.json.encode(told)).decode() if as_json else spelled(told))
    return 0


async def serve(file: Path) -> int:
    """Serve ``file`` until a signal says stop; 2 when it has errors."""
    try:
        engine = Engine(file, report)
    except BadSite as bad:
        for problem in bad.problems:
            report(problem)
        return EXIT_BAD_SITE
    await engine.start()
    settle()
    for problem in engine.problems():
        report(problem)
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
        for problem in result.problems:
            report(problem)
        print("rproxy: not reloaded; the running site stays", file=sys.stderr, flush=True)
    else:
        print(f"rproxy: {result.sentence} (generation {result.generation})", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
