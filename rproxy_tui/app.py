"""The console: one clock, the pages, and the one way in which a key changes anything.

The app holds an EngineView and nothing else of the engine. Once a tick it pulls one Snapshot for the whole console
and hands it to the page on screen; pages and widgets that are not on screen cost nothing. Whatever a person wants to
change becomes a Command that ``do`` submits; the outcome is said in the last row, a refusal lists its problems.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from textual import work
from textual.app import App
from textual.content import Content

from proxy_core.control.commands import Applied, Command, Redo, Refused, Result, Undo
from proxy_core.control.view import EngineView, SiteState, Snapshot
from proxy_core.errors import Address, Problem
from rproxy_tui import keys, theme
from rproxy_tui.draft import Draft, existing, fresh, thing
from rproxy_tui.page import Page
from rproxy_tui.pages import PAGES
from rproxy_tui.screens.form import FormScreen
from rproxy_tui.widgets.confirm import Choice
from rproxy_tui.widgets.key_hints import KeyHints
from rproxy_tui.widgets.status_line import Masthead, StatusLine, masthead, vital_signs

TICK = 0.1
"""Seconds between looks at the clock; a page is pulled at its own ``hertz``, which is at most this often."""

READ_ONLY = Problem(what="this console is read-only: nothing was changed", todo="start it without --read-only to edit")


class ConsoleApp(App[None], inherit_bindings=False):
    """The console of one engine. It neither starts nor stops the engine."""

    CSS_PATH = sorted(Path(__file__).parent.rglob("*.tcss"))
    MODES = {**PAGES}
    BINDINGS = keys.SHARED
    ENABLE_COMMAND_PALETTE = True

    def __init__(self, engine: EngineView, *, read_only: bool = False) -> None:
        super().__init__()
        self.engine = engine
        self.read_only = read_only
        self.snapshot: Snapshot = engine.snapshot()
        self.state: SiteState = engine.site()
        self.cost = 0.0
        for each in theme.THEMES:
            self.register_theme(each)
        self.theme = self.state.site.console.theme

    def on_mount(self) -> None:
        self._take_settings()
        self.switch_mode("1")
        self.set_interval(TICK, self.tick)

    def tick(self) -> None:
        """Pull once and let the page on screen show it."""
        self.snapshot = snapshot = self.engine.snapshot()
        if snapshot.generation != self.state.generation:
            self.state = self.engine.site()
            self._take_settings()
        screen = self.screen
        if isinstance(screen, Page) and screen.is_mounted:
            screen.pull(snapshot)
            width = self.size.width
            file = Path(self.state.file).name
            screen.query_one(Masthead).show(masthead(screen.key, file, snapshot, width))
            screen.query_one(StatusLine).show(vital_signs(snapshot, self.cost, width))

    def _take_settings(self) -> None:
        console = self.state.site.console
        self.theme = console.theme
        self.set_keymap(console.keys)

    # What pages ask for

    async def submit(self, command: Command) -> Result:
        """The one door: what the console was asked to change goes through here."""
        if self.read_only:
            return Refused(problems=(READ_ONLY,))
        return await self.engine.submit(command)

    async def do(self, command: Command, confirm: str | None = None) -> bool:
        """Submit a command, after a question when ``confirm`` holds one; say what came of it. True when applied."""
        if self.read_only:
            self.say(f"{READ_ONLY.what}, {READ_ONLY.todo}", "warning")
            return False
        if confirm is not None and not await self.confirm(confirm):
            return False
        result = await self.submit(command)
        if isinstance(result, Applied):
            self.applied(result)
            return True
        self.refused(result)
        return False

    def applied(self, result: Applied) -> None:
        self.tick()
        self.say(f"applied as generation {result.generation}: {result.sentence} (u takes it back)", "success")

    def refused(self, result: Refused) -> None:
        self.say("not applied: " + "; ".join(map(str, result.problems)), "error")

    async def edit(self, address: Address) -> None:
        """A form for the row or table at ``address``."""
        await self._fill(existing(self.engine.site().site, address), address)

    async def add(self, address: Address, row: dict[str, Any], before: str = "", named: bool = False) -> None:
        """A form for a new row of the list at ``address``, above the row ``before``; with ``named``, for a new named
        table under it. ``row`` is what the form starts with."""
        await self._fill(fresh(self.engine.site().site, address, row, before, named), address)

    async def _fill(self, draft: Draft | None, address: Address) -> None:
        if draft is None:
            self.say(f"there is no {thing(address)} any more", "warning")
        elif (result := await self.push_screen_wait(FormScreen(draft))) is not None:
            self.applied(result)

    async def undo(self) -> bool:
        if not self.engine.can_undo():
            self.say("nothing to take back", "muted")
            return False
        return await self.do(Undo())

    async def redo(self) -> bool:
        if not self.engine.can_redo():
            self.say("nothing to do again", "muted")
            return False
        return await self.do(Redo())

    async def confirm(self, question: str, detail: str = "", yes: str = "Yes") -> bool:
        """Ask; only in a worker (an action decorated with ``@work``)."""
        return await self.push_screen_wait(Choice(question, detail, (("y", yes), ("n", "No")))) == "y"

    def say(self, text: str, severity: str = "muted") -> None:
        """Put a sentence into the last row for some seconds."""
        glyph = {"success": "✓", "warning": "!", "error": "✗"}.get(severity, "·")
        notice = Content.assemble((f" {glyph} ", f"bold $text-{severity}"), text)
        for hints in self.screen.query(KeyHints):
            hints.say(notice)

    # Keys

    def action_page(self, key: str) -> None:
        if key != self.current_mode:
            self.switch_mode(key)

    @work
    async def action_undo(self) -> None:
        await self.undo()

    @work
    async def action_redo(self) -> None:
        await self.redo()

    async def action_quit(self) -> None:
        self.exit()
