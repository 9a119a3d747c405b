"""One member, route or rule: how its requests end, on which paths, what failed last, and what made it what it is.

A page on top of the one it was opened from, so that it is pulled as every page is. What takes some work is asked for in
a worker, a few times a minute; numbers of this moment come with each pull.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from proxy_core.control.view import EngineView, Generation, MemberLoad, RouteLoad, Snapshot
from proxy_core.control.watching import effects
from proxy_core.control.watching.details import Details
from proxy_core.control.watching.log_records import Record
from proxy_core.control.watching.troubles import Subject
from proxy_core.errors import Address
from rproxy_tui import member_facts, sentences, words
from rproxy_tui.content import Content
from rproxy_tui.member_facts import FACTS
from rproxy_tui.page import Page
from rproxy_tui.widgets.charts import bar, sparkline
from rproxy_tui.widgets.frame import heading

AGAIN = 5.0
"""Seconds after which details are asked for again."""
SOUGHT, AT_ONCE = 5000, 250
"""Requests that are looked through for its own, and so many before the loop has a turn."""
SHOWN = 6
"""Requests of a kind that are shown."""


class DetailsPage(Page):
    heading = "Details"
    hertz = 2.0
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", key_display="esc", id="details.back", tooltip="back to the list"),
        Binding("e", "edit", "Edit", id="details.edit", tooltip="edit it in a form"),
        Binding("down,j", "scroll(1)", "Scroll", show=False, id="details.down"),
        Binding("up,k", "scroll(-1)", "Scroll back", show=False, id="details.up"),
        Binding("pagedown,space", "scroll(10)", "Page down", show=False, id="details.page_down"),
        Binding("pageup", "scroll(-10)", "Page up", show=False, id="details.page_up"),
    ]

    def __init__(self, key: str, subject: Subject, address: Address) -> None:
        """``key``: of the page that it stands on; ``address``: where the site has it."""
        super().__init__()
        self.key = key  # type: ignore[misc]  # of this page, as of its class
        self._subject, self._address = subject, address
        self._details: Details | None = None
        self._asked = (-1.0, -AGAIN)
        self._failed: tuple[Record, ...] = ()
        self._newest: tuple[Record, ...] = ()

    def body(self) -> ComposeResult:
        with VerticalScroll(can_focus=False):
            yield Static(id="details", markup=False)

    def pull(self, snapshot: Snapshot) -> None:
        then, now = (snapshot.at if snapshot.past else 0.0), self.engine.snapshot().at
        if then != self._asked[0] or now - self._asked[1] >= AGAIN:
            self._asked = (then, now)
            self._ask(then, snapshot.newest_record)
        history = {each.number: each for each in self.engine.history()}
        made = next((each for each in self.engine.last_changes() if each.address == self._address), None)
        edits = [history[n] for n in made.generations if n in history] if made else []
        width = self.size.width - 5
        lines = [
            *state(self._subject, snapshot, width),
            *(ended(self._details, width) if self._details else [Content("…")]),
            *requests("failed last", self._failed, width),
            *requests("newest requests", self._newest, width),
            *edited(edits, now),
        ]
        self.query_one("#details", Static).update(Content("\n").join(lines))

    @work(exclusive=True, group="details")
    async def _ask(self, at: float, newest: int) -> None:
        mine = is_of(self._subject)
        try:
            self._details = await self.engine.details(self._subject, at)
        except OSError as error:
            self.console.say(str(error), "error")
        rows = [each async for each in lately(self.engine, newest) if mine(each)]
        self._failed = tuple(each for each in rows if each.status >= 500 or each.cause)[-SHOWN:]
        self._newest = tuple(rows[-SHOWN:])

    @work
    async def action_edit(self) -> None:
        await self.console.edit(self._address)

    def action_scroll(self, lines: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)


async def lately(engine: EngineView, newest: int) -> AsyncIterator[Record]:
    """The requests up to a number, as far as they are here, oldest first."""
    seen = max(0, newest - SOUGHT)
    while rows := [each for each in engine.records(seen, AT_ONCE) if each.number <= newest]:
        seen = rows[-1].number
        for row in rows:
            yield row
        await asyncio.sleep(0)


def is_of(subject: Subject) -> Callable[[Record], bool]:
    if subject.kind == "member":
        return lambda row: (row.balancer, row.member) == (subject.home, subject.name)
    return lambda row: row.route == subject.name


def state(subject: Subject, snapshot: Snapshot, width: int) -> Iterator[Content]:
    """How it stands at this moment."""
    if subject.kind == "member":
        name = (subject.home, subject.name)
        load = next((each for each in snapshot.members if (each.balancer, each.member) == name), None)
        yield from _member(load, snapshot.at, width) if load else [_gone(words.member_name(*name))]
        return
    rows = snapshot.routes if subject.kind == "route" else snapshot.rewrites
    row = next((each for each in rows if each.id == subject.name), None)
    yield from _row(row, snapshot.at, width) if row else [_gone(subject.name)]


def _gone(name: str) -> Content:
    return Content.styled(f"{words.printable(name)} did nothing in the hour before, or is gone", "$text-muted")


def _member(load: MemberLoad, now: float, width: int) -> Iterator[Content]:
    yield member_facts.stands(load, now)
    pairs = [(fact.label, fact.text(load)) for fact in FACTS if fact.label not in ("state", "at")]
    yield from _pairs(pairs, width)


def _row(load: RouteLoad, now: float, width: int) -> Iterator[Content]:
    yield Content.styled(words.printable(load.id), "bold")
    last = sentences.ago(now - load.last_hit_at) if load.last_hit_at else "never"
    latency, classes = load.latency, " ".join(words.count(number) for number in load.classes[1:]) or words.NOTHING
    yield from _pairs(
        [
            ("hits", words.count(load.hits)), ("last hit", last), ("req/s", words.rate(load.rate)),
            ("requests", words.count(load.requests)), ("in flight", words.count(load.in_flight)),
            ("2xx 3xx 4xx 5xx", classes), ("p50 ms", words.millis(latency.p50)), ("p95 ms", words.millis(latency.p95)),
            ("p99 ms", words.millis(latency.p99)), ("sent", words.count(load.sent)),
            ("received", words.count(load.received)),
        ],
        width,
    )  # fmt: skip


PAIR = 26
"""Cells for a label and its value; the last of a line needs less."""


def _pairs(pairs: list[tuple[str, str]], width: int) -> Iterator[Content]:
    """Labels and values, three to a line, or as many as there is room for."""
    each = max(1, min(3, (width + 8) // PAIR))
    for first in range(0, len(pairs), each):
        line = Content("")
        for label, value in pairs[first : first + each]:
            room = PAIR - 1 - len(label)
            line += Content.assemble((f"{label} ", "$text-muted"), words.pad(words.clip(value, 24), room))
        yield line


def ended(found: Details, width: int) -> Iterator[Content]:
    """How its requests ended, how long they took, and on which paths."""
    yield Content("")
    span = words.span(found.seconds)
    if not found.requests:
        yield Content.styled(f"no request in the last {span}", "$text-muted")
        return
    left = f"  {words.count(found.left)} left by their clients" if found.left else ""
    figures = f"4xx {_percent(found.part_4xx)}  5xx {_percent(found.part_5xx)}  p50 {words.millis(found.p50)}"
    yield Content.assemble(
        heading(f"last {span}"),
        f"  {words.count(found.requests)} requests  {figures}  p95 {words.millis(found.p95)} ms{left}",
    )
    yield _minutes("requests", [minute.requests for minute in found.minutes], words.count, width)
    yield _minutes("errors", [minute.errors for minute in found.minutes], words.count, width)
    yield _minutes("p95 ms", [max(0.0, minute.p95) for minute in found.minutes], words.millis, width)
    yield Content("")
    yield heading("how long they took")
    for bound, count in found.histogram:
        part = count / found.requests
        label = f"≤ {words.millis(bound)} ms" if bound > 0 else "longer"
        yield Content.assemble((f"{label:>12} ", "$text-muted"), (bar(part, 30), "$text-accent"), f" {_percent(part)}")
    yield Content("")
    room = max(12, width - 40)
    yield Content.assemble(heading(words.pad("path", room)), (" requests 4xx    5xx    p50 ms p95 ms", "$text-muted"))
    for each in found.shapes:
        figures = f" {words.count(each.requests):>8} {_percent(each.part_4xx):<6} {_percent(each.part_5xx):<6}"
        times = f" {words.millis(each.p50):>6} {words.millis(each.p95):>6}"
        style = "$text-error" if each.part_5xx > 0 else ""
        yield Content.assemble((words.pad(words.middle(each.shape, room), room) + figures + times, style))


def _minutes(label: str, values: list[float], say: Callable[[float], str], width: int) -> Content:
    """An hour as a line, a minute a character; the greatest is said, and so is the last."""
    shown = sparkline(values, min(60, max(10, width - 40)), len(values) - 1)
    last = f" now {say(values[-1])}, most {say(max(values))}" if values else ""
    return Content.assemble((f"{label:>12} ", "$text-muted"), (shown, "$text-accent"), (last, "$text-muted"))


def _percent(part: float) -> str:
    return f"{100 * part:.1f} %"


def requests(title: str, rows: tuple[Record, ...], width: int) -> Iterator[Content]:
    if not rows:
        return
    yield Content("")
    yield heading(title)
    for row in reversed(rows):
        cause = f"  {row.cause}" if row.cause else ""
        text = f"{words.clock(row.at)} {row.status} {words.millis(row.total):>6} ms  {row.method} {row.target}{cause}"
        yield Content.styled(words.clip(text, width), "$text-error" if row.status >= 500 else "")


def edited(generations: list[Generation], now: float) -> Iterator[Content]:
    """What made it what it is, newest first."""
    yield Content("")
    yield heading("edits")
    if not generations:
        yield Content.styled(
            "none that is kept: it is as it was before the oldest generation in History", "$text-muted"
        )
    for each in generations:
        did = effects.sentence(each.effect, each.number)
        who = f"g{each.number}  {each.author}, {sentences.ago(now - each.at)}: {each.sentence}"
        yield Content.assemble(words.printable(who), (f"  {did}", "$text-muted"))
