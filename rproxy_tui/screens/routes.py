"""Routes: the rows in file order, which is the order in which they are tried.

Shows what each row takes, where it leads and how much it is used; warns of rows that can never match, and puts one
right with a key. Every change is one command; the cursor stays on its row, also when the row moves.
"""

from __future__ import annotations

from collections import deque
from typing import ClassVar, NamedTuple

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from proxy_core.config.model import Route
from proxy_core.control.editing.commands import Change
from proxy_core.control.view import RouteLoad, Snapshot
from proxy_core.errors import Problem, errors
from rproxy_tui import sentences, words
from rproxy_tui.page import Page
from rproxy_tui.widgets.prompt import Prompt, worded
from rproxy_tui.widgets.row_table import RowTable
from rproxy_tui.widgets.table import Cell, Column

EMPTY = """\
No route yet: what no rule and no file answers gets 404.
Press a to add the first one."""
RATE_SECONDS = 5
BUSY_SECONDS = 60
"""A row that was hit within this time is not taken out of service without a question."""
NEVER = RouteLoad(id="", hits=0, last_hit_at=0.0)


class ShownRoute(NamedTuple):
    """A row as it stands on the screen. ``last`` is "" for never."""

    place: int
    route: Route
    state: tuple[str, str]
    hits: int
    rate: float
    last: str


def _plain(row: ShownRoute, text: str) -> Cell:
    return ((text, "" if row.route.enabled else "muted"),)


def _target(row: ShownRoute, width: int) -> Cell:
    if row.route.except_:
        return (("✕ except", "accent" if row.route.enabled else "muted"),)
    return _plain(row, words.clip(f"→ {row.route.leads}", width))


def _used(row: ShownRoute, text: str) -> Cell:
    return ((text, "" if row.route.enabled and row.hits else "muted"),)


def columns(routes: tuple[Route, ...]) -> tuple[Column[ShownRoute], ...]:
    """The columns for these rows: a name or path gets the room that the longest one needs, the target the rest."""
    name = max([8, *(len(row.id) for row in routes[:200])])
    path = max([14, *(len(row.taken) for row in routes[:200])])
    return (
        Column("#", 3, lambda row, _: ((str(row.place), "muted"),), priority=4, right=True),
        Column("state", 10, lambda row, _: (row.state,)),
        Column("route", 8, lambda row, w: _plain(row, words.clip(row.route.id, w)), priority=3, grow=2, most=name),
        Column("path", 14, lambda row, w: _plain(row, words.middle(row.route.taken, w)), grow=3, most=path),
        Column("target", 20, _target, priority=1, grow=5),
        Column("hits", 6, lambda row, _: _used(row, words.count(row.hits)), right=True),
        Column("hits/s", 6, lambda row, _: _used(row, words.rate(row.rate)), priority=5, right=True),
        Column("last hit", 10, lambda row, _: _used(row, row.last or "never"), priority=2, right=True),
    )


