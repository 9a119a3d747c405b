"""History: every state that the site file has had, who made it so, and the way back.

A generation is an applied state of the file; undo, redo and restore make new ones, so nothing is ever lost by going
back. The newest stands on top and is the one in force; beside the list is what the one under the cursor changed.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.widgets import Static

from proxy_core.control.editing.commands import Command, Refused, Restore, Revert, made_on
from proxy_core.control.view import Generation, Saved, Snapshot
from proxy_core.errors import errors
from rproxy_tui import words
from rproxy_tui.content import Content
from rproxy_tui.page import Page
from rproxy_tui.widgets.dialogs import Diff, shortened
from rproxy_tui.widgets.row_table import RowTable
from rproxy_tui.widgets.table import Column

EMPTY = """\
Nothing has been applied yet."""
IN_FORCE: dict[Saved, tuple[str, str, str]] = {
    "saved": ("● in force", "good", "in force, saved"),
    "unsaved": ("▲ unsaved", "warning", "in force, not yet saved"),
    "failed": ("■ unsaved", "error", "in force, not saved: the disk refused it (p lists why)"),
    "drift": ("▲ in force", "warning", "in force; the file was changed on disk meanwhile"),
}
"""How the newest generation is marked: in the list, its style, and in words beside the diff."""


class ShownGeneration(NamedTuple):
    generation: Generation
    mark: tuple[str, str]


COLUMNS: tuple[Column[ShownGeneration], ...] = (
    Column("#", 4, lambda row, _: ((str(row.generation.number), ""),), right=True),
    Column("time", 8, lambda row, _: ((words.clock(row.generation.at), "muted"),), priority=2),
    Column("state", 10, lambda row, _: (row.mark,)),
    Column("by", 8, lambda row, w: ((words.clip(row.generation.author, w), "muted"),), priority=3),
    Column("what", 26, lambda row, w: ((words.clip(row.generation.sentence, w), ""),), grow=1),
)


class HistoryPage(Page):
    heading = "History"
    key = "7"
    hertz = 2.0
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("R", "revert", "Revert", id="history.revert", tooltip="take back what this generation did"),
        Binding("r", "restore", "Restore", id="history.restore", tooltip="bring the file of this generation back"),
        Binding("Y", "copy", "Copy diff", id="history.copy", tooltip="copy what this generation changed"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._generations: dict[str, Generation] = {}
        self._newest = ""
        self._saved: Saved = "saved"

    def body(self) -> ComposeResult:
        with Container(id="split"):
            yield RowTable[ShownGeneration](COLUMNS, EMPTY)
            with VerticalScroll(id="change"):
                yield Static(id="title")
                yield Diff()

    @property
    def table(self) -> RowTable[ShownGeneration]:
        return self.query_one(RowTable)

    def pull(self, snapshot: Snapshot) -> None:
        generations = {str(each.number): each for each in reversed(self.engine.history())}
        changed = generations != self._generations
        if changed or snapshot.saved != self._saved:
            followed = self.table.cursor == self._newest
            self._generations, self._saved = generations, snapshot.saved
            self._newest = next(iter(generations), "")
            self.table.show(tuple(generations), self._shown)
            if followed:
                self.table.go_to(self._newest)
            self._describe()

    def _shown(self, key: str) -> ShownGeneration:
        mark, style, _ = IN_FORCE[self._saved] if key == self._newest else ("", "", "")
        return ShownGeneration(self._generations[key], (mark, style))

    def go_to(self, name: str) -> None:
        """Put the cursor on the generation of that number."""
        self.pull(self.console.snapshot)
        self.table.go_to(name)

    def on_line_table_moved(self) -> None:
        self._describe()
        self.query_one("#change", VerticalScroll).scroll_home(animate=False)

    def _describe(self) -> None:
        if not (chosen := self._generations.get(self.table.cursor)):
            return
        words_of_state = f"  {IN_FORCE[self._saved][2]}" if str(chosen.number) == self._newest else ""
        title = Content.assemble((f"generation {chosen.number}", "bold"), (words_of_state, "$text-muted"))
        self.query_one("#title", Static).update(Content("\n").join([title, Content(chosen.sentence), Content("")]))
        self.query_one(Diff).show(chosen.diff, "It changes no line of the file.")

    @work
    async def action_revert(self) -> None:
        """Take back what the generation under the cursor did, and keep what came after it."""
        if chosen := self._generations.get(self.table.cursor):
            question = f"Take back what generation {chosen.number} did: {chosen.sentence}?"
            nothing = f"Nothing is left of what generation {chosen.number} did."
            await self._bring_back(Revert(chosen.number), question, "Revert", nothing)

    @work
    async def action_restore(self) -> None:
        """Bring the file of the generation under the cursor back, without all that came after it."""
        if not (chosen := self._generations.get(self.table.cursor)):
            return
        if str(chosen.number) == self._newest:
            return self.console.say(f"Generation {chosen.number} is in force already.")
        question = f"Bring the site file back to generation {chosen.number}?"
        nothing = f"The site file reads as in generation {chosen.number} already."
        await self._bring_back(Restore(chosen.number), question, "Restore", nothing)

    async def _bring_back(self, command: Command, question: str, verb: str, nothing: str) -> None:
        """Do it after a question that shows what it changes; what would be refused is refused at once."""
        command = made_on(command, self.console.state.revision)
        preview = await self.engine.preview(command)
        if errors(preview.problems):
            self.console.refused(Refused(problems=errors(preview.problems)))
        elif not preview.diff:
            self.console.say(nothing)
        else:
            await self.console.do(command, question, shortened(preview.diff), verb)

    def action_copy(self) -> None:
        if chosen := self._generations.get(self.table.cursor):
            self.console.copy(chosen.diff, f"the diff of generation {chosen.number}")
