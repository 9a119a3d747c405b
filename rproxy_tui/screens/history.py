"""History: every state that the site file has had, who made it so, and the way back.

A generation is an applied state of the file; undo, redo and restore make new ones, so nothing is ever lost by going
back. The newest stands on top and is the one in force; beside the list is what the one under the cursor changed. Each
says what it did: how requests ended in the minutes before it came into force, and after.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.widgets import Static

from proxy_core.control.editing.commands import Command, Refused, Restore, Revert, made_on
from proxy_core.control.view import Generation, Saved, Snapshot
from proxy_core.control.watching import effects
from proxy_core.control.watching.troubles import Trouble
from proxy_core.errors import errors
from rproxy_tui import sentences, words
from rproxy_tui.content import Content
from rproxy_tui.page import Page
from rproxy_tui.widgets.dialogs import Diff, shortened
from rproxy_tui.widgets.row_table import RowTable
from rproxy_tui.widgets.table import Cell, Column

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
    """A generation as it stands in the list, and what it did, in words."""

    generation: Generation
    when: str
    mark: tuple[str, str]
    did: str


def _did(row: ShownGeneration, width: int) -> Cell:
    mark, style = row.mark
    did = words.clip(row.did, width - len(mark) - 2 if mark else width)
    return ((mark, style), (f"  {did}" if mark and did else did, ""))


COLUMNS: tuple[Column[ShownGeneration], ...] = (
    Column("#", 3, lambda row, _: ((str(row.generation.number), ""),), right=True),
    Column("time", 12, lambda row, _: ((row.when, "muted"),), priority=2),
    Column("by", 14, lambda row, w: ((words.clip(row.generation.author, w), "muted"),), priority=3),
    Column("what", 20, lambda row, w: ((words.clip(row.generation.sentence, w), ""),), grow=9),
    Column("what it did", 32, _did, grow=1, most=60),
)


def _told(chosen: Generation) -> Content:
    """What it did, and how far both sides reach."""
    found = chosen.effect
    if found is None:
        why = "what it did is not known: ten seconds with requests before and after it are needed, within the last hour"
        return Content.styled(why, "$text-muted")
    sides = f"{words.span(found.before.seconds)} before and {words.span(found.after.seconds)} after"
    requests = f"{words.count(found.before.requests)} and {words.count(found.after.requests)} requests"
    did = effects.sentence(found, chosen.number)
    return Content.assemble((did, "bold"), (f"  ({sides}, {requests})", "$text-muted"))


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
        self._then = ""
        """The generation that was in force at a moment that is past; "" for now."""
        self._now = 0.0
        self._coming = True
        """Nothing was pulled yet since one came here from another page."""

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
        then = str(snapshot.generation) if snapshot.past else ""
        snapshot = self.engine.snapshot() if snapshot.past else snapshot
        self._now = snapshot.at
        generations = {str(each.number): each for each in reversed(self.engine.history())}
        changed = generations != self._generations
        if changed or (snapshot.saved, then) != (self._saved, self._then):
            followed = self.table.cursor == self._newest
            self._generations, self._saved, self._then = generations, snapshot.saved, then
            self._newest = next(iter(generations), "")
            self.table.show(tuple(generations), self._shown)
            if followed:
                self.table.go_to(self._newest)
            self._describe()
        if self._coming:
            self._coming = False
            self._go_to_cause(snapshot.troubles)

    def on_screen_suspend(self) -> None:
        self._coming = self.app.current_mode != self.key  # else it is but a question that stands on it

    def _go_to_cause(self, troubles: Sequence[Trouble]) -> None:
        """Whoever comes while something is wrong comes for the generation that came just before it."""
        cause = next((str(trouble.generation) for trouble in troubles if trouble.generation), "")
        if cause in self._generations and self.table.cursor == self._newest:
            self.table.go_to(cause)

    def _shown(self, key: str) -> ShownGeneration:
        mark, style, _ = IN_FORCE[self._saved] if key == self._newest else ("", "", "")
        if key == self._then:
            mark, style = "◀ in force then", "accent"
        chosen = self._generations[key]
        did = effects.sentence(chosen.effect, chosen.number)
        return ShownGeneration(chosen, words.when(chosen.at, self._now), (mark, style), did)

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
        made = f"{chosen.author}, {words.when(chosen.at, self._now)}, {sentences.ago(self._now - chosen.at)}"
        lines = [title, Content.styled(made, "$text-muted"), Content(chosen.sentence), _told(chosen), Content("")]
        self.query_one("#title", Static).update(Content("\n").join(lines))
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
