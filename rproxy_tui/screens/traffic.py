"""The Traffic page: every finished request as it comes, and whatever one wants to know of one.

Following, pausing, searching and filtering decide what is shown; they never change what the proxy does. A request under
the cursor opens in the inspector.
"""

from __future__ import annotations

from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input

from proxy_core.control.editing.commands import Change
from proxy_core.control.view import Snapshot
from proxy_core.control.watching.log_records import Record
from proxy_core.rules.access.networks import seen_as
from rproxy_tui import words
from rproxy_tui.content import Content
from rproxy_tui.page import Page
from rproxy_tui.screens.inspector import InspectorPage
from rproxy_tui.sentences import ban
from rproxy_tui.widgets.dialogs import Prompt
from rproxy_tui.widgets.frame import Line, Part, fit
from rproxy_tui.widgets.request_log import RequestLog, as_line, nothing_yet
from rproxy_tui.widgets.text_input import PageInput


class TrafficPage(Page):
    heading = "Traffic"
    key = "2"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space,f", "follow", "Pause", key_display="space", id="follow", tooltip="follow or pause"),
        Binding("slash", "search", "Search", key_display="/", id="search", tooltip="search all fields"),
        Binding("n", "find(1)", "Next", show=False, id="find_next", tooltip="next match below"),
        Binding("N", "find(-1)", "Previous", show=False, id="find_previous", tooltip="next match above"),
        Binding("s", "filter", "Filter", id="filter", tooltip="all requests, failed ones, slow ones"),
        Binding("w", "why", "Why", id="why", tooltip="why the request under the cursor went where it went"),
        Binding("b", "ban", "Ban", show=False, id="ban", tooltip="keep the client under the cursor out for a while"),
        Binding("Y", "copy", "Copy", show=False, id="copy", tooltip="copy the request under the cursor as a line"),
        Binding("escape", "forget", "Clear search", show=False, id="forget", tooltip="forget the search"),
    ]

    def body(self) -> ComposeResult:
        yield RequestLog(id="log")
        yield Line(id="log-state")
        example = "search: method, path, status, route, member, client"
        yield PageInput(self.action_forget, id="search", placeholder=example)

    @property
    def requests(self) -> RequestLog:
        return self.query_one(RequestLog)

    def pull(self, snapshot: Snapshot) -> None:
        log = self.requests
        log.empty = (
            "no request passes this filter: s shows another choice"
            if log.tail.kept
            else nothing_yet(snapshot, self.console.state.site)
        )
        log.pull(self.engine, snapshot.newest_record)
        self._say_state()

    def _say_state(self) -> None:
        log = self.requests
        self.query_one("#log-state", Line).show(
            log_state(log, self.console.snapshot.newest_record, self.size.width - 2)
        )

    def on_line_table_moved(self) -> None:
        self._say_state()

    def on_request_log_not_found(self, message: RequestLog.NotFound) -> None:
        self.console.say(f"no request matches “{message.sought}”", "warning")

    def on_line_table_chosen(self) -> None:
        self.app.push_screen(InspectorPage(self.step))

    def step(self, delta: int) -> Record | None:
        """The request ``delta`` below the one under the cursor, which moves there; the inspector asks for it."""
        log = self.requests
        if delta > 0 and log.tail.cursor == log.tail.count - 1:
            log.pull(self.engine, self.console.snapshot.newest_record)
        return log.step(delta)

    def action_follow(self) -> None:
        self.requests.follow(not self.requests.tail.following)

    def action_filter(self) -> None:
        self.requests.show_next_filter()
        self._say_state()

    @work(exclusive=True, group="why")
    async def action_why(self) -> None:
        if record := self.requests.tail.current:
            await self.console.explain_request(record.number)

    def action_copy(self) -> None:
        if record := self.requests.tail.current:
            self.console.copy(as_line(record), f"request {record.number} as a line")

    @work
    async def action_ban(self) -> None:
        if not (record := self.requests.tail.current):
            return
        now, client = self.engine.snapshot().at, record.client
        if not client:
            self.console.say("Nobody knows the client of this request: there is nothing to ban.")
            return
        question = f"Ban {seen_as(client)} for how long? 30m, 1h, 7d, or nothing for good"

        def command(span: str) -> Change | str:
            return ban(self.engine.site().site, client, span, now)

        prompt = Prompt(self.engine, question, "1h", command, over=True)
        if change := await self.console.ask(prompt):
            await self.console.do(change)

    # search

    def action_search(self) -> None:
        field = self.query_one("#search", Input)
        field.display = True
        self.set_focus(field)  # at once: the next key may have been typed already

    def action_find(self, direction: int) -> None:
        if self.requests.sought:
            self.requests.find(direction)
        else:
            self.action_search()

    def action_forget(self) -> None:
        field = self.query_one("#search", Input)
        field.value = ""
        self.requests.seek("")
        self._close_search()

    def on_input_changed(self, event: Input.Changed) -> None:
        self.requests.seek(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        log = self.requests
        log.seek(event.value)
        log.find(-1 if log.tail.following else 1, from_cursor=True)
        self._close_search()

    def _close_search(self) -> None:
        self.query_one("#search", Input).display = False
        self.set_focus(self.requests)
        self._say_state()


def log_state(log: RequestLog, newest: int, width: int) -> Content:
    """One line under the log: following or paused, filter, search, and what went wrong with the request under the
    cursor."""
    tail = log.tail
    if tail.following:
        state = Content.from_markup("[$text-success]▶ following[/]")
    else:
        new = tail.unread(newest)
        state = Content.from_markup(
            "[bold $text-warning]‖ paused[/]$new", new=f" · {words.count(new)} new" if new else ""
        )
    nothing = Content("")
    filtered = Content(log.filter_name) if tail.passes else nothing
    sought = Content.from_markup("[$text-muted]/[/]$sought", sought=log.sought) if log.sought else nothing
    record = tail.current
    cause = nothing
    if record is not None and record.cause and not tail.following:
        text = words.printable(record.cause)
        room = max(12, width - sum(part.cell_length + 3 for part in (state, filtered, sought) if part.plain))
        cause = Content.from_markup("[$text-muted]$text[/]", text=words.clip(f"{record.status}: {text}", room))
    parts = [Part(4, (state,)), Part(3, (filtered, nothing)), Part(2, (sought, nothing)), Part(1, (cause, nothing))]
    return fit(parts, width, gap="   ")
