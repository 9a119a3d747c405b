"""The one way in which a key changes anything: from a command to what was said of it.

Whatever a person wants to change becomes a Command that ``do`` submits, after a question where it may hurt. The
outcome is said in the last row, a refusal lists its problems. A change may be made for a while: it then waits to be
confirmed, by a key on any page.
"""

from __future__ import annotations

import shlex
from datetime import datetime
from typing import Any, cast

from textual import work
from textual.app import App
from textual.screen import Screen
from textual.widgets import Input

from proxy_core.control.editing.commands import (
    Applied,
    Command,
    Confirm,
    Redo,
    Refused,
    Result,
    Undo,
    by_force,
    for_a_while,
    made_on,
)
from proxy_core.control.editing.ctl_words import line
from proxy_core.control.view import EngineView, Generation, SiteState, Snapshot
from proxy_core.errors import Address, Problem, errors
from proxy_core.rules.lint.emptiness import emptied
from rproxy_tui import sentences
from rproxy_tui.console import ConsoleVerbs, Ending, Outcome
from rproxy_tui.draft import Draft, existing, fresh, names_at, thing
from rproxy_tui.page import Page
from rproxy_tui.screens.form import FormScreen
from rproxy_tui.screens.problems import ProblemsScreen
from rproxy_tui.time_cursor import TimeCursor
from rproxy_tui.widgets.dialogs import Choice, foretold, shortened
from rproxy_tui.widgets.frame import outcome
from rproxy_tui.words import middle, printable

READ_ONLY = Problem(
    what="this console is read-only: nothing was changed",
    todo="to edit, start it without --read-only, as the user that the service runs as",
)
FORCE = (("f", "Apply it by force"), ("n", "No"))


