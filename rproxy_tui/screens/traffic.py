"""The Traffic page: every finished request as it comes, filtered and grouped, and whatever one wants to know of one.

Following, pausing, searching, filtering and grouping decide what is shown; they never change what the proxy does. A
group is gone into as a filter, and left by taking that filter back. A request under the cursor opens in the inspector.
"""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input

from proxy_core.control.view import Snapshot
from proxy_core.control.watching.log_records import Record
from proxy_core.control.watching.record_filter import BadFilter, also, compiled
from rproxy_tui.page import Page
from rproxy_tui.remembered import Remembered, remember, remembered
from rproxy_tui.request_actions import ban_client, inspected, write_har
from rproxy_tui.screens.inspector import InspectorPage, copy_as_curl
from rproxy_tui.widgets.filter_line import FilterLine
from rproxy_tui.widgets.frame import Line
from rproxy_tui.widgets.group_table import GroupTable
from rproxy_tui.widgets.log_state import groups_state, log_state
from rproxy_tui.widgets.request_log import RequestLog, as_line, nothing_yet
from rproxy_tui.widgets.text_input import PageInput

PRESETS = ("", "status>=400", "ms>=500")
"""What s filters by: nothing, what failed, what was slow."""
NEAR = 0.3
"""Seconds that a line takes on which what one pauses on is fetched at once."""
COUNTED_AGAIN = 1.0
"""Seconds after which groups are counted anew."""
OF_LOG = ("follow", "search", "find", "why", "copy", "copy_curl", "only", "without")
OF_GROUPS = ("then", "order")
"""Actions that are there while the log, or the groups, are to be seen."""


