"""The Dashboard: is all well, and if not, who is sick and since when.

Members with what they get and how they answer, two minutes of traffic with the edits marked under it, what is wrong,
and the newest requests. It changes nothing; from a member one goes to the page that edits it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Static

from proxy_core.control.view import Generation, Snapshot
from proxy_core.control.watching import trouble_words
from proxy_core.control.watching.troubles import Trouble
from proxy_core.errors import Problem
from rproxy_tui import words
from rproxy_tui.content import Content
from rproxy_tui.page import Page
from rproxy_tui.widgets.charts import Chart
from rproxy_tui.widgets.frame import Line
from rproxy_tui.widgets.member_tables import MemberTable
from rproxy_tui.widgets.request_log import RequestLog, nothing_yet

NOW = 5.0
"""Seconds for which a limit that was reached counts as being reached."""
TROUBLES = 4
"""Troubles that are shown at once; the rest is counted."""
PROBLEMS = 3
"""Problems that are shown at once; the rest is counted."""


class DashboardPage(Page):
    heading = "Dashboard"
    key = "1"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (20, "-medium"), (32, "-tall")]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "look", "Look", show=False, id="dashboard.look", tooltip="go to what is worst"),
        Binding("D", "drain", "Drain", id="dashboard.drain", tooltip="drain the first member that is ill"),
        Binding("R", "revert", "Revert", id="dashboard.revert", tooltip="take back what came just before it began"),
    ]

    def body(self) -> ComposeResult:
        yield Static(id="troubles")
        yield MemberTable(id="members")
        with Horizontal(id="charts"):
            yield Chart("requests/s", lambda second: second.requests, words.count)
            yield Chart("4xx/s", lambda second: second.status_4xx, words.count, id="client-errors")
            yield Chart("5xx/s", lambda second: second.status_5xx, words.count, id="server-errors")
            yield Chart("p95 ms", lambda second: second.p95, words.millis)
        yield Line(id="limits")
        yield Static(id="problems")
        yield RequestLog(id="tail", selectable=False)

    def on_mount(self) -> None:
        self._listed: object = None
        self._wrong: tuple[Trouble, ...] = ()
        self.query_one("#troubles", Static).display = False
        self._limited = Limited()
        self.query_one(MemberTable).empty = "no member yet: go to Balancers (4) and press b to add a balancer"

    def pull(self, snapshot: Snapshot) -> None:
        if snapshot.troubles != self._wrong:
            self._wrong = snapshot.troubles
            troubles = self.query_one("#troubles", Static)
            troubles.update(wrong(snapshot.troubles, self.engine.history()))
            troubles.display = bool(snapshot.troubles)
            self.refresh_bindings()
        self.query_one(MemberTable).show_members(snapshot)
        for chart in self.query(Chart):
            chart.show(snapshot.seconds)
        self._limited.see(snapshot)
        limits = self.query_one("#limits", Line)
        limits.show(self._limited.line(snapshot.at))
        limits.display = bool(limits.content.plain)
        log = self.query_one(RequestLog)
        log.empty = nothing_yet(snapshot, self.console.state.site)
        log.pull(self.engine, snapshot.newest_record)
        if (problems := self.console.problems) != self._listed:
            self._listed = problems
            self.query_one("#problems", Static).update(latest(problems, PROBLEMS))

    async def on_line_table_chosen(self) -> None:
        await self.action_look()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that act on what is wrong are there when something is."""
        return {"drain": bool(self._ill()), "revert": bool(self._named())}.get(action, True)

    def _ill(self) -> list[Trouble]:
        return [each for each in self._wrong if each.subject.kind == "member"]

    def _named(self) -> list[Trouble]:
        return [each for each in self._wrong if each.generation]

    async def action_look(self) -> None:
        address = trouble_words.address(self._wrong[0]) if self._wrong else ()
        if address:
            await self.console.go_to(address)
        else:
            await self.console.run_action("page('4')")

    async def action_drain(self) -> None:
        for trouble in self._ill()[:1]:
            await self.console.go_to(trouble_words.address(trouble))
            await self.app.screen.run_action("status('draining')")

    async def action_revert(self) -> None:
        for trouble in self._named()[:1]:
            await self.console.go_to(("history", str(trouble.generation)))
            await self.app.screen.run_action("revert")


def wrong(troubles: Sequence[Trouble], history: Sequence[Generation]) -> Content:
    """A line for each thing that is wrong, worst first. A key stands at the line that it acts on, the first."""
    drained = next((each for each in troubles if each.subject.kind == "member"), None)
    reverted = next((each for each in troubles if each.generation), None)
    lines = [
        Content.assemble(
            ("✗ ", "$text-error"),
            (trouble_words.who(trouble), "bold $text-error"),
            f"  {trouble_words.evidence(trouble)}",
            (f"  {trouble_words.since(trouble, history)}", "$text-muted"),
            ("  D drain" if trouble is drained else "", "$text-accent"),
            (f"  R revert g{trouble.generation}" if trouble is reverted else "", "$text-accent"),
        )
        for trouble in troubles[:TROUBLES]
    ]
    if len(troubles) > TROUBLES:
        lines.append(Content.styled(f"… {len(troubles) - TROUBLES} more", "$text-muted"))
    return Content("\n").join(lines)


class Limited:
    """How often each limit was reached since the start, and which are being reached now."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._grew: dict[str, float] = {}

    def see(self, snapshot: Snapshot) -> None:
        counts = {**snapshot.limited, **{f"entrance of {each.name}": each.turned_away for each in snapshot.listeners}}
        for name, count in counts.items():
            if count > self._counts.get(name, count):
                self._grew[name] = snapshot.at
        self._counts = counts

    def line(self, now: float) -> Content:
        """``limits reached: client_rate 312 ▲ · deny 4``; those that grow first. "" where none was ever reached."""
        reached = [
            (now - self._grew.get(name, -NOW) > NOW, name, count) for name, count in self._counts.items() if count
        ]
        if not reached:
            return Content("")
        parts = [
            Content.assemble(f"{name} {words.count(count)}", ("" if past else " ▲", "")).stylize(
                "$text-muted" if past else "bold $text-warning"
            )
            for past, name, count in sorted(reached)
        ]
        return Content.styled("limits reached: ", "$text-muted") + Content.styled(" · ", "$text-muted").join(parts)


def latest(problems: Sequence[Problem], most: int) -> Content:
    """What is wrong and what to do about it, errors first."""
    if not problems:
        return Content.styled("no problems", "$text-muted")
    ordered = sorted(problems, key=lambda problem: problem.severity != "error")
    lines = [
        Content.assemble(
            ("✗ " if problem.severity == "error" else "! ", f"$text-{problem.severity}"),
            words.printable(problem.what),
            (f": {words.printable(problem.todo)}" if problem.todo else "", "$text-muted"),
        )
        for problem in ordered[:most]
    ]
    if len(ordered) > most:
        lines.append(Content.styled(f"… {len(ordered) - most} more (p lists them)", "$text-muted"))
    return Content("\n").join(lines)