class RoutesPage(Page):
    heading = "Routes"
    key = "3"
    hertz = 2.0
    VERTICAL_BREAKPOINTS = [(0, "-short"), (20, "-tall")]
    help_text = """
The first row whose path matches decides; later rows are not tried. A path takes whole segments: `/app` takes `/app`
and `/app/x`, not `/apple`. An **exception** keeps a path from being forwarded: what it takes gets 404. It must stand
above the row that it excepts from.

A row marked `▲ shadowed` never matches, because a row above takes all of its requests; an exception marked
`▲ too low` excepts nothing for the same reason. `f` moves it above that row.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "edit", "Edit", id="routes.edit", tooltip="edit the row in a form (also enter)"),
        Binding("a", "add", "Add", id="routes.add", tooltip="add a route above the row under the cursor"),
        Binding("x", "except", "Except a path", id="routes.except", tooltip="keep a path from being forwarded"),
        Binding("t", "switch", "On/off", id="routes.switch", tooltip="take the row out of service, or back"),
        Binding("d,delete", "delete", "Delete", id="routes.delete", tooltip="remove the row"),
        Binding("K,shift+up", "shift(-1)", "Up", show=False, id="routes.up", tooltip="try the row earlier"),
        Binding("J,shift+down", "shift(1)", "Down", show=False, id="routes.down", tooltip="try the row later"),
        Binding("f", "fix", "Fix order", id="routes.fix", tooltip="move a row that never matches above its shadow"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.routes: tuple[Route, ...] = ()
        self._routes: dict[str, Route] = {}
        self._places: dict[str, int] = {}
        self._notes: dict[str, list[Problem]] = {}
        self._loads: dict[str, RouteLoad] = {}
        self._past: deque[tuple[float, dict[str, RouteLoad]]] = deque(maxlen=RATE_SECONDS)
        self._now = 0.0

    def body(self) -> ComposeResult:
        yield RowTable[ShownRoute](columns(()), EMPTY)
        yield Static(id="about")

    @property
    def table(self) -> RowTable[ShownRoute]:
        return self.query_one(RowTable)

    def pull(self, snapshot: Snapshot) -> None:
        self._now = snapshot.at
        self._loads = {load.id: load for load in snapshot.routes}
        if not self._past or snapshot.at - self._past[-1][0] >= 1:
            self._past.append((snapshot.at, self._loads))
        self._notes = {}
        for problem in self.engine.problems():
            if problem.address[:1] == ("routes",) and len(problem.address) > 1:
                self._notes.setdefault(problem.address[1], []).append(problem)
        routes = self.engine.site().site.routes
        if routes != self.routes:
            self.routes = routes
            self._routes = {row.id: row for row in routes}
            self._places = {id: n for n, id in enumerate(self._routes, 1)}
            self.table.show(tuple(self._routes), self._shown, columns(routes))
        self.table.changed()
        self._describe()

    def _shown(self, id: str) -> ShownRoute:
        route, load = self._routes[id], self._loads.get(id, NEVER)
        last = sentences.ago(self._now - load.last_hit_at) if load.hits else ""
        return ShownRoute(self._places[id], route, self._state(route), load.hits, self._rate(id), last)

    def _state(self, route: Route) -> tuple[str, str]:
        if not route.enabled:
            return "○ off", "muted"
        if not (notes := self._notes.get(route.id)):
            return "● on", "good"
        if errors(tuple(notes)):
            return "■ error", "error"
        if sentences.shadow(self.routes, route.id):
            return "▲ too low" if route.except_ else "▲ shadowed", "warning"
        return "▲ check", "warning"

    def _rate(self, id: str) -> float:
        at, loads = self._past[0]
        return (self._loads.get(id, NEVER).hits - loads.get(id, NEVER).hits) / max(1.0, self._now - at)

    # The row under the cursor

    def on_line_table_moved(self) -> None:
        self._describe()

    def on_line_table_chosen(self) -> None:
        self.action_edit()

    def _describe(self) -> None:
        route = self._routes.get(self.table.cursor)
        self.query_one("#about", Static).update(self._about(route) if route else Content(""))

    def _about(self, route: Route) -> Content:
        path = route.path
        taken = f"{path} and all below it" if path else f"what {route.path_regex} is found in"
        if path is not None and path.endswith("/"):
            taken = f"all below {path}"
        says = f"keeps {taken} from being forwarded (404)" if route.except_ else f"takes {taken}, goes to {route.leads}"
        lines = [Content.assemble((route.id, "bold"), f"  {says}", ("" if route.enabled else "  off", "$text-muted"))]
        if route.enabled and (notes := self._notes.get(route.id)):
            fixable = sentences.fix_order(self.routes, route.id) is not None
            for note in notes:
                lines.append(worded(note))
                if fixable and "above" in note.todo:
                    lines[-1] += Content.assemble(": ", ("f", "bold $text-accent"), " does it")
        elif own := _own(route):
            lines.append(Content.styled(own, "$text-muted"))
        return Content("\n").join(lines)

    # Keys

    @work
    async def action_edit(self) -> None:
        if route := self._under_cursor():
            await self.console.edit(("routes", route.id))

    @work
    async def action_add(self) -> None:
        start = {"path": "/", "proxy": "http://"}
        if new := await self.console.add(("routes",), start, before=self.table.cursor):
            self.go_to(new)

    @work
    async def action_except(self) -> None:
        if not (route := self._under_cursor()):
            return
        known, start = set(self._routes), (route.path or "").rstrip("/") + "/"
        prompt = Prompt(
            self.engine,
            "Keep which path from being forwarded?",
            start,
            lambda path: sentences.exception(self.routes, path, route),
        )
        if (change := await self.console.ask(prompt)) and await self.console.do(change):
            self._go_to_new(known)

    @work
    async def action_switch(self) -> None:
        if not (route := self._under_cursor()):
            return
        last = self._loads.get(route.id, NEVER).last_hit_at
        risky = route.enabled and (route.except_ or self._now - last < BUSY_SECONDS)
        await self._do_surely(route, sentences.toggle_row("routes", route), "Disable" if risky else "")

    @work
    async def action_delete(self) -> None:
        if route := self._under_cursor():
            await self._do_surely(route, sentences.remove(("routes", route.id)), "Delete")

    @work
    async def action_shift(self, step: int) -> None:
        if route := self._under_cursor():
            end = "It is the first row already." if step < 0 else "It is the last row already."
            await self._do(sentences.shift_row("routes", self.routes, route.id, step), end)

    @work
    async def action_fix(self) -> None:
        if route := self._under_cursor():
            await self._do(sentences.fix_order(self.routes, route.id), "No row above takes its place: nothing to move.")

    async def _do(self, change: Change | None, otherwise: str) -> None:
        if change:
            await self.console.do(change)
        else:
            self.console.say(otherwise)

    async def _do_surely(self, route: Route, change: Change, verb: str) -> None:
        """Do it; with a ``verb``, ask before, with how much the row is used and who takes its requests then."""
        shown = self._shown(route.id)
        used = f"{shown.hits:,} hits, the last {shown.last}" if shown.hits else "no hit so far"
        question = f"{verb} {'exception' if route.except_ else 'route'} {route.id} ({used})?" if verb else ""
        await self.console.do(change, question, sentences.heir(self.routes, route.id), verb)

    def _under_cursor(self) -> Route | None:
        route = self._routes.get(self.table.cursor)
        if route is None:
            self.console.say("No row here yet: press a to add one.")
        return route

    def _go_to_new(self, known: set[str]) -> None:
        new = [row.id for row in self.engine.site().site.routes if row.id not in known]
        if new:
            self.go_to(new[0])

    def go_to(self, name: str) -> None:
        self.pull(self.engine.snapshot())
        self.table.go_to(name)


def _own(route: Route) -> str:
    """What a row says itself instead of the site."""
    parts = [f"timeout {route.timeout:g} s"] if route.timeout is not None else []
    if route.error_override is not None:
        parts.append(f"error override {'on' if route.error_override else 'off'}")
    return ", ".join(parts)
