"""What pages, dialogs and the palette may ask of the console: its verbs, and what it knows of this moment.

They know this and not the app, so that the app alone knows them all. Nothing here has a state of its own.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol, TypeVar

from textual.message import Message
from textual.screen import Screen

from proxy_core.control.door.link import Link
from proxy_core.control.editing.commands import Command, Refused, Result
from proxy_core.control.view import EngineView, SiteState, Snapshot
from proxy_core.control.watching.log_records import Record
from proxy_core.errors import Address, Problem
from rproxy_tui.governor import Governor
from rproxy_tui.time_cursor import TimeCursor

Outcome = TypeVar("Outcome")
Ending = Literal["drain", "cut", "serve"]
"""What shall become of the engine when the console ends: finish what is in flight and stop, stop at once, serve on."""


class SiteChanged(Message, bubble=False):
    """Another state of the site is in force; every screen hears of it, be it on top or not."""


class Attachment(Protocol):
    """What a console that is attached to a service can do beside what its EngineView says."""

    def link(self) -> Link: ...

    async def stop_service(self) -> str:
        """Have the service stopped; gives what is told of it."""


def link_news(before: Link, now: Link) -> tuple[str, str] | None:
    """What is to be said when the service was lost or answers again, with its severity; None where neither happened."""
    if before.pid != now.pid:
        return f"attached again: the service was started anew, as process {now.pid}", "warning"
    if bool(before.lost) == bool(now.lost):
        return None
    return (now.lost, "error") if now.lost else ("attached again: the service answers", "success")


class ConsoleVerbs(Protocol):
    """The app, as what it shows sees it. Whatever asks the person is awaited in a worker (``textual.work``)."""

    engine: EngineView
    """What runs the proxy; only ``submit`` and ``do`` change anything of it."""
    read_only: bool
    """Whether every command is refused."""
    governor: Governor
    """It measures what painting costs."""
    snapshot: Snapshot
    """The numbers that are shown: those of the last tick, or of the moment that ``time`` is on."""
    time: TimeCursor
    """Which moment is shown."""
    state: SiteState
    """The site in force at the last tick."""
    problems: tuple[Problem, ...]
    """What was wrong at the last look, a second ago at the most."""
    link: Link | None
    """How the service is reached that it is attached to; None where the engine is in this process."""
    ctl: str
    """The line for a shell that does what was done here last; "" before anything was."""

    @property
    def stalled(self) -> bool:
        """The terminal has stopped reading: what would be painted now is lost."""

    def tick(self) -> None:
        """Pull once and let the page on screen show it."""

    def say(self, text: str, severity: str = "muted") -> None:
        """Put a sentence into the last row for some seconds. ``severity``: success, warning, error or muted."""

    def copy(self, text: str, what: str) -> None:
        """Put a text into the clipboard, made printable, and say ``what`` was copied."""

    async def ask(self, dialog: Screen[Outcome]) -> Outcome | None:
        """Show a dialog and wait for what it ends with; None when it was left."""

    async def submit(self, command: Command) -> Result:
        """The one door for changes. A read-only console refuses."""

    async def do(self, command: Command, confirm: str = "", detail: str = "", yes: str = "Yes") -> bool:
        """Submit a command, after a question when ``confirm`` holds one; say what came of it. True when applied."""

    async def purge(self, prefix: str) -> None:
        """Throw out what the shared cache has of URLs that begin so, on every host."""

    def changeable(self) -> bool:
        """Whether what is shown is now, so that it can be changed; else says so."""

    def refused(self, result: Refused) -> None:
        """Say why nothing was changed, in a list where it is more than one thing."""

    async def edit(self, address: Address) -> None:
        """A form for the row or table at ``address``."""

    async def add(self, address: Address, row: dict[str, Any], before: str = "") -> str:
        """A form for a new row of the list at ``address``, above the row ``before``, or for a new named table under
        it. ``row`` is what the form starts with. Returns the id or name of what was added, "" for none."""

    async def go_to(self, address: Address) -> None:
        """Show the row or table at an address: on its page, or in a form where it has none."""

    async def explain_request(self, record: Record) -> None:
        """Show why a request that came went where it went."""

    async def stop_service(self) -> None:
        """Stop the service that the console is attached to, after a question."""

    async def start_demo(self) -> None:
        """Start an upstream for every loopback member that refuses connections."""

    async def run_action(self, action: str) -> bool:
        """Do what a key of the console does, by the name of its action."""