class TrafficPage(Page):
    heading = "Traffic"
    key = "2"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "follow", "Pause", key_display="space", id="follow", tooltip="follow or pause"),
        Binding("f", "filter", "Filter", id="filter", tooltip="type a filter: status>=500 member=c path~^/api"),
        Binding("g", "groups", "Group", id="groups", tooltip="group by path, route, rule, member, status or client"),
        Binding("t", "then", "Then by", id="groups_then", tooltip="group each group further, or no further"),
        Binding("o", "order", "Order", id="groups_order", tooltip="order groups by requests, 5xx, 4xx, p95, last"),
        Binding("slash", "search", "Search", key_display="/", id="search", tooltip="search all fields"),
        Binding("w", "why", "Why", id="why", tooltip="why the request under the cursor went where it went"),
        Binding("ampersand", "only", "Only this", key_display="&", show=False, id="filter_only",
                tooltip="show only what has the same in the marked cell (←→ move it)"),
        Binding("minus", "without", "Without", key_display="-", show=False, id="filter_without",
                tooltip="leave out what has the same in the marked cell"),
        Binding("F", "switch", "Filter on/off", show=False, id="filter_toggle", tooltip="the filter off, or on again"),
        Binding("s", "preset", "Next filter", show=False, id="filter_preset",
                tooltip="all requests, failed ones, slow ones"),
        Binding("n", "find(1)", "Next", show=False, id="find_next", tooltip="next match below"),
        Binding("N", "find(-1)", "Previous", show=False, id="find_previous", tooltip="next match above"),
        Binding("b", "ban", "Ban", show=False, id="ban",
                tooltip="keep the client of the request, or of the group, under the cursor out for a while"),
        Binding("Y", "copy", "Copy", show=False, id="copy", tooltip="copy the request under the cursor as a line"),
        Binding("c", "copy_curl", "Copy as curl", show=False, id="copy_curl",
                tooltip="copy a curl command that asks the same"),
        Binding("H", "har", "Write HAR", show=False, id="har", tooltip="write what the filter shows to a HAR file"),
        Binding("escape", "retreat", "Back", key_display="esc", id="forget", tooltip="leave a search or a group"),
    ]  # fmt: skip

    def body(self) -> ComposeResult:
        yield RequestLog(id="log")
        yield GroupTable()
        yield FilterLine(lambda most: self.requests.tail.kept[-most:])
        yield Line(id="log-state")
        example = "search: method, path, status, route, member, client"
        yield PageInput(self._forget, id="search", placeholder=example)

    def __init__(self) -> None:
        super().__init__()
        self._text, self._on = "", False
        """The filter, and whether it holds."""
        self._grouped = False
        """The groups are to be seen."""
        self._left: list[tuple[str, bool]] = []
        """The filters that were in force before each group that was gone into."""
        self._counted = 0.0
        self._stays = 0
        """The number of the last request that was paused on."""

    def on_mount(self) -> None:
        self._text = remembered(self.console.state.file).filter

    @property
    def requests(self) -> RequestLog:
        return self.query_one(RequestLog)

    @property
    def groups(self) -> GroupTable:
        return self.query_one(GroupTable)

    @property
    def filter_line(self) -> FilterLine:
        return self.query_one(FilterLine)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "retreat":
            return self._grouped or bool(self._left) or bool(self.requests.sought)
        return action not in (OF_LOG if self._grouped else OF_GROUPS) and super().check_action(action, parameters)

    def pull(self, snapshot: Snapshot) -> None:
        log = self.requests
        log.empty = (
            "no request passes this filter: F switches it off"
            if log.tail.kept
            else nothing_yet(snapshot, self.console.state.site)
        )
        log.pull(self.engine, snapshot.newest_record)
        if self._grouped and perf_counter() - self._counted > COUNTED_AGAIN:
            self._count()
        record, link = log.tail.current, self.console.link
        if record and not log.tail.following and record.number != self._stays and (not link or link.delay < NEAR):
            self._stays = record.number
            self._stay(record.number)
        self._say_state()

    def _say_state(self) -> None:
        log, width = self.requests, self.size.width - 2
        filtered = f"filter {self._text}" if self._on and self._text else ""
        state = (
            groups_state(self.groups, log, filtered, width)
            if self._grouped
            else log_state(log, filtered, self.console.snapshot, width)
        )
        self.query_one("#log-state", Line).show(state)

    def on_line_table_moved(self) -> None:
        self._say_state()

    def on_request_log_not_found(self, message: RequestLog.NotFound) -> None:
        self.console.say(f"no request matches “{message.sought}”", "warning")

    def on_request_log_filtered(self) -> None:
        tail = self.requests.tail
        self.filter_line.count(len(tail.shown), len(tail.kept))
        if self._grouped:
            self._count()
        self._say_state()

    def on_group_table_counted(self) -> None:
        self._say_state()

    def on_line_table_chosen(self) -> None:
        if not self._grouped:
            self.app.push_screen(InspectorPage(self.step))
        elif self.groups.cursor:
            self._left.append((self._text, self._on))
            self._hold(self._also(self.groups.cursor))
            self._show_groups(False)

    def step(self, delta: int) -> Record | None:
        """The request ``delta`` below the one under the cursor, which moves there; the inspector asks for it."""
        log = self.requests
        if delta > 0 and log.tail.cursor == log.tail.count - 1:
            log.pull(self.engine, self.console.snapshot.newest_record)
        return log.step(delta)

    def action_follow(self) -> None:
        self.requests.follow(not self.requests.tail.following)

    # filter

    def _hold(self, text: str, on: bool = True) -> None:
        """Let a filter hold, which is one."""
        self._text, self._on = text, on
        self.requests.show_only(compiled(text) if on and text else None)
        self._say_state()

    def _also(self, term: str) -> str:
        return also(self._text if self._on else "", term)

    def action_filter(self) -> None:
        self.filter_line.open(self._text)

    def on_filter_line_typed(self, typed: FilterLine.Typed) -> None:
        if self.filter_line.display:
            self.requests.show_only(typed.passes)

    def on_filter_line_closed(self, closed: FilterLine.Closed) -> None:
        self.filter_line.display = False
        self.set_focus(self.groups if self._grouped else self.requests)
        if closed.text is None:
            self._hold(self._text, self._on)
        else:
            self._hold(closed.text)
            self._remember()

    @work(exclusive=True, group="remember")
    async def _remember(self) -> None:
        await asyncio.to_thread(remember, self.console.state.file, Remembered(filter=self._text))

    def action_only(self) -> None:
        self._narrow("{}")

    def action_without(self) -> None:
        self._narrow("not ({})")

    def _narrow(self, how: str) -> None:
        if term := self.requests.cell:
            self._hold(self._also(how.format(term)))
            self._remember()
        else:
            self.console.say("nothing to filter by in this cell: ← and → mark another one")

    def action_switch(self) -> None:
        if not self._text:
            self.console.say("no filter yet: f types one, & takes the marked cell")
            return
        try:
            self._hold(self._text, not self._on)
        except BadFilter as error:  # remembered by another version
            self.console.say(f"filter {self._text}: {error}", "warning")

    def action_preset(self) -> None:
        text = self._text if self._on else ""
        at = PRESETS.index(text) if text in PRESETS else -1
        self._hold(PRESETS[(at + 1) % len(PRESETS)])

    # groups

    def _show_groups(self, grouped: bool) -> None:
        self._grouped = grouped
        self.requests.display, self.groups.display = not grouped, grouped
        self.set_focus(self.groups if grouped else self.requests)
        self.refresh_bindings()
        if grouped:
            self._count()
        self._say_state()

    def _count(self) -> None:
        self._counted = perf_counter()
        self.groups.count_all([*self.requests.tail.shown])

    def action_groups(self) -> None:
        if self._grouped:
            self.groups.next_by()
            self._count()
        else:
            self._show_groups(True)

    def action_then(self) -> None:
        self.groups.next_then()
        self._count()

    def action_order(self) -> None:
        self.groups.next_order()
        self._count()

    def action_retreat(self) -> None:
        """Forget the search; else go back to the groups; else to the log."""
        if self.requests.sought:
            self._forget()
        elif self._grouped:
            self._show_groups(False)
        elif self._left:
            self._hold(*self._left.pop())
            self._show_groups(True)

    # one request

    @work(exclusive=True, group="why")
    async def action_why(self) -> None:
        if record := self.requests.tail.current:
            await self.console.explain_request(record)

    def action_copy(self) -> None:
        if record := self.requests.tail.current:
            self.console.copy(as_line(record), f"request {record.number} as a line")

    @work(exclusive=True, group="copy")
    async def action_copy_curl(self) -> None:
        if not (record := self.requests.tail.current):
            return
        if (inspection := await inspected(self.console, record.number)) is not None:
            copy_as_curl(self.console, inspection)
        else:
            self.console.say("its head is no longer kept", "warning")

    @work(exclusive=True, group="stay")
    async def _stay(self, number: int) -> None:
        """Have a request kept, heads and all, that one has paused on."""
        await inspected(self.console, number)

    @work(exclusive=True, group="har")
    async def action_har(self) -> None:
        await write_har(self.console, [*self.requests.tail.shown])

    @work
    async def action_ban(self) -> None:
        if not self._grouped:
            if record := self.requests.tail.current:
                await ban_client(self.console, record.client)
        elif (client := self.groups.client) is None:
            self.console.say("these groups have no client in common: g and t group by client")
        else:
            await ban_client(self.console, client)

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

    def _forget(self) -> None:
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
