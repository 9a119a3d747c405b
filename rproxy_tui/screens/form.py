"""One form for every table and row of the site.

Built from the model, checked by the real checker while one types (``preview`` touches nothing), and honest about its
effect: the lines of the file that would change stand beside it. Enter applies when the outcome is sound; Escape
leaves, and asks first when something would be lost. A refusal keeps the form with everything in it.

What somebody else has changed meanwhile stands under its field, and is never written over unseen: a field that was not
touched here stays as they made it, and of one that was, Enter asks whose to keep.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.events import DescendantFocus
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from proxy_core.control.editing.commands import Applied, Change, for_a_while, made_on
from proxy_core.errors import Problem, errors
from rproxy_tui.console import ConsoleVerbs, SiteChanged
from rproxy_tui.content import Content
from rproxy_tui.draft import Draft, again, change, clashes, merged, placed, readable, thing
from rproxy_tui.fitted import Fitted
from rproxy_tui.settling import APPLY, left
from rproxy_tui.widgets.dialogs import Choice, Diff, foretold
from rproxy_tui.widgets.form import Cell, Chooser, FieldRow, RowsInput, manual
from rproxy_tui.words import printable

PAUSE = 0.15
"""Seconds without a key after which the outcome is checked."""


WHOSE = (("w", "Write what is here"), ("t", "Take what is there"), ("n", "Neither yet"))
"""What one can do with fields that somebody else has changed too."""


class FormScreen(ModalScreen[Applied | None], Fitted[Applied | None]):
    """Ends with what was applied, None when it was left."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]
    BINDINGS = [
        Binding("enter,ctrl+s", "apply", "Apply", id="form.apply"),
        Binding("ctrl+t", "apply(True)", "Apply for 60 s", id="form.try", priority=True),
        Binding("f2", "what_if", "What if", id="form.what_if", priority=True),
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
        self._now = draft

    def compose(self) -> ComposeResult:
        self.fit()
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
        return {row.field.name: row.text if row.touched else self.draft.before[row.field.name] for row in self._rows}

    @property
    def changed(self) -> bool:
        return any(row.touched for row in self._rows)

    @property
    def _clashes(self) -> tuple[str, ...]:
        return clashes(self.draft, self._now, self.texts)

    def on_mount(self) -> None:
        self._known = {problem.what for problem in self.console.engine.problems()}
        self.query_one(".form").border_title = Content(printable(self.draft.title))
        self._state("nothing changed yet")
        if self.draft.new:
            self._check()

    # While one types

    @on(Input.Changed)
    @on(Chooser.Stepped)
    @on(RowsInput.Rearranged)
    @on(SiteChanged)
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

    async def _outcome(self, refused: str = "") -> Change | None:
        """Check what is in the form and show it. The Change when it may be applied; ``refused`` says what a key does
        not do when it may not."""
        if left(self):
            return None
        state = self.console.engine.site()
        now = again(self.draft, state.site)
        if now is None:
            gone = Problem(what=f"{thing(self.draft.address)} is gone: {self._meanwhile}", todo="what is here is kept")
            self._show({}, (gone,), "")
            self._state("", 1, refused)
            return None
        self._now = now
        made, wrong = change(merged(self.draft, now, self.texts), self.texts)
        if made is None:
            self._show(wrong, (), "")
            self._state("nothing changed yet" if not wrong else "", len(wrong), refused)
            return None
        made = made_on(made, state.revision)
        preview = await self.console.engine.preview(made)
        if left(self):
            return None
        self._show({}, preview.problems, preview.diff)
        faults = len(errors(preview.problems))
        self._state("" if faults else "asks whose to keep" if self._clashes else made.sentence, faults, refused)
        return None if faults else made

    @property
    def _meanwhile(self) -> str:
        """What has made the site as it is now."""
        last = self.console.engine.history()[-1]
        return printable(f"{last.sentence} (generation {last.number}, by {last.author})")

    def _theirs(self, name: str) -> str:
        """What somebody else has made of a field; "" where nobody has."""
        now = self._now.before[name]
        row = next(row for row in self._rows if row.field.name == name)
        return f"{readable(row.field, now)} by now: {self._meanwhile}" if now != self.draft.before[name] else ""

    def _show(self, wrong: dict[str, str], problems: tuple[Problem, ...], diff: str) -> None:
        """Problems beside the field that they belong to; the rest, where it is new, above the diff."""
        beside, elsewhere = placed(self.draft, self.texts, problems, self._known)
        for row in self._rows:
            found = beside.get(row.field.name)
            bad = wrong.get(row.field.name) or (_words(found) if found is not None else "")
            words = "; ".join(filter(None, (bad, self._theirs(row.field.name))))
            row.show_wrong(words, warning=not bad or (found is not None and found.severity == "warning"))
        lines = [Content.styled(f"{_glyph(each)} {_words(each)}", f"$text-{each.severity}") for each in elsewhere]
        self.query_one(".problems", Static).update(Content("\n").join(lines))
        self.query_one(".problems").display = bool(lines)
        self.query_one(".form").set_class(bool(lines or diff), "-outcome")
        self.query_one(Diff).show(diff, "")

    def _state(self, words: str, faults: int = 0, refused: str = "") -> None:
        """The last row of the form: what Enter would do, or why it does nothing, nor the key that was ``refused``."""
        if faults:
            things = "one thing" if faults == 1 else f"{faults} things"
            words = f"✗ {refused}{things} to put right first"
        elif words == "nothing changed yet":
            words = f"· {refused}{words}"
        else:
            words = f"enter: {words}   ctrl+t: for 60 s   f2: what if"
        style = "$text-error" if faults else "$text-muted"
        self.query_one(".state", Static).update(Content.assemble((words, style), ("   esc: cancel", "$text-muted")))

    # The end

    def on_input_submitted(self) -> None:
        self.action_apply()

    @work(exclusive=True, group="apply", name=APPLY)
    async def action_apply(self, for_now: bool = False) -> None:
        """Apply what is in the form; ``for_now`` so that it is to be confirmed."""
        self.workers.cancel_group(self, "check")
        made = await self._outcome("nothing is applied: ")
        if made is None or (self._clashes and not await self._ours()):
            return
        result = await self.console.submit(for_a_while(made) if for_now else made)
        if isinstance(result, Applied):
            self.dismiss(result)
        else:
            self._show({}, result.problems, "")
            self._state("", len(result.problems))

    @work(exclusive=True, group="apply", name=APPLY)
    async def action_what_if(self) -> None:
        """Try it out on the requests that are kept."""
        self.workers.cancel_group(self, "check")
        if (made := await self._outcome("nothing is tried out: ")) is not None:
            await self.console.ask(await foretold(self.console.engine, made))

    async def _ours(self) -> bool:
        """Ask whose to keep of what was changed here and by somebody else; theirs are put into their fields."""
        names, before, now, here = self._clashes, self.draft.before, self._now.before, self.texts
        spelled = {row.field.name: partial(readable, row.field) for row in self._rows}
        detail = "\n".join(
            f"{name}: was {spelled[name](before[name])}, is {spelled[name](now[name])} by now, "
            f"{spelled[name](here[name])} here"
            for name in names
        )
        question = Choice(f"Changed meanwhile: {self._meanwhile}. Whose to keep?", detail, WHOSE)
        answer = await self.console.ask(question)
        if answer == "t":
            self.draft = replace(self.draft, before={**before, **{name: now[name] for name in names}})
            for n, row in enumerate(self._rows):
                if row.field.name in names:
                    self._rows[n] = FieldRow(row.field, now[row.field.name])
                    await self.query_one(".fields").mount(self._rows[n], after=row)
                    await row.remove()
            self._check()
        return answer == "w"

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
