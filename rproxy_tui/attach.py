"""``rproxy-tui attach``: the console on a service that runs already, here or on another machine.

It shows and does what the console inside does, through the control socket, and there may be several at once. Leaving
it, losing its terminal or killing it does nothing to the service. Where Textual is told to paint for a browser
(``TEXTUAL_DRIVER``, which textual-serve sets) it needs no terminal and is read-only unless it is said that it is not:
whoever reaches the page is the one who started it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shlex
import signal
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvloop

from proxy_core.config.reading.document import read
from proxy_core.control.cli.ctl import named_socket
from proxy_core.control.cli.subcommand import EXIT_BAD_SITE, Parser
from proxy_core.control.door.async_client import DoorLine
from proxy_core.control.door.client import Denied, DoorClient, NobodyThere
from proxy_core.control.door.endpoints import Hello
from proxy_core.control.door.remote_view import OtherProtocol, RemoteView
from proxy_core.control.door.socket_path import answers, socket_path
from proxy_core.printable import printable_lines
from rproxy_tui.app import ConsoleApp
from rproxy_tui.driver import ConsoleDriver, tell
from rproxy_tui.screens.first_run import first_run
from rproxy_tui.traces import keep_trace, log_to, state_folder
from rproxy_tui.tunnel import NoTunnel, SshTunnel, far

EXIT_NOBODY = 5
PORT = 8000
"""Where a browser finds the console."""
WEB = "TEXTUAL_DRIVER"
"""Set by who has the console paint for a browser."""


ABOUT = "Open the console on a service that runs. q leaves it running."


def arguments(parser: argparse.ArgumentParser) -> None:
    """Teach a parser what stands behind ``rproxy-tui attach``."""
    help_ = "its control socket, or its name, or ssh://user@host[:port][/NAME]; not needed where one service runs"
    parser.add_argument("service", nargs="?", metavar="SOCKET", help=help_)
    help_ = "a console that changes nothing; in a browser it is one, unless --no-read-only"
    parser.add_argument("--read-only", action=argparse.BooleanOptionalAction, default=None, help=help_)
    help_ = f"show it in a browser of this machine, at http://localhost:{PORT} (pip install 'rproxy-tui[web]')"
    parser.add_argument("--browser", nargs="?", type=int, const=PORT, metavar="PORT", help=help_)


def main(given_words: Sequence[str]) -> int:
    """Run ``rproxy-tui attach``; returns the exit status."""
    parser = Parser("rproxy-tui attach", description=ABOUT)
    arguments(parser)
    given = parser.read(given_words)
    if given.browser is not None:
        return in_browser(given)
    if WEB not in os.environ and not sys.stdin.isatty():
        tell("rproxy-tui attach: needs a terminal; rproxy ctl asks a service without one\n")
        return EXIT_BAD_SITE
    return attach(given.service, given.read_only)


def attach(service: str | None, read_only: bool | None = None) -> int:
    """The console on the service that is meant; the exit status."""
    if service is not None and service.startswith("ssh://"):
        return uvloop.run(through_ssh(service, read_only))
    path = named_socket(service, "rproxy-tui attach", "")
    return path if isinstance(path, int) else uvloop.run(at_socket(path, read_only))


async def through_ssh(service: str, read_only: bool | None) -> int:
    try:
        tunnel = SshTunnel(far(service))
    except NoTunnel as error:
        return told(str(error))
    try:
        await tunnel.open()
        return await at_socket(tunnel.path, read_only)
    except NoTunnel as error:
        return told(str(error))
    finally:
        await tunnel.close()


async def at_socket(path: Path, read_only: bool | None) -> int:
    """The console until it is left."""
    log_to(state_folder())
    view = RemoteView(DoorLine(path))
    try:
        await view.open()
        web = WEB in os.environ
        app = ConsoleApp(
            view,
            read_only=(web if read_only is None else read_only) or not view.may_write,
            driver_class=None if web else ConsoleDriver,
            attachment=view,
            author=view.you,
            welcome=first_run(state_folder()),
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, app.exit)
        loop.add_signal_handler(signal.SIGHUP, app.hang_up)
        signal.signal(signal.SIGTSTP, signal.SIG_IGN)  # stopped, it would leave a terminal that nobody can use
        await app.run_async()
    except (NobodyThere, OtherProtocol, Denied) as error:
        return told(str(error))
    finally:
        await view.close()
    if app.crash is not None:
        trace = keep_trace(app.crash, state_folder())
        return told(f"the console crashed: {app.crash!r}; the service serves on. The trace is in {trace}", 1)
    if not app.lost.is_set():
        tell("rproxy-tui: detached, the service serves on\n")
    return 0


def told(words: str, status: int = EXIT_NOBODY) -> int:
    tell(printable_lines(f"rproxy-tui attach: {words}\n"))
    return status


def in_browser(given: Namespace) -> int:
    """Show consoles in browsers of this machine, one for each page that is opened."""
    try:
        from textual_serve import server
    except ImportError:
        return told("a browser needs one package more: pip install 'rproxy-tui[web]'", EXIT_BAD_SITE)
    words = [sys.executable, "-m", "rproxy_tui", "attach", *([given.service] if given.service else [])]
    if given.read_only is False:
        words.append("--no-read-only")
    own = {f"http://{name}:{given.browser}" for name in ("localhost", "127.0.0.1")}

    class OwnPages(server.Server):  # type: ignore[misc]  # where it is not there, it is anything
        """Pages of others, which the same browser may show, get no console."""

        async def handle_websocket(self, request: Any) -> Any:
            if request.headers.get("Origin") not in own or f"http://{request.host}" not in own:
                raise server.web.HTTPForbidden
            return await super().handle_websocket(request)

    OwnPages(shlex.join(words), host="localhost", port=given.browser, title="rproxy").serve()
    return 0


def offered(file: Path, control: Path | None) -> Path | None:
    """Where a site is served already, and whoever asks would rather attach: the socket."""
    site = read(file).site
    path = control or socket_path(file, site.control.name if site else "")
    if not answers(path):
        return None
    try:
        hello = greeted(path)
    except (NobodyThere, Denied):
        return None
    tell(printable_lines(f"{file} is served already, by process {hello.pid}.\n"))
    tell("Attach to it? A second service would only read the file. [Y/n] ")
    answer = sys.stdin.readline()
    return path if answer and answer.strip().lower() in ("", "y", "yes") else None


def greeted(path: Path) -> Hello:
    client = DoorClient(path, 5.0)
    try:
        return client.hello()
    finally:
        client.close()
