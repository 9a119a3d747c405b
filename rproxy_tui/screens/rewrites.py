"""Rewrites: the rules in file order, which is the order in which they are tried, and a line to try a URL against them.

Shows what each rule looks for, what it makes of it and how often it matched; for the rule under the cursor its
conditions and flags in words. With a URL in the line at the bottom every rule says what it would do with it, by the
engine's own explanation, while one types. Every change is one command; the cursor stays on its row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Label, Static

from proxy_core.config.model import RewriteRule
from proxy_core.control.editing.commands import Change
from proxy_core.control.question import Explanation, Verdict
from rproxy_tui import rule_words, sentences, words
from rproxy_tui.content import Content
from rproxy_tui.screens.explain import ExplainPage, QuestionLine, outcome
from rproxy_tui.screens.rows_page import RowsPage, ShownRow, plain
from rproxy_tui.widgets.row_table import RowTable
from rproxy_tui.widgets.table import Cell, Column

EMPTY = """\
No rule yet: every request goes to the routes as it came.
Press a to add the first one."""


ShownRule = ShownRow[RewriteRule]


def _makes(row: ShownRule, width: int) -> Cell:
    if row.row.substitution == "-":
        return (("- (no change)"[:width], "muted"),)
    return plain(row, words.clip(f"→ {row.row.substitution}", width))


class RewritesPage(RowsPage[RewriteRule]):
    heading = "Rewrites"
    key = "5"
    rows_at = "rewrites"
    kind = "rule"
    word = "rule"
    start: ClassVar[Mapping[str, Any]] = {"pattern": "^/", "flags": ["PT"]}
    hertz = 2.0
    VERTICAL_BREAKPOINTS = [(0, "-short"), (20, "-tall")]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "slash", "find", "Find", key_display="/", id="rewrites.find", tooltip="only rules that hold what is typed"
        ),
        Binding("T", "try", "Try a URL", id="rewrites.try", tooltip="try a URL against the rules"),
        Binding("e", "edit", "Edit", id="rewrites.edit", tooltip="edit the rule in a form"),
        Binding("a", "add", "Add", id="rewrites.add", tooltip="add a rule above the one under the cursor"),
        Binding("t", "switch", "On/off", id="rewrites.switch", tooltip="take the rule out of service, or back"),
        Binding("d,delete", "delete", "Delete", id="rewrites.delete", tooltip="remove the rule"),
        Binding("f", "fix", "Fix order", id="rewrites.fix", tooltip="move a rule that never matches to where it does"),
        Binding("w", "why", "Why", id="rewrites.why", tooltip="the whole way of the URL that is tried"),
        Binding("K,shift+up", "shift(-1)", "Up", show=False, id="rewrites.up", tooltip="try the rule earlier"),
        Binding("J,shift+down", "shift(1)", "Down", show=False, id="rewrites.down", tooltip="try the rule later"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._tried: Explanation | None = None
        self._verdicts: dict[str, Verdict] = {}

    def body(self) -> ComposeResult:
        yield RowTable[ShownRule]((), EMPTY)
        yield self.find_line()
        yield Static(id="about", markup=False)
        with Horizontal(id="try"):
            yield Label("try ")
            yield QuestionLine(self.engine, self._leave_line)
        yield Static(id="outcome", markup=False)

    def columns(self) -> tuple[Column[ShownRule], ...]:
        """Hosts and locations only where a rule has one, what a URL meets only while one is tried."""
        rules = self.site.rewrites[:200]

        def longest(read: Callable[[RewriteRule], str], least: int) -> int:
            return max([least, *(len(read(row)) for row in rules)])

        def text(
            title: str, width: int, read: Callable[[RewriteRule], str], priority: int, grow: int
        ) -> Column[ShownRule]:
            """A column as wide as its longest text."""

            def cell(row: ShownRule, width: int) -> Cell:
                return plain(row, words.clip(read(row.row), width))

            return Column(title, width, cell, priority, grow=grow, most=longest(read, width))

        made = [
            Column(
                "#",
                3,
                lambda row, _: ((str(row.place), "muted"),),
                priority=9,
                right=True,
                order=lambda row: -row.place,
            ),
            Column("state", 9, lambda row, _: (row.state,)),
            Column("this URL", 10, lambda row, _: (row.tried or ("", ""),)) if self._tried else None,
            text("rule", 8, lambda rule: rule.id, 4, 2),
            text("location", 8, lambda rule: rule.location, 8, 1) if longest(lambda rule: rule.location, 0) else None,
            text("host", 6, lambda rule: rule.host or "all", 8, 1) if longest(lambda rule: rule.host, 0) else None,
            text("pattern", 12, lambda rule: rule.pattern, 0, 3),
            Column("makes of it", 14, _makes, priority=2, grow=4),
            Column("if", 2, lambda row, _: plain(row, str(len(row.row.conditions) or "")), priority=8, right=True),
            text("flags", 5, lambda rule: " ".join(rule.flags), 3, 1),
        ]
        return (*(column for column in made if column is not None), *self.use_columns(5))

    def take_site(self) -> None:
        super().take_site()
        self.query_one(QuestionLine).ask()

    def shown(self, id: str) -> ShownRule:
        return super().shown(id)._replace(tried=self._met(id))

    def _met(self, id: str) -> tuple[str, str] | None:
        if self._tried is None:
            return None
        verdict = self._verdicts.get(id)
        return words.verdict(verdict) if verdict else ("not tried", "muted")

    def about(self, row: RewriteRule) -> Iterator[Content]:
        off = f"  of location {row.location}" * bool(row.location) + "  off" * (not row.enabled)
        yield Content.assemble((row.id, "bold"), f"  {row.pattern} → {row.substitution}", (off, "$text-muted"))
        yield self.did(row)
        yield from self.notes(row)
        if verdict := self._verdicts.get(row.id):
            yield Content(words.printable(verdict.reason))
            for line in verdict.details:
                yield Content.styled(words.printable(f"  {line}"), "$text-muted")
        else:
            yield from map(Content, rule_words.conditions(row))
            if meanings := rule_words.meanings(",".join(row.flags)):
                yield Content.styled("; ".join(meanings), "$text-muted")

    def sought(self, row: RewriteRule) -> str:
        return f"{row.id} {row.pattern} {row.substitution} {' '.join(row.flags)} {row.host} {row.location}"

    def heir(self, row: RewriteRule) -> str:
        return "What it took goes on to the rules below, then to the routes." if row.enabled else "It is off."

    def fixed(self, row: RewriteRule) -> Change | None:
        return sentences.fix_rules(self.site, row)

    # A URL tried in place

    def action_try(self) -> None:
        self.set_focus(self.query_one(QuestionLine))

    def _leave_line(self) -> None:
        self.set_focus(self.table)

    def on_question_line_answered(self, answer: QuestionLine.Answered) -> None:
        self._tried = answer.explanation
        steps = answer.explanation.steps if answer.explanation else ()
        rules = [step for step in steps if step.address[0] == "rewrites"]
        matches = [step for step in rules if step.verdict == "match"]
        # In a loop a rule is tried more than once: its first match is what counts, or else the last try.
        self._verdicts = {step.address[1]: step for step in (*rules, *reversed(matches))}
        super().take_site()
        if answer.explanation and answer.explanation.rule[:1] == ("rewrites",):
            self.table.go_to(answer.explanation.rule[1])  # its details are what one wants to read
        self.describe()
        line = self.query_one("#outcome", Static)
        line.display = bool(answer.explanation or answer.wrong)
        line.update(
            outcome(answer.explanation) if answer.explanation else Content.styled(answer.wrong, "$text-warning")
        )

    def action_why(self) -> None:
        self.app.push_screen(ExplainPage(self.key, self.query_one(QuestionLine).value))
