"""Shadow: copies of requests that go to other members too, and in what their answers differ from the real ones.

A page on top of Routes, so that it is pulled as every page is. A line for each route with a shadow, then the
differences, grouped by the shape of the path and what differs, the most frequent of each route first.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from proxy_core.control.view import Snapshot
from proxy_core.control.watching.shadow_loads import ShadowGroup, ShadowLoad
from rproxy_tui import sentences, words
from rproxy_tui.content import Content
from rproxy_tui.page import Page
from rproxy_tui.screens.explain import ExplainPage
from rproxy_tui.widgets.row_table import RowTable
from rproxy_tui.widgets.table import Cell, Column
from rproxy_tui.words import printable

NO_SHADOW = """\
No route has a shadow yet. In the form of a route (e on Routes), shadow names
the balancer or the server that gets copies, and shadow_share how many."""
NOT_KEPT = "What copies have shown is not kept: 0 goes back to now."
NO_DIFFERENCE = "No answer to a copy has differed so far."


class ShownGroup(NamedTuple):
    """Differences of one kind on paths of one shape, of one route."""

    route: str
    group: ShadowGroup
    ago: str
    """How long ago the last one came."""


def _path(row: ShownGroup, width: int) -> Cell:
    return ((words.middle(printable(row.group.shape), width), ""),)


def _kind(row: ShownGroup, width: int) -> Cell:
    kind = row.group.kind
    return ((words.clip(kind, width), "error" if kind in ("status", "no answer") else "warning"),)


def _last(row: ShownGroup, width: int) -> Cell:
    return ((words.clip(printable(f"{row.group.real} → {row.group.copy}"), width), ""),)


COLUMNS: tuple[Column[ShownGroup], ...] = (
    Column("route", 8, lambda row, w: ((words.clip(row.route, w), ""),), priority=2, grow=1, most=24),
    Column("count", 6, lambda row, _: ((words.count(row.group.count), ""),), right=True),
    Column("path", 18, lambda row, w: ((words.middle(printable(row.group.shape), w), ""),), grow=3, most=80),
    Column("differs", 13, _kind),
    Column("real → copy, last", 20, _last, grow=4),
    Column("last", 10, lambda row, _: ((row.ago, "muted"),), priority=3, right=True),
)


class ShadowPage(Page):
    heading = "Shadow"
    key = "3"
    hertz = 2.0
    VERTICAL_BREAKPOINTS = [(0, "-short"), (20, "-tall")]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,S", "back", "Back", key_display="esc", id="shadow.back", tooltip="back to the routes"),
        Binding("w", "why", "Why", id="shadow.why", tooltip="tell of the last such request (also enter)"),
        Binding("e", "edit", "Edit", id="shadow.edit", tooltip="edit the route: where copies go, and how many"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._rows: dict[str, ShownGroup] = {}

    def body(self) -> ComposeResult:
        yield Static(id="copies")
        yield RowTable[ShownGroup](COLUMNS)
        yield Static(id="about")

    @property
    def table(self) -> RowTable[ShownGroup]:
        return self.query_one(RowTable)

    def pull(self, snapshot: Snapshot) -> None:
        loads = snapshot.shadows
        groups = ((load.route, group) for load in loads for group in load.groups)
        rows = [ShownGroup(route, group, sentences.ago(snapshot.at - group.at)) for route, group in groups]
        self._rows = {f"{row.route} {row.group.kind} {row.group.shape}": row for row in rows}
        self.table.empty = f"\n{NOT_KEPT if snapshot.past else NO_DIFFERENCE if loads else NO_SHADOW}"
        self.table.show(tuple(self._rows), self._rows.__getitem__)
        self.query_one("#copies", Static).update(Content("\n").join(map(summary, loads)))
        self._describe()

    def _describe(self) -> None:
        row = self._rows.get(self.table.cursor)
        self.query_one("#about", Static).update(Content("\n").join(about(row)) if row is not None else "")

    def on_line_table_moved(self) -> None:
        self._describe()

    def on_line_table_chosen(self) -> None:
        self.action_why()

    @work(exclusive=True, group="why")
    async def action_why(self) -> None:
        if not (row := self._rows.get(self.table.cursor)):
            return
        try:
            seen = await self.engine.inspect(row.group.record)
        except OSError as error:
            return self.console.say(str(error), "error")
        if seen is None:
            return self.console.say("that request is no longer kept", "warning")
        self.app.push_screen(ExplainPage(self.key, seen=seen))

    @work
    async def action_edit(self) -> None:
        row, loads = self._rows.get(self.table.cursor), self.console.snapshot.shadows
        if route := row.route if row is not None else next((load.route for load in loads), ""):
            await self.console.edit(("routes", route))


def summary(load: ShadowLoad) -> Content:
    """The copies of a route in a line."""
    differ = load.requests - load.same
    parts = [f"{load.requests:,} copies", f"{load.same:,} answered alike"]
    dropped = f", {load.dropped:,} dropped" if load.dropped else ""
    return Content.assemble(
        (load.route, "bold"),
        f"  {100 * load.share:g} % to {load.pool}: {', '.join(parts)}, ",
        (f"{differ:,} otherwise", "$text-warning" if differ else ""),
        f"{dropped}, {load.in_flight} under way",
    )


def about(row: ShownGroup) -> tuple[Content, ...]:
    """What is known of one group, in lines."""
    group = row.group
    times = f"  {group.kind}, {group.count:,} times, the last {row.ago}"
    return (
        Content.assemble((printable(group.shape), "bold"), times),
        Content.assemble(("real  ", "$text-muted"), printable(group.real)),
        Content.assemble(("copy  ", "$text-muted"), printable(group.copy)),
    )
