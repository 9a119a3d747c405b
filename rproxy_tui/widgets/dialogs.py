"""Dialogs: one line to type and what it would do, a question before something that hurts, and a diff in colour.

While one types, the text becomes a command, and the engine's own checker says beneath it what the site file would
look like and what would be wrong with it. Nothing is submitted here: the prompt ends with the command, or with None.

The blast radius is in a question or its detail ("14 in flight; the others go from 38 % to 57 %"), written by the
caller; the safe answer has the focus, so that a second Enter by habit does no harm. ``y`` and ``n`` answer too. In a
diff the sign in front of a line says the same as its colour.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import ClassVar, TypeVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from proxy_core.control.editing.commands import Change, Command, for_a_while, made_on
from proxy_core.control.editing.ctl_words import line
from proxy_core.control.foreseen import in_words
from proxy_core.control.view import EngineView
from proxy_core.errors import Problem, errors
from proxy_core.printable import lines as lines_of
from rproxy_tui.console import SiteChanged
from rproxy_tui.content import Content
from rproxy_tui.fitted import Fitted
from rproxy_tui.settling import APPLY, left
from rproxy_tui.widgets.text_input import TextInput
from rproxy_tui.words import printable

STYLES = {"+": "$text-success", "-": "$text-error", "…": "$text-muted"}
HUNK = re.compile(r"@@ -\d+(?:,\d+)? \+(\d+).*")


def coloured(diff: str) -> Content:
    """The lines that are removed and added, with the unchanged ones round them. The names of the files are left out
    (a site has one), and a hunk says the line that it begins at."""
    return Content("\n").join(Content.styled(line, STYLES.get(line[:1], "")) for line in _lines(diff))


def _lines(diff: str) -> list[str]:
    lines = [line for line in lines_of(diff) if not line.startswith(("--- ", "+++ "))]
    return [HUNK.sub(r"… line \1", line) if line.startswith("@@") else line for line in lines]


LONGEST_QUESTION = 12
"""Lines of a diff that a question shows."""


def shortened(diff: str) -> str:
    """A diff as a question shows it."""
    lines = _lines(diff)
    more = len(lines) - LONGEST_QUESTION
    return "\n".join(lines[:LONGEST_QUESTION] + ([f"… and {more} more lines"] if more > 0 else []))


class Diff(Static):
    """Shows a diff; ``otherwise`` is said when there is none."""

    def show(self, diff: str, otherwise: str = "nothing changes") -> None:
        self.update(coloured(diff) if diff else Content.styled(otherwise, "$text-muted"))


C = TypeVar("C", bound=Command)
R = TypeVar("R")
PAUSE = 0.1
"""Seconds without a key before the outcome is worked out."""


class Dialog(ModalScreen[R], Fitted[R]):
    """A dialog in which what may be ``long`` scrolls, so that a low terminal shows the rest of it as well."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("pagedown", "scroll(5)", show=False, id="dialog.page-down"),
        Binding("pageup", "scroll(-5)", show=False, id="dialog.page-up"),
    ]

    def action_scroll(self, rows: int) -> None:
        for each in self.query(".long"):
            each.scroll_relative(y=rows, animate=False)


