"""The rule tests: each row of [[tests]] with what comes of it now.

Those that fail stand first, with what was expected and what came. Enter opens the form of a test, ``a`` adds one.
"""

from __future__ import annotations

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from proxy_core.control.question import TestOutcome
from rproxy_tui.console import ConsoleVerbs, SiteChanged
from rproxy_tui.content import Content
from rproxy_tui.settling import left
from rproxy_tui.words import printable

NONE = "No test yet: a adds one, a request and what the rules are to make of it."


class RuleTestsScreen(ModalScreen[None]):
    """A list of tests, asked anew whenever the site has changed."""

    BINDINGS = [
        Binding("escape,q,f3", "dismiss", "Close", id="tests.close"),
        Binding("j", "move(1)", show=False, id="tests.down"),
        Binding("k", "move(-1)", show=False, id="tests.up"),
        Binding("a", "add", "Add a test", id="tests.add"),
    ]

    def __init__(self, console: ConsoleVerbs) -> None:
        super().__init__()
        self.console = console
        self._shown: list[TestOutcome] = []

    def compose(self) -> ComposeResult:
        with Vertical(classes="sheet") as sheet:
            sheet.border_title = "rule tests"
            sheet.border_subtitle = "enter opens its form  a adds one  esc closes"
            yield Static("asking the rules …", classes="empty")
            yield OptionList()

    def on_mount(self) -> None:
        self._ask()

    def on_site_changed(self, _event: SiteChanged) -> None:
        self._ask()

    @work(exclusive=True)
    async def _ask(self) -> None:
        try:
            outcomes = await self.console.engine.tests()
        except OSError as error:
            self.query_one(Static).update(Content(printable(str(error))))
            return
        if left(self):
            return
        self._shown = sorted(outcomes, key=lambda each: not each.otherwise)
        failed = sum(bool(each.otherwise) for each in outcomes)
        summary = f"{len(outcomes) - failed} hold" + (f", {failed} fail" if failed else "")
        self.query_one(Static).update(Content(summary if outcomes else NONE))
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options(Option(worded(each)) for each in self._shown)
        options.highlighted = 0 if self._shown else None
        options.focus()

    def action_move(self, step: int) -> None:
        options = self.query_one(OptionList)
        (options.action_cursor_down if step > 0 else options.action_cursor_up)()

    @work
    async def action_add(self) -> None:
        await self.console.add(("tests",), {"request": "GET /"})

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.app.run_worker(self.console.edit(("tests", self._shown[event.option_index].id)))


def worded(outcome: TestOutcome) -> Content:
    """Whether a test holds, what it asks, and how it comes out otherwise."""
    glyph, word, style = ("✗", "fails", "error") if outcome.otherwise else ("✓", "holds", "success")
    lines = [f"{each.name}: {each.got or 'none'}, expected {each.expected}" for each in outcome.otherwise]
    lines += [outcome.sentence] if outcome.otherwise and outcome.sentence else []
    return Content.assemble(
        (f"{glyph} {word}  ", f"bold $text-{style}"),
        (printable(outcome.id), "bold"),
        f"  {printable(outcome.request)}",
        *((f"\n  {printable(line)}", "$text-muted") for line in lines),
    )
