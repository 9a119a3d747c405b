"""Routes: the rows in file order, which is the order in which they are tried.

Shows what each row takes, where it leads and how much it is used; warns of rows that can never match, and puts one
right with a key. Every change is one command; the cursor stays on its row, also when the row moves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from proxy_core.config.model import Route
from proxy_core.control.editing.commands import Change
from proxy_core.control.view import Snapshot
from rproxy_tui import sentences, words
from rproxy_tui.content import Content
from rproxy_tui.screens.rows_page import RowsPage, ShownRow, plain, used
from rproxy_tui.screens.shadow import ShadowPage
from rproxy_tui.widgets.dialogs import Prompt
from rproxy_tui.widgets.row_table import RowTable
from rproxy_tui.widgets.table import Cell, Column

EMPTY = """\
No route yet: what no rule and no file answers gets 404.
Press a to add the first one."""
RATE_SECONDS = 5


def _target(row: ShownRow[Route], width: int) -> Cell:
    if row.row.except_:
        return (("✕ except", "accent" if row.row.enabled else "muted"),)
    return plain(row, words.clip(f"→ {row.row.leads}", width))


class RoutesPage(RowsPage[Route]):
    heading = "Routes"
    key = "3"
    rows_at = "routes"
    kind = "route"
    word = "row"
    start: ClassVar[Mapping[str, Any]] = {"path": "/", "proxy": "http://"}
    hertz = 2.0
    VERTICAL_BREAKPOINTS = [(0, "-short"), (20, "-tall")]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "slash", "find", "Find", key_display="/", id="routes.find", tooltip="only rows that hold what is typed"
        ),
        Binding("e", "edit", "Edit", id="routes.edit", tooltip="edit the row in a form"),
        Binding("a", "add", "Add", id="routes.add", tooltip="add a route above the row under the cursor"),
        Binding("x", "except", "Except a path", id="routes.except", tooltip="keep a path from being forwarded"),
        Binding("t", "switch", "On/off", id="routes.switch", tooltip="take the row out of service, or back"),
        Binding("d,delete", "delete", "Delete", id="routes.delete", tooltip="remove the row"),
        Binding("K,shift+up", "shift(-1)", "Up", show=False, id="routes.up", tooltip="try the row earlier"),
        Binding("J,shift+down", "shift(1)", "Down", show=False, id="routes.down", tooltip="try the row later"),
        Binding("f", "fix", "Fix order", id="routes.fix", tooltip="move a row that never matches to where it does"),
        Binding("P", "purge", "Purge", show=False, id="routes.purge", tooltip="throw out what is kept below its path"),
        Binding("S", "shadow", "Shadow", show=False, id="routes.shadow", tooltip="what copies of requests have shown"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._past: deque[tuple[float, dict[str, int]]] = deque(maxlen=RATE_SECONDS)

    def body(self) -> ComposeResult:
        yield RowTable[ShownRow[Route]]((), EMPTY)
        yield self.find_line()
        yield Static(id="about")

    def columns(self) -> tuple[Column[ShownRow[Route]], ...]:
        """A name or path gets the room that the longest one needs, the target the rest."""
        routes = self.site.routes[:200]
        name = max([8, *(len(row.id) for row in routes)])
        path = max([14, *(len(row.taken) for row in routes)])
        return (
            self.place_column(),
            Column("state", 10, lambda row, _: (row.state,)),
            Column("route", 8, lambda row, w: plain(row, words.clip(row.row.id, w)), priority=4, grow=2, most=name),
            Column("path", 14, lambda row, w: plain(row, words.middle(row.row.taken, w)), grow=3, most=path),
            Column("target", 20, _target, priority=2, grow=5),
            Column("hits/s", 6, lambda row, _: used(row, words.rate(row.rate)), priority=8, right=True,
                   order=lambda row: row.rate),
            *self.use_columns(6),
        )  # fmt: skip

    def sought(self, row: Route) -> str:
        return f"{row.id} {row.taken} {row.leads} {row.location}"

    def pull(self, snapshot: Snapshot) -> None:
        if not snapshot.past and (not self._past or snapshot.at - self._past[-1][0] >= 1):
            self._past.append((snapshot.at, {load.id: load.hits for load in snapshot.routes}))
        super().pull(snapshot)

    def shown(self, id: str) -> ShownRow[Route]:
        row = super().shown(id)
        if row.load.hits < 0:
            return row._replace(rate=self._loads[id].rate if id in self._loads else 0.0)
        at, hits = self._past[0] if self._past else (self._now, {})
        return row._replace(rate=(row.load.hits - hits.get(id, 0)) / max(1.0, self._now - at))

    def state(self, row: Route) -> tuple[str, str]:
        state = super().state(row)
        if state[1] == "warning" and sentences.shadow(self.site.routes, row.id):
            return "▲ too low" if row.except_ else "▲ shadowed", "warning"
        return state

    def about(self, row: Route) -> Iterator[Content]:
        path = row.path
        taken = f"{path} and all below it" if path else f"what {row.path_regex} is found in"
        if path is not None and path.endswith("/"):
            taken = f"all below {path}"
        says = f"keeps {taken} from being forwarded (404)" if row.except_ else f"takes {taken}, goes to {row.leads}"
        off = f"  of location {row.location}" * bool(row.location) + "  off" * (not row.enabled)
        yield Content.assemble((row.id, "bold"), f"  {says}", (off, "$text-muted"))
        yield self.did(row)
        notes = tuple(self.notes(row))
        yield from notes
        if not notes and (own := _own(row)):
            yield Content.styled(own, "$text-muted")

    def action_shadow(self) -> None:
        self.app.push_screen(ShadowPage())

    @work
    async def action_purge(self) -> None:
        if (route := self.under_cursor()) and route.path:
            await self.console.purge(route.path)

    def called(self, row: Route) -> str:
        return f"{'exception' if row.except_ else 'route'} {row.id}"

    def heir(self, row: Route) -> str:
        return sentences.heir(self.site.routes, row.id)

    def fixed(self, row: Route) -> Change | None:
        return sentences.fix_order(self.site.routes, row.id)

    def risky(self, row: Route, idle: float) -> bool:
        return row.except_ or super().risky(row, idle)

    @work
    async def action_except(self) -> None:
        if not (route := self.under_cursor()):
            return
        before, start = set(self.rows), (route.path or "").rstrip("/") + "/"
        prompt = Prompt(
            self.engine,
            "Keep which path from being forwarded?",
            start,
            lambda path: sentences.exception(self.engine.site().site.routes, path, route),
        )
        if (change := await self.console.ask(prompt)) and await self.console.do(change):
            new = [row.id for row in self.engine.site().site.routes if row.id not in before]
            self.go_to(new[0])


def _own(route: Route) -> str:
    """What a row says itself instead of the site."""
    parts = [f"timeout {route.timeout:g} s"] if route.timeout is not None else []
    if route.shadow is not None:
        parts.append(f"{100 * route.shadow_share:g} % copied to {route.shadow}: S shows how they are answered")
    if route.cache:
        parts.append("answers are kept: P throws them out")
    if route.error_override is not None:
        parts.append(f"error override {'on' if route.error_override else 'off'}")
    return ", ".join(parts)