class Prompt(Dialog[C | None]):
    """``command`` makes a Command of the text, or says in a sentence why there is none. ``effect`` says what a text
    would do beside what the file shows. With ``over`` the first key replaces the text."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Cancel", id="prompt.cancel"),
        Binding("ctrl+t", "apply_for_a_while", "Apply for 60 s", id="prompt.try", priority=True),
        Binding("f2", "what_if", "What if", id="prompt.what_if", priority=True),
    ]

    def __init__(
        self,
        engine: EngineView,
        question: str,
        text: str,
        command: Callable[[str], C | str],
        effect: Callable[[str], str] = lambda text: "",
        over: bool = False,
    ) -> None:
        super().__init__()
        self._engine, self._question, self._text = engine, question, text
        self._command, self._effect, self._over = command, effect, over

    def compose(self) -> ComposeResult:
        self.fit()
        with Vertical(classes="dialog"):
            yield Static(Content(self._question), classes="question", markup=False)
            yield TextInput(self._text, compact=True, select_on_focus=self._over)
            with VerticalScroll(classes="long", can_focus=False):
                yield Static(id="outcome")
            yield Static("enter applies  ctrl+t for 60 s  f2 what if  esc cancels", id="keys")

    @on(Input.Changed)
    @on(SiteChanged)
    def _typed(self) -> None:
        self._foresee()

    @work(exclusive=True)
    async def _foresee(self) -> None:
        await asyncio.sleep(PAUSE)
        await self._outcome()

    @work(exclusive=True, name=APPLY)
    async def on_input_submitted(self) -> None:
        if command := await self._outcome("nothing is applied"):
            self.dismiss(command)

    @work(exclusive=True, name=APPLY)
    async def action_apply_for_a_while(self) -> None:
        """As enter, but it is to be confirmed."""
        if command := await self._outcome("nothing is applied"):
            self.dismiss(for_a_while(command))

    @work(exclusive=True, name=APPLY)
    async def action_what_if(self) -> None:
        """Try it out on the requests that are kept."""
        if command := await self._outcome("nothing is tried out"):
            await self.app.push_screen_wait(await foretold(self._engine, command))

    async def _outcome(self, refused: str = "") -> C | None:
        """Show what the text would do; the command, if it would not be refused. Else ``refused`` says what a key does
        not do."""
        if left(self):
            return None
        text = self.query_one(Input).value
        command = self._command(text)
        if isinstance(command, str):
            self._show(Content.styled(f"✗ {refused}: {command}" if refused else command, "$text-warning"))
            return None
        command = made_on(command, self._engine.site().revision)
        preview = await self._engine.preview(command)
        old = {problem.what for problem in self._engine.problems()}
        new = [problem for problem in preview.problems if problem.what not in old]
        lines = "\n".join(line for line in lines_of(preview.diff) if line[:1] in "+-" and line[1:].strip())
        parts = [Content.styled(command.sentence, "$secondary")] if isinstance(command, Change) else []
        if effect := self._effect(text):
            parts.append(Content(effect))
        said = Content.styled(printable(line(command)), "$text-muted")
        unsound = bool(errors(preview.problems))
        if unsound and refused:
            parts.insert(0, Content.styled(f"✗ {refused}: put right first what is wrong", "$text-error"))
        self._show(Content("\n").join([*parts, coloured(lines), *map(worded, new), said]))
        return None if unsound else command

    def _show(self, outcome: Content) -> None:
        if not left(self):
            self.query_one("#outcome", Static).update(outcome)


def worded(problem: Problem) -> Content:
    """A problem in one line: glyph, what, and what to do."""
    glyph, style = ("✗", "$text-error") if problem.severity == "error" else ("▲", "$text-warning")
    todo = f" — {printable(problem.todo)}" if problem.todo else ""
    return Content.assemble((f"{glyph} ", style), printable(problem.what), (todo, "$secondary"))


class Choice(Dialog[str]):
    """Ends with the key of the chosen answer, "" for none. ``answers`` are (key, label); the last is the safe one."""

    BINDINGS = [
        Binding("escape", "choose('')", "Cancel", id="choice.cancel"),
        Binding("left,up,h", "app.focus_previous", show=False, id="choice.previous"),
        Binding("right,down,l", "app.focus_next", show=False, id="choice.next"),
    ]

    def __init__(self, question: str, detail: str, answers: tuple[tuple[str, str], ...]) -> None:
        super().__init__()
        self._question, self._detail, self._answers = question, detail, answers
        for key, _label in answers:
            self._bindings.bind(key, f"choose('{key}')", show=False)

    def compose(self) -> ComposeResult:
        self.fit()
        with Vertical(classes="dialog"):
            yield Static(Content(self._question), classes="question", markup=False)
            if self._detail:
                with VerticalScroll(classes="long", can_focus=False):
                    yield Static(Content(self._detail), classes="detail", markup=False)
            with Horizontal(classes="answers") if len(self._answers) <= 2 else Vertical(classes="answers"):
                for key, label in self._answers:
                    yield Button(Content(f"{label} ({key})"), id=f"answer-{key}", compact=True)

    def on_mount(self) -> None:
        self.query(Button).last().focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.action_choose((event.button.id or "").removeprefix("answer-"))

    def action_choose(self, key: str) -> None:
        self.dismiss(key)


async def foretold(engine: EngineView, command: Command) -> Choice:
    """What a command would do to the requests that are kept, to be shown."""
    try:
        lines = in_words(await engine.what_if(command))
    except ValueError as error:
        lines = [str(error)]
    return Choice("What it would do", "\n".join(map(printable, lines)), (("c", "Close"),))
