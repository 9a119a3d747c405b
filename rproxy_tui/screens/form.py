"""One form for every table and row of the site.

Built from the model, checked by the real checker while one types (``preview`` touches nothing), and honest about its
effect: the lines of the file that would change stand beside it. Enter applies when the outcome is sound; Escape
leaves, and asks first when something would be lost. A refusal keeps the form with everything in it.
"""

from __future__ import annotations

import asyncio

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.events import DescendantFocus
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from proxy_core.control.editing.commands import Applied, Change
from proxy_core.errors import Problem, errors
from rproxy_tui.console import ConsoleVerbs
from rproxy_tui.content import Content
from rproxy_tui.draft import Draft, change, placed
from rproxy_tui.settling import APPLY, left
from rproxy_tui.widgets.dialogs import Choice, Diff
from rproxy_tui.widgets.form import Cell, Chooser, FieldRow, RowsInput, manual
from rproxy_tui.words import printable

PAUSE = 0.15
"""Seconds without a key after which the outcome is checked."""


class FormScreen(ModalScreen[Applied | None]):
    """Ends with what was applied, None when it was left."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]
    BINDINGS = [
        Binding("enter,ctrl+s", "apply", "Apply", id="form.apply"),
        Binding("escape", "leave", "Cancel", id="form.cancel"),
        Binding("down,tab", "app.focus_next", "Next", show=False, priority=True, id="form.next"),
        Binding("up,shift+tab", "app.focus_previous", "Previous", show=False, priority=True, id="form.previous"),
    ]

    def __init__(self, console: ConsoleVerbs, draft: Draft) -> None:
        super().__init__()
        self.console = console
        self.draft = draft
        self._rows = [FieldRow(field, draft.before[field.name]) for field in draft.fields]
        self._known: set[str] = set()

    def compose(self) -> ComposeResult:
        with Vertical(classes="form"):
            with Horizontal(classes="columns"):
                with VerticalScroll(classes="fields", can_focus=False):
                    yield from self._rows
                with Vertical(classes="side"):
                    yield Static(classes="manual", markup=False)
                    with VerticalScroll(classes="outcome", can_focus=False):
                        yield Static(classes="problems", markup=False)
                        yield Diff()
            yield Static(classes="state", markup=False)

    @property
    def texts(self) -> dict[str, str]:
        """What is in the inputs; a chooser that stands at the default of an unset field counts as unset."""
        return {row.field.name: row.text for row in self._rows}

    @property
    def changed(self) -> bool:
        return self.texts != self._at_first

    def on_mount(self) -> None:
        self._at_first = self.texts
        self._known = {problem.what for problem in self.console.engine.problems()}
        self.query_one(".form").border_title = Content(printable(self.draft.title))
        self._state("nothing changed yet")
        if self.draft.new:
            self._check()

    # While one types

    @on(Input.Changed)
    @on(Chooser.Stepped)
    @on(RowsInput.Rearranged)
    def _typed(self) -> None:
        self._explain()
        self._check(PAUSE)

    def on_descendant_focus(self, _event: DescendantFocus) -> None:
        self._explain()

    def _explain(self) -> None:
        """The manual of the field that has the focus, of a cell in a row as well, beside what is in it."""
        nodes = self.focused.ancestors_with_self if self.focused is not None else ()
        for node in nodes:
            if isinstance(node, Cell | FieldRow):
                text = node.value if isinstance(node, Cell) else node.text
                self.query_one(".manual", Static).update(manual(node.field, text))
                return

    @work(exclusive=True, group="check")
    async def _check(self, pause: float = 0.0) -> None:
        await asyncio.sleep(pause)
        await self._outcome()

    async def _outcome(self) -> Change | None:
        """Check what is in the form and show it. The Change when it may be applied."""
        if left(self):
            return None
        made, wrong = change(self.draft, self.texts)
        if made is None:
            self._show(wrong, (), "")
            self._state("nothing changed yet" if not wrong else "", len(wrong))
            return None
        preview = await self.console.engine.preview(made)
        if left(self):
            return None
        self._show({}, preview.problems, preview.diff)
        faults = len(errors(preview.problems))
        self._state("" if faults else made.sentence, faults)
        return None if faults else made

    def _show(self, wrong: dict[str, str], problems: tuple[Problem, ...], diff: str) -> None:
        """Problems beside the field that they belong to; the rest, where it is new, above the diff."""
        beside, elsewhere = placed(self.draft, self.texts, problems, self._known)
        for row in self._rows:
            found = beside.get(row.field.name)
            words = wrong.get(row.field.name) or (_words(found) if found is not None else "")
            row.show_wrong(words, warning=found is not None and found.severity == "warning")
        lines = [Content.styled(f"{_glyph(each)} {_words(each)}", f"$text-{each.severity}") for each in elsewhere]
        self.query_one(".problems", Static).update(Content("\n").join(lines))
        self.query_one(".problems").display = bool(lines)
        self.query_one(Diff).show(diff, "")

    def _state(self, words: str, faults: int = 0) -> None:
        """The last row of the form: what Enter would do, or why it does nothing."""
        if faults:
            words = "✗ one thing to put right first" if faults == 1 else f"✗ {faults} things to put right first"
        elif words == "nothing changed yet":
            words = f"· {words}"
        else:
            words = f"enter: {words}"
        style = "$text-error" if faults else "$text-muted"
        self.query_one(".state", Static).update(Content.assemble((words, style), ("   esc: cancel", "$text-muted")))

    # The end

    def on_input_submitted(self) -> None:
        self.action_apply()

    @work(exclusive=True, group="apply", name=APPLY)
    async def action_apply(self) -> None:
        self.workers.cancel_group(self, "check")
        made = await self._outcome()
        if made is None:
            return
        result = await self.console.submit(made)
        if isinstance(result, Applied):
            self.dismiss(result)
        else:
            self._show({}, result.problems, "")
            self._state("", len(result.problems))

    @work(exclusive=True, group="leave")
    async def action_leave(self) -> None:
        if self.changed:
            question = Choice(
                "Leave without applying?", "What was typed here is lost.", (("y", "Leave"), ("n", "Stay"))
            )
            if await self.console.ask(question) != "y":
                return
        self.dismiss(None)


def _words(problem: Problem) -> str:
    return printable(f"{problem.what}, {problem.todo}" if problem.todo else problem.what)


def _glyph(problem: Problem) -> str:
    return "✗" if problem.severity == "error" else "!"
