"""Rewrites: the rules in file order, which is the order in which they are tried, and a line to try a URL against them.

Shows what each rule looks for, what it makes of it and how often it matched; for the rule under the cursor its
conditions and flags in words. With a URL in the line at the bottom every rule says what it would do with it, by the
engine's own explanation, while one types. Every change is one command; the cursor stays on its row.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Label, Static

from proxy_core.config.model import RewriteRule, Site
from proxy_core.control.editing.commands import Change
from proxy_core.control.view import Explanation, RouteLoad, Snapshot, Verdict
from proxy_core.errors import Problem, errors
from rproxy_tui import rule_words, sentences, words
from rproxy_tui.page import Page
from rproxy_tui.screens.explain import VERDICTS, ExplainPage, outcome
from rproxy_tui.widgets.prompt import worded
from rproxy_tui.widgets.question import QuestionLine
from rproxy_tui.widgets.row_table import RowTable
from rproxy_tui.widgets.table import Cell, Column

EMPTY = """\
No rule yet: every request goes to the routes as it came.
Press a to add the first one."""
BUSY_SECONDS = 60
"""A rule that matched within this time is not taken out of service without a question."""
NEVER = RouteLoad(id="", hits=0, last_hit_at=0.0)
MATCHED = ("● match", "good")


class ShownRule(NamedTuple):
    """A rule as it stands on the screen. ``last`` is "" for never, ``tried`` None where no URL is tried."""

    place: int
    rule: RewriteRule
    state: tuple[str, str]
    hits: int
    last: str
    tried: tuple[str, str] | None


def _plain(row: ShownRule, text: str) -> Cell:
    return ((text, "" if row.rule.enabled else "muted"),)


def _used(row: ShownRule, text: str) -> Cell:
    return ((text, "" if row.rule.enabled and row.hits else "muted"),)


def _makes(row: ShownRule, width: int) -> Cell:
    if row.rule.substitution == "-":
        return (("- (no change)"[:width], "muted"),)
    return _plain(row, words.clip(f"→ {row.rule.substitution}", width))


def columns(rules: tuple[RewriteRule, ...], trying: bool) -> tuple[Column[ShownRule], ...]:
    """The columns for these rules: hosts and locations only where a rule has one, what a URL meets only while one is
    tried."""
    name = max([8, *(len(row.id) for row in rules[:200])])
    host = max((len(row.host) for row in rules[:200]), default=0)
    location = max((len(row.location) for row in rules[:200]), default=0)
    pattern = max([12, *(len(row.pattern) for row in rules[:200])])
    flags = max([5, *(len(" ".join(row.flags)) for row in rules[:200])])
    made: list[Column[ShownRule]] = [
        Column("#", 3, lambda row, _: ((str(row.place), "muted"),), priority=7, right=True),
        Column("state", 9, lambda row, _: (row.state,)),
        Column("rule", 8, lambda row, w: _plain(row, words.clip(row.rule.id, w)), priority=4, grow=2, most=name),
        Column("pattern", 12, lambda row, w: _plain(row, words.clip(row.rule.pattern, w)), grow=3, most=pattern),
        Column("makes of it", 14, _makes, priority=2, grow=4),
        Column("if", 2, lambda row, _: _plain(row, str(len(row.rule.conditions) or "")), priority=6, right=True),
        Column("flags", 5, lambda row, w: _plain(row, words.clip(" ".join(row.rule.flags), w)), priority=3, grow=1,
               most=flags),
        Column("hits", 5, lambda row, _: _used(row, words.count(row.hits)), right=True),
        Column("last hit", 9, lambda row, _: _used(row, row.last or "never"), priority=5, right=True),
    ]  # fmt: skip
    if host:
        made.insert(3, Column("host", 6, lambda row, w: _plain(row, words.clip(row.rule.host or "all", w)), priority=8,
                              grow=1, most=max(6, host)))  # fmt: skip
    if location:
        made.insert(3, Column("location", 8, lambda row, w: _plain(row, words.clip(row.rule.location, w)), priority=8,
                              grow=1, most=max(8, location)))  # fmt: skip
    if trying:
        made.insert(2, Column("this URL", 10, lambda row, _: (row.tried or ("", ""),)))
    return tuple(made)


class RewritesPage(Page):
    heading = "Rewrites"
    key = "5"
    hertz = 2.0
    VERTICAL_BREAKPOINTS = [(0, "-short"), (20, "-tall")]
    help_text = """
