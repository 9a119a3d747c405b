"""What the pages of routes and of rules share: the rows of a list in file order, which is the order they are tried in.

Each row stands with its state, what is wrong with it and how much it is used; the keys edit, add, switch, move, delete
and put it right. Every change is one command; the cursor stays on its row, also when the row moves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

from textual import work
from textual.widgets import Static

from proxy_core.config.model import RewriteRule, Route, Site
from proxy_core.control.editing.commands import Change
from proxy_core.control.view import LastChange, RouteLoad, Snapshot
from proxy_core.control.watching.troubles import Kind, Subject
from proxy_core.errors import Problem, errors
from rproxy_tui import sentences, words
from rproxy_tui.content import Content
from rproxy_tui.page import Page
from rproxy_tui.screens.details import DetailsPage
from rproxy_tui.widgets.dialogs import worded
from rproxy_tui.widgets.find_line import FindLine
from rproxy_tui.widgets.row_table import RowTable
from rproxy_tui.widgets.table import Cell, Column

BUSY_SECONDS = 60
"""A row that was hit within this time is not taken out of service without a question."""
NEVER = RouteLoad(id="", hits=0, last_hit_at=0.0)
NOT_KEPT = RouteLoad(id="", hits=-1, last_hit_at=0.0)
"""A row of which nothing is known at a moment that is past: it did nothing in the hour before."""
R = TypeVar("R", bound=Route | RewriteRule)


NO_CHANGE = LastChange(address=(), generations=(), at=0.0)


class ShownRow(NamedTuple, Generic[R]):
    """A row as it stands on the screen."""

    place: int
    """Its place in the file, from 1."""
    row: R
    """What the site says."""
    state: tuple[str, str]
    """Its state in words, and the style of them."""
    load: RouteLoad
    """What it did."""
    last: str
    """How long ago it was hit last, "" for never."""
    changed: str
    """What changed it last, and how long ago that is; "" where nothing did that is kept."""
    changed_at: float
    """When that was, in seconds since the epoch; 0 where nothing did."""
    rate: float = 0.0
    """Hits a second, lately."""
    tried: tuple[str, str] | None = None
    """What the URL that is tried meets, and its style; None where none is tried."""


def plain(row: ShownRow[R], text: str) -> Cell:
    """A cell that is faint where the row is off."""
    return ((text, "" if row.row.enabled else "muted"),)


def used(row: ShownRow[R], text: str) -> Cell:
    """A cell that is faint where the row is off or was never hit."""
    return ((text, "" if row.row.enabled and row.load.hits else "muted"),)


def _ended(row: ShownRow[R], width: int) -> Cell:
    """Parts of 4xx and 5xx in percent."""
    load = row.load
    if load.part_5xx < 0:
        return ((words.NOTHING, "muted"),)
    style = "error" if load.part_5xx >= BAD else "warning" if load.part_4xx >= BAD else ""
    return ((f"{_percent(load.part_4xx)} {_percent(load.part_5xx)}", style),)


def _percent(part: float) -> str:
    return f"{100 * part:.0f}" if part >= 0.0995 or not part else f"{100 * part:.1f}"


BAD = 0.01
"""The part of 4xx or 5xx from which it is pointed out."""


class RowsPage(Page, Generic[R]):
    """A subclass says where its rows are (``rows_at``), what one is called, what a new one ``start``s with, and gives
    ``columns``, ``about``, ``sought``, ``heir`` and ``fixed``."""

    rows_at: ClassVar[str]
    """The list of the site: "routes" or "rewrites"."""
    kind: ClassVar[Kind]
    """What the numbers call one of them."""
    word: ClassVar[str]
    """What a person calls one of them."""
    start: ClassVar[Mapping[str, Any]]
    """What the form of a new one begins with."""

    def __init__(self) -> None:
        super().__init__()
        self.site = Site()
        self.rows: dict[str, R] = {}
        self._places: dict[str, int] = {}
        self._notes: dict[str, list[Problem]] = {}
        self._loads: dict[str, RouteLoad] = {}
        self._now = 0.0
        self._none = NEVER
        self._changes: dict[str, LastChange] = {}

    def place_column(self) -> Column[ShownRow[R]]:
        """Its place in the file, which is the order in which rows are tried."""
        return Column(
            "#", 3, lambda row, _: ((str(row.place), "muted"),), priority=9, right=True, order=lambda row: -row.place
        )

    def use_columns(self, hits: int) -> tuple[Column[ShownRow[R]], ...]:
        """How much a row is used and how that ends, and what changed it last; the hits as wide as that."""
        return (
            Column("hits", hits, lambda row, _: used(row, words.count(row.load.hits)), right=True,
                   order=lambda row: row.load.hits),
            Column("4xx 5xx%", 8, _ended, priority=3, right=True,
                   order=lambda row: 1000 * row.load.part_5xx + row.load.part_4xx),
            Column("p95 ms", 6, lambda row, _: used(row, words.millis(row.load.latency.p95)), priority=7, right=True,
                   order=lambda row: row.load.latency.p95),
            Column("last hit", 9, lambda row, _: used(row, row.last or "never"), priority=6, right=True,
                   order=lambda row: row.load.last_hit_at),
            Column("changed", 14, lambda row, w: ((words.clip(row.changed, w), "muted"),), priority=5,
                   order=lambda row: row.changed_at),
        )  # fmt: skip

    # What a subclass gives

    def columns(self) -> tuple[Column[ShownRow[R]], ...]:
        """The columns for the rows as they are."""
        raise NotImplementedError

    def about(self, row: R) -> Iterator[Content]:
        """Lines about the row under the cursor."""
        raise NotImplementedError

    def sought(self, row: R) -> str:
        """What is looked through for what one finds the row by."""
        raise NotImplementedError

    def heir(self, row: R) -> str:
        """What becomes of the row's requests without it, as a sentence."""
        raise NotImplementedError

    def fixed(self, row: R) -> Change | None:
        """The move that lets a row match that never does; None where order is not what is wrong."""
        raise NotImplementedError

    def called(self, row: R) -> str:
        """The row as a question names it."""
        return f"{self.word} {row.id}"

    def shown(self, id: str) -> ShownRow[R]:
        row, load = self.rows[id], self._loads.get(id, self._none)
        last = sentences.ago(self._now - load.last_hit_at) if load.last_hit_at else words.NOTHING if load.hits else ""
        change = self._changes.get(id, NO_CHANGE)
        changed = sentences.changed(change, self._now) if change.at else ""
        return ShownRow(self._places[id], row, self.state(row), load, last, changed, change.at)

    def did(self, row: R) -> Content:
        """How much the row is used, how that ends, and what changed it last: for the pane, which has room."""
        shown, latency = self.shown(row.id), self.shown(row.id).load.latency
        parts = [f"{words.count(shown.load.hits)} hits", f"last {shown.last}" if shown.last else ""]
        if shown.load.part_5xx >= 0:
            parts.append(f"4xx {_percent(shown.load.part_4xx)} % 5xx {_percent(shown.load.part_5xx)} %")
        if latency.p95 >= 0:
            parts.append(f"p50 {words.millis(latency.p50)} p95 {words.millis(latency.p95)} ms")
        parts.append(f"changed in {shown.changed}" if shown.changed else "")
        return Content.styled(" · ".join(filter(None, parts)), "$text-muted")

    def state(self, row: R) -> tuple[str, str]:
        if not row.enabled:
            return "○ off", "muted"
        if not (notes := self._notes.get(row.id)):
            return "● on", "good"
        return ("■ error", "error") if errors(tuple(notes)) else ("▲ check", "warning")

    # Seeing

    @property
    def table(self) -> RowTable[ShownRow[R]]:
        return self.query_one(RowTable)

    def pull(self, snapshot: Snapshot) -> None:
        self._now = snapshot.at
        self._none = NOT_KEPT if snapshot.past else NEVER
        self._loads = {load.id: load for load in getattr(snapshot, self.rows_at)}
        self._notes = {}
        for problem in self.engine.problems():
            if problem.address[:1] == (self.rows_at,) and len(problem.address) > 1:
                self._notes.setdefault(problem.address[1], []).append(problem)
        site = self.engine.site().site
        self._changes = {
            each.address[1]: each for each in self.engine.last_changes() if each.address[0] == self.rows_at
        }
        if site != self.site or not self.table.columns:
            self.site = site
            self.rows = {row.id: row for row in getattr(site, self.rows_at)}
            self._places = {id: n for n, id in enumerate(self.rows, 1)}
            self.take_site()
        elif self.table.sorted_by:
            self.show_rows()
        self.table.changed()
        self.describe()

    def take_site(self) -> None:
        """Another site is in force."""
        self.show_rows()

    def show_rows(self) -> None:
        """Those that are looked for."""
        line = self.query_one(FindLine)
        keys = tuple(id for id, row in self.rows.items() if line.holds(self.sought(row)))
        line.say(len(keys), len(self.rows))
        self.table.show(keys, self.shown, self.columns())

    def find_line(self) -> FindLine:
        return FindLine(self.show_rows, lambda: self.set_focus(self.table))

    def action_find(self) -> None:
        self.query_one(FindLine).open()

    def describe(self) -> None:
        row = self.rows.get(self.table.cursor)
        self.query_one("#about", Static).update(Content("\n").join(self.about(row) if row else ()))

    def notes(self, row: R) -> Iterator[Content]:
        """What is wrong with a row that is on, with the key that puts it right."""
        notes = self._notes.get(row.id, []) if row.enabled else []
        fixable = bool(notes) and self.fixed(row) is not None
        for note in notes:
            key = Content.assemble(": ", ("f", "bold $text-accent"), " does it")
            yield worded(note) + key if fixable and "above" in note.todo else worded(note)

    def on_line_table_moved(self) -> None:
        self.describe()

    def on_line_table_chosen(self) -> None:
        id = self.table.cursor
        self.app.push_screen(DetailsPage(self.key, Subject(self.kind, self.rows_at, id), (self.rows_at, id)))

    def go_to(self, name: str) -> None:
        self.pull(self.console.snapshot)
        self.table.go_to(name)

    # Keys

    def under_cursor(self) -> R | None:
        """The row that a key acts on; says where there is none, and that it is not changed while the past is shown."""
        if not self.console.changeable():
            return None
        row = self.rows.get(self.table.cursor)
        if row is None:
            self.console.say(f"No {self.word} here yet: press a to add one.")
        return row

    @work
    async def action_edit(self) -> None:
        if row := self.under_cursor():
            await self.console.edit((self.rows_at, row.id))

    @work
    async def action_add(self) -> None:
        if new := await self.console.add((self.rows_at,), dict(self.start), before=self.table.cursor):
            self.go_to(new)

    @work
    async def action_switch(self) -> None:
        if row := self.under_cursor():
            risky = row.enabled and self.risky(row, self._now - self._loads.get(row.id, NEVER).last_hit_at)
            await self._do_surely(row, sentences.toggle_row(self.rows_at, row), "Disable" if risky else "")

    def risky(self, row: R, idle: float) -> bool:
        """Whether it is asked before a row goes out of service that was hit ``idle`` seconds ago."""
        return idle < BUSY_SECONDS

    @work
    async def action_delete(self) -> None:
        if row := self.under_cursor():
            await self._do_surely(row, sentences.remove((self.rows_at, row.id)), "Delete")

    @work
    async def action_shift(self, step: int) -> None:
        if row := self.under_cursor():
            end = f"It is the {'first' if step < 0 else 'last'} {self.word} already."
            await self._do(sentences.shift_row(self.rows_at, tuple(self.rows.values()), row.id, step), end)

    @work
    async def action_fix(self) -> None:
        if row := self.under_cursor():
            await self._do(self.fixed(row), f"No {self.word} above takes its place: nothing to move.")

    async def _do(self, change: Change | None, otherwise: str) -> None:
        if change:
            await self.console.do(change)
        else:
            self.console.say(otherwise)

    async def _do_surely(self, row: R, change: Change, verb: str) -> None:
        """Do it; with a ``verb``, ask before, with how much the row is used and who takes its requests then."""
        shown = self.shown(row.id)
        use = f"{shown.load.hits:,} hits, the last {shown.last}" if shown.load.hits else "no hit so far"
        question = f"{verb} {self.called(row)} ({use})?" if verb else ""
        await self.console.do(change, question, self.heir(row), verb)
