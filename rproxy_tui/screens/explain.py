"""Why a request goes where it goes: every rule that was tried, with what came of it and the reason.

One screen for a request that came, under the rules and facts it ran under, and for one that is typed, under the rules
in force: as soon as somebody changes the line at the top, it is the latter. Each verdict leads to its rule. The line is
that of ``rproxy explain``: a URL or a path is enough, a method, a client and fields may be added, and the engine's own
rules answer while one types. Nothing is sent to any member.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ClassVar, NamedTuple

from msgspec.structs import replace
from textual import events, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, VerticalScroll
from textual.message import Message
from textual.widgets import Label, Static

from proxy_core.control.explaining.explanation import masked_value
from proxy_core.control.explaining.question_line import asked, spelled
from proxy_core.control.question import Explanation, Inspection, Question, Verdict
from proxy_core.control.view import EngineView, Snapshot
from proxy_core.control.watching.log_records import Record
from proxy_core.printable import lines as lines_of
from rproxy_tui import words
from rproxy_tui.content import Content
from rproxy_tui.draft import thing
from rproxy_tui.page import Page
from rproxy_tui.widgets.frame import heading
from rproxy_tui.widgets.row_table import RowTable
from rproxy_tui.widgets.table import Column
from rproxy_tui.widgets.text_input import PageInput

PAUSE = 0.15
"""Seconds without a key before the rules are asked."""
EXAMPLE = "/path or URL; also  POST /x --client 192.0.2.7"


class QuestionLine(PageInput):
    """Posts ``Answered`` when there is an answer. It is left with Enter as well."""

    class Answered(Message):
        """``explanation`` is None where nothing was asked, or where ``wrong`` says what is wrong with the line."""

        def __init__(self, explanation: Explanation | None, wrong: str = "") -> None:
            super().__init__()
            self.explanation, self.wrong = explanation, wrong

    def __init__(self, engine: EngineView, leave: Callable[[], None], text: str = "") -> None:
        super().__init__(leave, text, placeholder=EXAMPLE, select_on_focus=False)
        self._engine, self._entered = engine, text.strip()

    def on_input_changed(self, event: PageInput.Changed) -> None:
        event.stop()
        self.ask(PAUSE)

    async def action_submit(self) -> None:
        self._entered = self.value.strip()
        self.ask()
        self.leave()

    def on_focus(self, _event: events.Focus) -> None:
        self.cursor_position = len(self.value)

    @work(exclusive=True, group="ask")
    async def ask(self, pause: float = 0.0) -> None:
        """Ask what is in the line now: programs and databases only for what was entered."""
        await asyncio.sleep(pause)
        line = self.value.strip()
        if not line:
            self.post_message(self.Answered(None))
            return
        try:
            question = replace(asked(line), unfinished=line != self._entered)
            answer = self.Answered(await self._engine.explain(question))
        except ValueError as error:
            answer = self.Answered(None, str(error))
        self.post_message(answer)


EMPTY = """\
Type a URL or a path above: every rule that it meets is listed here, with the reason."""
NO_RULES = """\
No rule was tried."""
_OUTCOMES = {"forward": ("→", "$text-success"), "redirect": ("→", "$text-accent"), "respond": ("■", "$text-warning")}
_NOT_ASKED = ("host", "content-length", "connection", "transfer-encoding")
"""Fields that a question about the same request leaves out: they are in its URL, or say nothing to rules."""


class ShownStep(NamedTuple):
    """A step as it stands on the screen; ``ends`` says that it decided where the request goes."""

    step: Verdict
    ends: bool


def columns(steps: tuple[Verdict, ...]) -> tuple[Column[ShownStep], ...]:
    name = max([10, *(len(thing(step.address)) for step in steps)])
    quiet = {"match": "", "no match": "muted", "skipped": "muted"}
    return (
        Column("verdict", 10, lambda row, _: (words.verdict(row.step),)),
        Column("rule", 10, lambda row, w: ((words.clip(thing(row.step.address), w),
                                            "accent" if row.ends else quiet[row.step.verdict]),), grow=2, most=name),
        Column("why", 20, lambda row, w: ((words.clip(words.printable(row.step.reason), w),
                                           quiet[row.step.verdict]),), grow=5),
    )  # fmt: skip


def outcome(explanation: Explanation) -> Content:
    """What comes of a request, in a sentence with the rule that decided."""
    glyph, style = _OUTCOMES[explanation.outcome]
    by = f"  by {thing(explanation.rule)}" if explanation.rule else ""
    return Content.assemble(
        (f"{glyph} ", f"bold {style}"), (words.printable(explanation.sentence), "bold"), (by, "$text-muted")
    )


def question_of(seen: Inspection) -> Question:
    """The question that asks about the same request again. Masked secrets are left out."""
    fields = []
    for line in lines_of(seen.request_head)[1:]:
        name, colon, value = line.partition(":")
        if colon and name.strip().lower() not in _NOT_ASKED and not masked_value(value):
            fields.append(line)
    return replace(asked_again(seen.record), fields=tuple(fields), listener=seen.explanation.listener, generation=0)


def asked_again(record: Record) -> Question:
    """The question about a request whose head is no longer kept, of the rules that it ran under: what its line knows of
    its head."""
    url = f"http://{record.host}{record.target}" if record.host and record.target.startswith("/") else record.target
    known = (("User-Agent", record.user_agent), ("Referer", record.referer))
    return Question(
        url=url, method=record.method, client=record.client, generation=record.generation,
        fields=tuple(f"{name}: {value}" for name, value in known if value),
    )  # fmt: skip


class ExplainPage(Page):
    """``key`` is that of the page it is opened from; ``line`` is a question, ``seen`` a request that came, ``gone`` one
    that came and of which the line in the log alone is left."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (20, "-tall")]
    heading = "Why"
    hertz = 1.0
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", key_display="esc", id="back", tooltip="back to where you came from"),
        Binding("enter", "open", "Go to rule", key_display="enter", id="explain.open", tooltip="go to the rule"),
        Binding("slash,W", "ask", "Ask", key_display="/", id="explain.ask", tooltip="change the question"),
        Binding("y", "copy", "Copy", id="explain.copy", tooltip="copy the question as a command for a shell"),
    ]

    def __init__(self, key: str, line: str = "", seen: Inspection | None = None, gone: Record | None = None) -> None:
        super().__init__()
        self.key = key  # type: ignore[misc]  # of the page it belongs to, not of the class
        self._seen = seen
        self._gone = gone
        self._line = spelled(question_of(seen)) if seen else spelled(asked_again(gone)) if gone else line
        self._explanation: Explanation | None = seen.explanation if seen else None
        self._generation = 0

    def body(self) -> ComposeResult:
        with Horizontal(id="ask"):
            yield Label("explain ")
            yield QuestionLine(self.engine, self._leave_line, self._line)
        yield Static(id="about", markup=False)
        with Container(id="split"):
            yield RowTable[ShownStep](columns(()), EMPTY)
            with VerticalScroll(id="details", can_focus=False):
                yield Static(markup=False)

    def on_mount(self) -> None:
        self._show()
        self.set_focus(self.table if self._line else self.query_one(QuestionLine))

    @property
    def table(self) -> RowTable[ShownStep]:
        return self.query_one(RowTable)

    def pull(self, snapshot: Snapshot) -> None:
        if self._seen is None and snapshot.generation != self._generation:
            self.query_one(QuestionLine).ask()
        self._generation = snapshot.generation

    def on_question_line_answered(self, answer: QuestionLine.Answered) -> None:
        if self._seen is not None and self.query_one(QuestionLine).value == self._line:
            return  # nobody has changed it yet
        if self.query_one(QuestionLine).value != self._line:
            self._gone = None
        self._seen, self._explanation = None, answer.explanation
        self._show(answer.wrong)

    def _leave_line(self) -> None:
        self.set_focus(self.table)

    def on_line_table_moved(self) -> None:
        self._describe()

    def _show(self, wrong: str = "") -> None:
        explanation, table = self._explanation, self.table
        steps = explanation.steps if explanation else ()
        table.empty = "\n" + (NO_RULES if explanation else EMPTY)
        table.show(tuple(map(str, range(len(steps)))), self._shown, columns(steps))
        ends = next((n for n, step in enumerate(steps) if explanation and self._ends(step)), 0)
        table.go_to(str(ends))
        if explanation is None:
            text = Content.styled(wrong, "$text-warning")
        else:
            text = Content("\n").join([outcome(explanation), Content.styled(self._when(explanation), "$text-muted")])
        self.query_one("#about", Static).update(text)
        self._describe()

    def _when(self, explanation: Explanation) -> str:
        record, now = self._seen.record if self._seen else self._gone, self.engine.site().generation
        if record is None:
            when = "now" if explanation.generation == now else f"under generation {explanation.generation} (now {now})"
            asker = explanation.client or "an unknown client"
            return f"{when}: from {asker}, listener {explanation.listener or 'none'}"
        member = words.member_name(record.balancer, record.member)
        ran = f"generation {record.generation}" + (f" (now {now})" if record.generation != now else "")
        via = f" by {member}" if member else ""
        came = f"request {record.number:,} at {words.clock(record.at)}: answered {record.status}{via}, under {ran}"
        return came if self._seen else f"{came}; asked anew: its head is gone, maps and files are as they are now"

    def _ends(self, step: Verdict) -> bool:
        return self._explanation is not None and step.address == self._explanation.rule and step.verdict == "match"

    def _shown(self, key: str) -> ShownStep:
        assert self._explanation is not None
        step = self._explanation.steps[int(key)]
        return ShownStep(step, self._ends(step))

    def _step(self) -> Verdict | None:
        return self._explanation.steps[int(self.table.cursor)] if self._explanation and self.table.cursor else None

    def _describe(self) -> None:
        parts = [part for part in (_about(self._step()), _left(self._explanation)) if part.plain]
        self.query_one("#details Static", Static).update(Content("\n\n").join(parts))

    # Keys

    def on_line_table_chosen(self) -> None:
        self.action_open()

    def action_open(self) -> None:
        if step := self._step():
            self.app.run_worker(self.console.go_to(step.address))  # the app's, for this screen may go

    def action_ask(self) -> None:
        self.set_focus(self.query_one(QuestionLine))

    def action_copy(self) -> None:
        line = f"rproxy explain {self.console.state.file} {self.query_one(QuestionLine).value}"
        self.console.copy(line, "the question as a command")