Rules are tried in this order, before the routes. A rule looks for its **pattern** in the path as the rules above left
it; if its conditions hold too, the path becomes what the rule **makes of it**. Flags say what happens then: `P`
forwards to that URL, `R` redirects, `PT` goes on to the routes. A path that a rule changed without one of these gets
404, as in Apache.

`/` tries a URL in place: each rule says whether it would match, and the rule under the cursor why. `w` shows the whole
way of that URL, routes included. A method, a client and fields may be added: `POST /x --client 192.0.2.7 -H 'A: b'`.

A rule without a host belongs to the server: whether hosts try it before or after their own, their `rewrites` says. A
rule of a location is tried when it is known where a request goes: it sees `proxy:http://…`, or the file that answers.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "try", "Try a URL", key_display="/", id="rewrites.try", tooltip="try a URL against the rules"),
        Binding("e", "edit", "Edit", id="rewrites.edit", tooltip="edit the rule in a form (also enter)"),
        Binding("a", "add", "Add", id="rewrites.add", tooltip="add a rule above the one under the cursor"),
        Binding("t", "switch", "On/off", id="rewrites.switch", tooltip="take the rule out of service, or back"),
        Binding("d,delete", "delete", "Delete", id="rewrites.delete", tooltip="remove the rule"),
        Binding("f", "fix", "Fix order", id="rewrites.fix", tooltip="move a rule that never matches above its shadow"),
        Binding("w", "why", "Why", id="rewrites.why", tooltip="the whole way of the URL that is tried"),
        Binding("K,shift+up", "shift(-1)", "Up", show=False, id="rewrites.up", tooltip="try the rule earlier"),
        Binding("J,shift+down", "shift(1)", "Down", show=False, id="rewrites.down", tooltip="try the rule later"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.rules: tuple[RewriteRule, ...] = ()
        self._rules: dict[str, RewriteRule] = {}
        self._places: dict[str, int] = {}
        self._notes: dict[str, list[Problem]] = {}
        self._loads: dict[str, RouteLoad] = {}
        self._now = 0.0
        self._site = Site()
        self._tried: Explanation | None = None
        self._verdicts: dict[str, Verdict] = {}

    def body(self) -> ComposeResult:
        yield RowTable[ShownRule](columns((), False), EMPTY)
        yield Static(id="about", markup=False)
        with Horizontal(id="try"):
            yield Label("try ")
            yield QuestionLine(self.engine, self._leave_line)
        yield Static(id="outcome", markup=False)

    @property
    def table(self) -> RowTable[ShownRule]:
        return self.query_one(RowTable)

    def pull(self, snapshot: Snapshot) -> None:
        self._now = snapshot.at
        self._loads = {load.id: load for load in snapshot.rewrites}
        self._notes = {}
        for problem in self.engine.problems():
            if problem.address[:1] == ("rewrites",) and len(problem.address) > 1:
                self._notes.setdefault(problem.address[1], []).append(problem)
        site = self.engine.site().site
        if site != self._site:
            self._site, self.rules = site, site.rewrites
            self._rules = {row.id: row for row in self.rules}
            self._places = {id: n for n, id in enumerate(self._rules, 1)}
            self._show_rules()
            self.query_one(QuestionLine).ask()
        self.table.changed()
        self._describe()

    def _show_rules(self) -> None:
        self.table.show(tuple(self._rules), self._shown, columns(self.rules, self._tried is not None))

    def _shown(self, id: str) -> ShownRule:
        rule, load = self._rules[id], self._loads.get(id, NEVER)
        last = sentences.ago(self._now - load.last_hit_at) if load.hits else ""
        return ShownRule(self._places[id], rule, self._state(rule), load.hits, last, self._met(id))

    def _met(self, id: str) -> tuple[str, str] | None:
        if self._tried is None:
            return None
        if id not in self._verdicts:
            return ("not tried", "muted")
        glyph, style = VERDICTS[self._verdicts[id].verdict]
        return f"{glyph} {self._verdicts[id].verdict}", style

    def _state(self, rule: RewriteRule) -> tuple[str, str]:
        if not rule.enabled:
            return "○ off", "muted"
        if not (notes := self._notes.get(rule.id)):
            return "● on", "good"
        return ("■ error", "error") if errors(tuple(notes)) else ("▲ check", "warning")

    # The rule under the cursor

    def on_line_table_moved(self) -> None:
        self._describe()

    def on_line_table_chosen(self) -> None:
        self.action_edit()

    def _describe(self) -> None:
        rule = self._rules.get(self.table.cursor)
        self.query_one("#about", Static).update(self._about(rule) if rule else Content(""))

    def _about(self, rule: RewriteRule) -> Content:
        off = f"  of location {rule.location}" * bool(rule.location) + "  off" * (not rule.enabled)
        lines = [Content.assemble((rule.id, "bold"), f"  {rule.pattern} → {rule.substitution}", (off, "$text-muted"))]
        fixable = sentences.fix_rules(self._site, rule) is not None
        for note in self._notes.get(rule.id, ()) if rule.enabled else ():
            lines.append(worded(note))
            if fixable and "above" in note.todo:
                lines[-1] += Content.assemble(": ", ("f", "bold $text-accent"), " does it")
        if verdict := self._verdicts.get(rule.id):
            lines.append(Content(words.printable(verdict.reason)))
            lines += [Content.styled(words.printable(f"  {line}"), "$text-muted") for line in verdict.details]
        else:
            lines += [Content(line) for line in rule_words.conditions(rule)]
            if said := rule_words.meanings(",".join(rule.flags)):
                lines.append(Content.styled("; ".join(said), "$text-muted"))
        return Content("\n").join(lines)

    # A URL tried in place

    def action_try(self) -> None:
        self.set_focus(self.query_one(QuestionLine))

    def _leave_line(self) -> None:
        self.set_focus(self.table)

    def on_question_line_answered(self, answer: QuestionLine.Answered) -> None:
        self._tried = answer.explanation
        steps = answer.explanation.steps if answer.explanation else ()
        self._verdicts = {}
        for step in steps:  # in a loop a rule is tried more than once, and a match is what counts
            if step.address[0] == "rewrites" and self._met(step.address[1]) != MATCHED:
                self._verdicts[step.address[1]] = step
        self._show_rules()
        if answer.explanation and answer.explanation.rule[:1] == ("rewrites",):
            self.table.go_to(answer.explanation.rule[1])  # its details are what one wants to read
        self._describe()
        said = self.query_one("#outcome", Static)
        said.display = bool(answer.explanation or answer.wrong)
        said.update(
            outcome(answer.explanation) if answer.explanation else Content.styled(answer.wrong, "$text-warning")
        )

    def action_why(self) -> None:
        self.app.push_screen(ExplainPage(self.key, self.query_one(QuestionLine).value))

    # Keys

    @work
    async def action_edit(self) -> None:
        if rule := self._under_cursor():
            await self.console.edit(("rewrites", rule.id))

    @work
    async def action_add(self) -> None:
        start = {"pattern": "^/", "flags": ["PT"]}
        if new := await self.console.add(("rewrites",), start, before=self.table.cursor):
            self.go_to(new)

    @work
    async def action_switch(self) -> None:
        if rule := self._under_cursor():
            risky = rule.enabled and self._now - self._loads.get(rule.id, NEVER).last_hit_at < BUSY_SECONDS
            await self._do_surely(rule, sentences.toggle_row("rewrites", rule), "Disable" if risky else "")

    @work
    async def action_delete(self) -> None:
        if rule := self._under_cursor():
            await self._do_surely(rule, sentences.remove(("rewrites", rule.id)), "Delete")

    @work
    async def action_shift(self, step: int) -> None:
        if not (rule := self._under_cursor()):
            return
        if change := sentences.shift_row("rewrites", self.rules, rule.id, step):
            await self.console.do(change)
        else:
            self.console.say("It is the first rule already." if step < 0 else "It is the last rule already.")

    @work
    async def action_fix(self) -> None:
        if not (rule := self._under_cursor()):
            return
        if change := sentences.fix_rules(self._site, rule):
            await self.console.do(change)
        else:
            self.console.say("No rule above takes its place: nothing to move.")

    async def _do_surely(self, rule: RewriteRule, change: Change, verb: str) -> None:
        """Do it; with a ``verb``, ask before, with how much the rule is used."""
        shown = self._shown(rule.id)
        used = f"{shown.hits:,} hits, the last {shown.last}" if shown.hits else "no hit so far"
        question = f"{verb} rule {rule.id} ({used})?" if verb else ""
        detail = "What it took goes on to the rules below, then to the routes." if rule.enabled else "It is off."
        await self.console.do(change, question, detail, verb)

    def _under_cursor(self) -> RewriteRule | None:
        rule = self._rules.get(self.table.cursor)
        if rule is None:
            self.console.say("No rule here yet: press a to add one.")
        return rule

    def go_to(self, name: str) -> None:
        self.pull(self.engine.snapshot())
        self.table.go_to(name)