class ChangingApp(App[Ending], inherit_bindings=False):
    """The console as far as it changes anything."""

    engine: EngineView
    """As in ConsoleVerbs."""
    read_only: bool
    """As in ConsoleVerbs."""
    snapshot: Snapshot
    """As in ConsoleVerbs."""
    state: SiteState
    """As in ConsoleVerbs."""
    problems: tuple[Problem, ...]
    """As in ConsoleVerbs."""
    ctl: str
    """As in ConsoleVerbs."""
    time: TimeCursor
    """As in ConsoleVerbs."""
    notes_anyway = False
    """Notes are written though nothing may be changed: of a recording, which serves nobody."""
    _author: str
    """Who works at the console."""

    def tick(self) -> None:
        raise NotImplementedError

    def say(self, text: str, severity: str = "muted") -> None:
        raise NotImplementedError

    async def ask(self, dialog: Screen[Outcome]) -> Outcome | None:
        raise NotImplementedError

    @property
    def _page(self) -> Page | None:
        raise NotImplementedError

    def changeable(self) -> bool:
        if refusal := self.time.refusal():
            self.refused(Refused(problems=(refusal,)))
        return refusal is None

    async def submit(self, command: Command) -> Result:
        if refusal := READ_ONLY if self.read_only else self.time.refusal():
            return Refused(problems=(refusal,))
        if sentences.takes_away(command):
            seen = self.engine.site().revision
            preview = await self.engine.preview(command)
            if left := emptied(preview.problems, self.engine.problems()):
                detail = "\n".join(problem.what for problem in left)
                question = Choice("Leave the proxy with nothing to serve?", detail, (("y", "Apply"), ("n", "No")))
                if not errors(preview.problems) and await self.ask(question) != "y":
                    return Refused(problems=left)
                command = made_on(command, seen)
        result = await self.engine.submit(command)
        if isinstance(result, Refused) and result.forcible:
            detail = "\n".join(printable(problem.what) for problem in result.problems)
            if await self.ask(Choice("Tests that held would fail. Apply it?", detail, FORCE)) == "f":
                result = await self.engine.submit(by_force(command))
        if isinstance(result, Applied):
            self.ctl = line(command)
        return result

    async def do(self, command: Command, confirm: str = "", detail: str = "", yes: str = "Yes") -> bool:
        if confirm and not self.read_only and self.time.at is None:
            command = made_on(command, self.state.revision)
            answers = (("y", yes), ("A", "Apply for 60 s"), ("w", "What would it do?"), ("n", "No"))
            while (answer := await self.ask(Choice(confirm, detail, answers))) == "w":
                await self.ask(await foretold(self.engine, command))
            if answer not in ("y", "A"):
                return False
            command = for_a_while(command) if answer == "A" else command
        result = await self.submit(command)
        if isinstance(result, Applied):
            self.applied(result)
            return True
        self.refused(result)
        return False

    def applied(self, result: Applied) -> None:
        """Say what was applied, and how many warnings it brought. What ``p`` does not list is shown at once: nothing
        else would ever tell of it."""
        before = {problem.what for problem in self.problems}
        new = [warning for warning in result.warnings if warning.what not in before]
        self.tick()
        notice = outcome(result, len(new), self.ctl, self.size.width - len(" ✓ "))
        self.say(notice.plain, "warning" if new else "success")
        lasting = {problem.what for problem in self.problems}
        if passing := tuple(warning for warning in new if warning.what not in lasting):
            self.push_screen(ProblemsScreen(cast(ConsoleVerbs, self), "applied, but", passing))

    def refused(self, result: Refused) -> None:
        first, *more = result.problems
        self.say(f"not applied: {first.what}{f', {first.todo}' if first.todo else ''}", "error")
        if more:
            self.push_screen(ProblemsScreen(cast(ConsoleVerbs, self), "not applied", result.problems))

    async def edit(self, address: Address) -> None:
        await self._fill(existing(self.engine.site().site, address), address)

    async def add(self, address: Address, row: dict[str, Any], before: str = "") -> str:
        taken = names_at(self.engine.site().site, address)
        await self._fill(fresh(self.engine.site().site, address, row, before), address)
        return next(iter(names_at(self.engine.site().site, address) - taken), "")

    async def _fill(self, draft: Draft | None, address: Address) -> None:
        if not self.changeable():
            return
        if draft is None:
            self.say(f"there is no {thing(address)} any more", "warning")
        elif (result := await self.ask(FormScreen(cast(ConsoleVerbs, self), draft))) is not None:
            self.applied(result)

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The keys that end the wait of a change are there while one waits, and take no letter from whoever types."""
        if action in ("keep", "take_back"):
            return (
                self.snapshot.pending is not None and self.screen is self._page and not isinstance(self.focused, Input)
            )
        return super().check_action(action, parameters)

    @work
    async def action_keep(self) -> None:
        await self.do(Confirm())

    @work
    async def action_take_back(self) -> None:
        await self.do(Undo())

    async def purge(self, prefix: str) -> None:
        """Throw out what the shared cache has of URLs that begin so, on every host."""
        if self.read_only:
            self.refused(Refused(problems=(READ_ONLY,)))
            return
        self.ctl = f"rproxy ctl purge --prefix {shlex.quote(prefix)}"
        try:
            count = await self.engine.purge(prefix=prefix)
            self.say(f"{count} kept {'answer' if count == 1 else 'answers'} thrown out: {self.ctl}", "success")
        except OSError as error:
            self.say(f"nothing is thrown out: {error}", "error")

    @work(exclusive=True, group="note")
    async def action_note(self) -> None:
        """Write a note of the hour before the moment that is shown."""
        if self.read_only and not self.notes_anyway:
            self.refused(Refused(problems=(READ_ONLY,)))
            return
        at = self.snapshot.at if self.time.at is not None else 0.0
        self.ctl = "rproxy ctl note" + f" --at '{datetime.fromtimestamp(at):%Y-%m-%d %H:%M:%S}'" * bool(at)
        try:
            folder = (await self.engine.note(3600.0, at)).folder
            self.say(f"note written to {middle(folder, self.size.width - 20)}", "success")  # its name is at the end
        except OSError as error:
            self.say(f"the note cannot be written: {error}", "error")

    @work
    async def action_undo(self) -> None:
        await self._walk(Undo(), self.engine.can_undo(), "Undo", "nothing to take back")

    @work
    async def action_redo(self) -> None:
        await self._walk(Redo(), self.engine.can_redo(), "Redo", "nothing to do again")

    async def _walk(self, command: Command, what: Generation | None, verb: str, nothing: str) -> None:
        """Undo or redo; asks first where somebody else has done it."""
        if what is None:
            self.say(nothing)
        elif what.author == self._author:
            await self.do(command)
        else:
            diff = (await self.engine.preview(command)).diff
            await self.do(command, f"{verb} what was done by {what.author}: {what.sentence}?", shortened(diff), verb)