def _about(step: Verdict | None) -> Content:
    """The step under the cursor: its reason whole, and how it came to it."""
    if step is None:
        return Content("")
    lines = [heading(thing(step.address)), Content(words.printable(step.reason))]
    return Content("\n").join([*lines, *(Content(f"  {words.printable(line)}") for line in step.details)])


def _left(explanation: Explanation | None) -> Content:
    """What the rules left: variables, the options in force, fields of the answer, and the head that goes on."""
    if explanation is None:
        return Content("")
    blocks = []
    for title, lines in (
        ("Variables", [f"{name} = {value}" for name, value in explanation.environment.items()]),
        ("Settings", [f"{each.name}: {each.value}  ({thing(each.address)})" for each in explanation.settings]),
        ("Added to the answer", list(explanation.fields)),
        ("Head as forwarded", lines_of(explanation.forwarded)),
    ):
        if lines:
            blocks.append(Content("\n").join([heading(title), *(Content(words.printable(line)) for line in lines)]))
    return Content("\n\n").join(blocks)


async def page_about(record: Record, engine: EngineView, key: str) -> ExplainPage | str:
    """The page that tells why a request went where it went, or why there is none. ``key`` is as in ExplainPage."""
    try:
        seen = await engine.inspect(record.number)
    except OSError as error:
        return str(error)
    if seen is not None:
        return ExplainPage(key, seen=seen)
    if any(each.number == record.generation for each in engine.history()):
        return ExplainPage(key, gone=record)
    return f"neither that request nor generation {record.generation} is kept any more"
