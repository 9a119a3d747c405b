"""Two members side by side: what differs between the sick one and the well one, live.

A page on top of Balancers, so that it is pulled as every page is. The last column says how many times as much the
second has of what the first has, and points out where that is much and bad.
"""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from proxy_core.control.view import MemberLoad, Snapshot
from rproxy_tui import member_facts, words
from rproxy_tui.content import Content
from rproxy_tui.member_facts import FACTS, Fact
from rproxy_tui.page import Page
from rproxy_tui.sentences import MemberName

MUCH = 2.0
"""Times as much, or as little, from which a difference is pointed out."""
LABEL, TIMES = 16, 7


class ComparePage(Page):
    heading = "Compare"
    key = "4"
    hertz = 2.0
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,c", "back", "Back", key_display="esc", id="compare.back", tooltip="back to the balancers"),
        Binding("s", "swap", "Swap", id="compare.swap", tooltip="left becomes right"),
        Binding("down,j", "scroll(1)", "Scroll", show=False, id="compare.down"),
        Binding("up,k", "scroll(-1)", "Scroll back", show=False, id="compare.up"),
        Binding("pagedown,space", "scroll(10)", "Page down", show=False, id="compare.page_down"),
        Binding("pageup", "scroll(-10)", "Page up", show=False, id="compare.page_up"),
    ]

    def __init__(self, one: MemberName, other: MemberName) -> None:
        super().__init__()
        self._pair = (one, other)

    def body(self) -> ComposeResult:
        with VerticalScroll(can_focus=False):
            yield Static(id="pair")

    def pull(self, snapshot: Snapshot) -> None:
        loads = {(load.balancer, load.member): load for load in snapshot.members}
        one, other = (loads.get(name) for name in self._pair)
        gone = [words.member_name(*name) for name in self._pair if name not in loads]
        shown = (
            side_by_side(one, other, snapshot.at, self.size.width - 3)
            if one is not None and other is not None
            else Content.styled(f"{' and '.join(gone)} {'is' if len(gone) == 1 else 'are'} gone.", "$text-muted")
        )
        self.query_one("#pair", Static).update(shown)

    def action_swap(self) -> None:
        self._pair = (self._pair[1], self._pair[0])
        self.pull(self.console.snapshot)

    def action_scroll(self, lines: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)


def side_by_side(one: MemberLoad, other: MemberLoad, now: float, width: int) -> Content:
    """A line for each fact, then what checks, names and slow start say of each."""
    room = max(8, min(34, (width - LABEL - TIMES) // 2 - 1))
    names = [words.middle(words.member_name(load.balancer, load.member), room) for load in (one, other)]
    lines = [Content.assemble((" " * LABEL, ""), (f"{names[0]:<{room}} {names[1]:<{room}}", "bold"))]
    for fact in FACTS:
        sign, style = verdict(fact, one, other)
        cells = [words.pad(words.middle(fact.text(load), room), room) for load in (one, other)]
        lines.append(
            Content.assemble(
                (f"{fact.label:<{LABEL}}", "$text-muted"),
                f"{cells[0]} ",
                (cells[1], style),
                (f" {sign:>{TIMES}}", style or "$text-muted"),
            )
        )
    for load, name in zip((one, other), names, strict=True):
        if condition := member_facts.condition(load, now):
            lines.append(Content.assemble((f"\n{name}  ", "bold"), (condition, "$text-muted")))
    return Content("\n").join(lines)


def verdict(fact: Fact, one: MemberLoad, other: MemberLoad) -> tuple[str, str]:
    """``×10 ▲``: how many times as much the other has, and whether that speaks against it; with its style. ``≠`` for
    what differs without a number; 0 against 18 is marked, though no number times 0 is 18."""
    before, after = fact.number(one), fact.number(other)
    if fact.text(one) == fact.text(other):
        return "", ""
    if before <= 0 or after < 0 or words.rate(before) == words.rate(after):
        worse = fact.less and before == 0 and after > 0
        return ("▲", "$text-warning") if worse else ("≠", "")
    times = after / before
    factor = f"×{words.rate(times)}" if times >= 0.095 or not times else "×<0.1"
    if fact.less and (times >= MUCH or times <= 1 / MUCH):
        return (f"{factor} ▲", "$text-warning") if times >= MUCH else (f"{factor} ▼", "")
    return ("≠" if factor == "×1.0" else factor), ""
