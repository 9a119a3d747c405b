"""Every problem, and what to do about it.

Enter opens the form of the place that a problem is about. Two things are settled here as well: a file that somebody
else changed (theirs or ours), and members that are not there (demo ones can be started).
"""

from __future__ import annotations

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from proxy_core.config.schema import struct_at
from proxy_core.control.editing.commands import Command, Keep, Reload
from proxy_core.control.view import Snapshot
from proxy_core.errors import Address, Problem
from rproxy_tui.console import ConsoleVerbs
from rproxy_tui.content import Content
from rproxy_tui.widgets.frame import Part, fit
from rproxy_tui.words import printable


class ProblemsScreen(ModalScreen[None]):
    """A list of problems. With a ``snapshot`` it is the list of what is wrong now, with its remedies."""

    BINDINGS = [
        Binding("escape,p,q", "dismiss", "Close", id="problems.close"),
        Binding("j", "move(1)", show=False, id="problems.down"),
        Binding("k", "move(-1)", show=False, id="problems.up"),
        Binding("s", "start_demo", "start demo members", id="problems.demo"),
        Binding("t", "take('theirs')", "take theirs", id="problems.theirs"),
        Binding("o", "take('ours')", "keep ours", id="problems.ours"),
    ]

    def __init__(
        self, console: ConsoleVerbs, title: str, problems: tuple[Problem, ...], snapshot: Snapshot | None = None
    ) -> None:
        super().__init__()
        self.console = console
        self._title, self._problems = title, problems
        self._drift = snapshot is not None and snapshot.saved == "drift"
        away = snapshot is not None and any(load.health == "error" for load in snapshot.members)
        self._away = away and console.link is None

    def compose(self) -> ComposeResult:
        keys = [(1, "enter opens its form"), (3, "esc closes")]
        if self._away:
            keys.insert(0, (2, "s starts demo members"))
        if self._drift:
            keys[:0] = [(3, "t takes theirs"), (3, "o keeps ours")]
        parts = [Part(worth, (Content(words), Content(words.partition(" ")[0]))) for worth, words in keys]
        with Vertical(classes="sheet") as sheet:
            sheet.border_title = self._title
            sheet.border_subtitle = fit(parts, self.app.size.width * 9 // 10 - len("╭─  ─╮"))
            if self._problems:
                yield OptionList(*(Option(worded(problem)) for problem in self._problems))
            else:
                yield Static("Nothing is wrong.", classes="empty")

    def action_move(self, step: int) -> None:
        for options in self.query(OptionList):
            (options.action_cursor_down if step > 0 else options.action_cursor_up)()

    @work
    async def action_start_demo(self) -> None:
        if self._away:
            self.dismiss()
            await self.console.start_demo()

    @work
    async def action_take(self, whose: str) -> None:
        command: Command = Reload() if whose == "theirs" else Keep()
        if self._drift:
            self.dismiss()
            await self.console.do(command)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        address = form_at(self._problems[event.option_index].address)
        if address:
            self.dismiss()
            self.app.run_worker(self.console.edit(address))


def form_at(address: Address) -> Address:
    """The table or row that an address lies in and that has a form; () for none."""
    while address and struct_at(address) is None:
        address = address[:-1]
    return address


def worded(problem: Problem) -> Content:
    """Glyph and word for how bad it is, what, what to do, and where."""
    glyph, word = ("✗", "error") if problem.severity == "error" else ("!", "warning")
    where = f"{problem.file}:{problem.line}:{problem.column}" if problem.line else problem.file
    return Content.assemble(
        (f"{glyph} {word}  ", f"bold $text-{problem.severity}"),
        printable(problem.what),
        (f"\n  {printable(problem.todo)}" if problem.todo else "", "$text-muted"),
        (f"\n  {printable(where)}" if where else "", "$text-muted"),
    )
