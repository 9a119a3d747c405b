"""The inspector: all that is known of one finished request.

Both heads as they went over the wire, where the time went, and the way through the rules of the generation that the
request ran under. Everything that a client or a member sent is made harmless before it is shown; secrets were masked
by the engine.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from proxy_core.control.explaining.explanation import masked_value
from proxy_core.control.question import Inspection, Verdict
from proxy_core.control.view import ListenerState
from proxy_core.control.watching.log_records import Record, public
from proxy_core.printable import lines as lines_of
from proxy_core.secret_values import MASK
from rproxy_tui import words
from rproxy_tui.console import ConsoleVerbs
from rproxy_tui.content import Content
from rproxy_tui.page import Page
from rproxy_tui.theme import STYLES
from rproxy_tui.widgets.frame import heading
from rproxy_tui.widgets.request_log import as_line

NOT_COPIED = ("host", "content-length", "connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade")
"""Fields that curl makes itself, or that belong to the connection (RFC 9110 §7.6.1)."""

OWN_FIELDS = ("User-Agent", "Accept")
"""Fields that curl makes up where it is not told otherwise, and Content-Type beside a body."""
GONE = "Its heads are no longer kept: the ring of requests has moved on."
_BYTE = re.compile(r"\\x([89a-f][0-9a-f])")
"""How a byte of a head is shown that is no text."""

WIDE = 110
"""Columns from which the heads stand beside the facts."""


class InspectorPage(Page):
    """``step(delta)`` moves to a neighbouring request and gives it; 0 is the one to begin with."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-wide")]
    heading = "Request"
    key = "2"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", key_display="esc", id="back", tooltip="back to the log"),
        Binding("up,k", "step(-1)", "Previous", key_display="↑", id="previous_request", tooltip="the request before"),
        Binding("down,j", "step(1)", "Next", key_display="↓", id="next_request", tooltip="the request after"),
        Binding("w", "why", "Why", id="why", tooltip="its way through the rules, each with a link"),
        Binding("c", "copy_curl", "Copy as curl", id="copy_curl", tooltip="copy a curl command that asks the same"),
        Binding("Y", "copy", "Copy line", show=False, id="copy", tooltip="copy the request as a line of text"),
        Binding("pagedown,space", "page(1)", "Scroll", show=False, id="page_down"),
        Binding("pageup", "page(-1)", "Scroll back", show=False, id="page_up"),
    ]

    def __init__(self, step: Callable[[int], Record | None]) -> None:
        super().__init__()
        self._step = step
        self._record: Record | None = None
        self._inspection: Inspection | None = None
        self._missing = ""
        """Why there is no inspection."""

    def body(self) -> ComposeResult:
        with VerticalScroll(id="request", can_focus=False):
            yield Static(id="facts")
            yield Static(id="heads")

    def on_mount(self) -> None:
        self.action_step(0)

    def on_resize(self) -> None:
        self._show()

    def action_step(self, delta: int) -> None:
        record = self._step(delta)
        if record is None:
            return
        if delta and self._record and record.number == self._record.number:
            self.console.say("no request before this one" if delta < 0 else "no request after this one yet")
            return
        self._record, self._inspection, self._missing = record, None, "Its heads are on their way."
        self._looking = self._inspect(record.number)
        self._show()
        self.query_one("#request").scroll_home(animate=False)

    @work(exclusive=True, group="inspect")
    async def _inspect(self, number: int) -> None:
        try:
            self._inspection, self._missing = await self.engine.inspect(number), GONE
        except OSError as error:
            self._missing = words.printable(str(error))
        self._show()

    def _show(self) -> None:
        record, inspection = self._record, self._inspection
        if record is None:
            return
        width = self.size.width // 2 - 4 if self.size.width >= WIDE else self.size.width - 4
        parts = [summary(record), facts(record, self.engine.snapshot().generation), timing(record, width)]
        if inspection is not None:
            parts.append(trace(inspection.explanation.steps))
        self.query_one("#facts", Static).update(Content("\n\n").join(parts))
        gone = Content.styled(self._missing, "$text-muted")
        self.query_one("#heads", Static).update(gone if inspection is None else heads(inspection))

    def action_page(self, direction: int) -> None:
        scroll = self.query_one("#request", VerticalScroll)
        scroll.scroll_relative(y=direction * (scroll.size.height - 2), animate=False)

    @work(exclusive=True, group="why")
    async def action_why(self) -> None:
        if self._record is not None:
            await self.console.explain_request(self._record)

    def action_copy(self) -> None:
        if self._record is not None:
            self.console.copy(as_line(self._record), f"request {self._record.number} as a line")

    @work(exclusive=True, group="copy")
    async def action_copy_curl(self) -> None:
        await self._looking.wait()
        if self._inspection is None:
            self.console.say("its head is no longer kept", "warning")
            return
        copy_as_curl(self.console, self._inspection)


def copy_as_curl(console: ConsoleVerbs, inspection: Inspection) -> None:
    """Put a curl command that asks the same into the clipboard."""
    listeners = {each.name: each for each in console.engine.snapshot().listeners}
    listener = listeners.get(inspection.explanation.listener, next(iter(listeners.values()), None))
    record, head = inspection.record, lines_of(inspection.request_head)
    masked = any(map(masked_value, head)) or MASK in public(record).target
    more = "; masked secrets are not in it" if masked else ""
    console.copy(as_curl(inspection, listener), f"request {record.number} as curl{more}")


def summary(record: Record) -> Content:
    """What was asked, and what came of it."""
    style = STYLES[words.status_style(record.status)] or STYLES["muted"]
    line = Content.assemble(
        (f"{words.status_glyph(record.status)} {record.status}", f"bold {style}"),
        (f"  {words.printable(record.method)} {words.printable(record.target)}", "bold"),
    )
    return line + Content(f"\n{words.printable(record.cause)}").stylize(style) if record.cause else line


def facts(record: Record, generation: int) -> Content:
    """The record, field by field."""
    via = words.member_name(record.balancer, record.member) or "no member"
    ran_under = f"{record.generation}" + ("" if record.generation == generation else f" (now {generation})")
    rows = (
        ("time", words.clock(record.at)),
        ("client", record.client or "unknown"),
        ("host", record.host or words.NOTHING),
        ("version", f"HTTP/{record.version.removeprefix('HTTP/')}"),
        ("route", record.route or "none"),
        ("member", via + (f", {record.attempts} attempts" if record.attempts > 1 else "")),
        ("body", f"{record.received:,} bytes received, {record.sent:,} sent"),
        ("user agent", record.user_agent or words.NOTHING),
        ("referer", record.referer or words.NOTHING),
        ("generation", ran_under),
        ("request", f"{record.number:,}"),
    )
    lines = [Content.assemble((f"{name:<12}", "$text-muted"), words.printable(value)) for name, value in rows]
    return Content("\n").join(lines)


def timing(record: Record, width: int) -> Content:
    """Where the time went: a bar for each phase, where it lies in the whole."""
    room = max(10, min(40, width - 26))
    phases = []
    if record.waited >= 0:
        phases.append(("connection", 0.0, record.waited))
    if record.first >= 0:
        phases += [
            ("first byte", max(0.0, record.waited), record.first),
            ("rest of answer", record.first, max(record.first, record.total)),
        ]
    elif record.waited >= 0:
        phases.append(("no answer", record.waited, max(record.waited, record.total)))
    total = max(record.total, 1e-9)
    lines = [heading("Timing")]
    for name, start, end in phases:
        first = min(int(start / total * room), room - 1)
        cells = max(1, min(round(end / total * room), room) - first)
        bar = " " * first + "█" * cells
        parts = ((f"{name:<14}", "$text-muted"), f"{words.millis(end - start):>7} ms ", (bar, "$text-accent"))
        lines.append(Content.assemble(*parts))
    lines.append(Content.assemble((f"{'total':<14}", "$text-muted"), f"{words.millis(record.total):>7} ms"))
    return Content("\n").join(lines)


def trace(verdicts: Sequence[Verdict]) -> Content:
    """A line for each rule that was tried: what came of it, and why."""
    lines = [heading("Way through the rules")]
    for verdict in verdicts:
        outcome, style = words.verdict(verdict)
        rule = verdict.address[-1] if verdict.address else ""
        parts = ((f"{outcome:<12}", STYLES[style]), (f"{rule:<14} ", "bold"), words.printable(verdict.reason))
        lines.append(Content.assemble(*parts))
    if not verdicts:
        lines.append(Content.styled("no rule was tried", "$text-muted"))
    return Content("\n").join(lines)


def heads(inspection: Inspection) -> Content:
    """The three heads, each as it went over the wire."""
    member = words.member_name(inspection.record.balancer, inspection.record.member) or "a member"
    return Content("\n\n").join(
        [
            _head("Request, as it came", inspection.request_head, "nothing that could be read as a request"),
            _head(f"Request, as sent to {member}", inspection.forwarded_head, "it was not sent to any member"),
            _head(f"Answer of {member}", inspection.answer_head, "no answer came from a member"),
        ]
    )


def _head(title: str, head: str, nothing: str) -> Content:
    lines = [heading(title)]
    for number, line in enumerate(lines_of(head)):
        name, colon, value = words.printable(line).partition(":")
        if number and colon:
            lines.append(Content.assemble((f"{name}:", "$text-muted"), value))
        elif line:
            lines.append(Content(words.printable(line)))
    if len(lines) == 1:
        lines.append(Content.styled(nothing, "$text-muted"))
    return Content("\n").join(lines)


def as_curl(inspection: Inspection, listener: ListenerState | None) -> str:
    """A shell command that sends the same request to this proxy again: same method, path as it was spelled, fields.
    Masked secrets are left out; a body is not kept, so a file is named in its place."""
    record = public(inspection.record)
    curl = ["curl", "--path-as-is", "-g"]  # a path is no pattern to curl either
    address = words.reachable(listener) if listener is not None else ""
    scheme = "https" if listener is not None and listener.tls else "http"
    if record.method == "HEAD":
        curl.append("--head")
    elif record.method != "GET":
        curl += ["-X", record.method]
    origin = f"{scheme}://{record.host or address or 'localhost'}"
    if record.target.startswith("/"):
        curl.append(f"{origin}{record.target}")
    else:  # "*", or an absolute URL
        curl += ["--request-target", record.target, origin]
    if address and record.host not in ("", address):
        curl += ["--connect-to", f"::{address}"]
    fields = [line.partition(":") for line in lines_of(inspection.request_head)[1:]]
    for name, colon, value in fields:
        if colon and name.strip().lower() not in NOT_COPIED and not masked_value(value):
            curl += ["-H", f"{name}: {value.strip()}" if value.strip() else f"{name};"]
    sent = {name.strip().lower() for name, _, _ in fields}
    own = (*OWN_FIELDS, "Content-Type") if record.received else OWN_FIELDS
    curl += [part for name in own if name.lower() not in sent for part in ("-H", f"{name}:")]
    if record.received:
        curl += ["--data-binary", "@body"]
    return " ".join(map(shell_word, curl))


def shell_word(text: str) -> str:
    """One word of a command line that is printable, whatever is in it: what is not stands as its bytes, in the quotes
    of ksh, bash and zsh (POSIX 2024: ``$'\\033'``). So nothing in it is a key to who pastes it."""
    if text.isprintable() and not _BYTE.search(text):
        return shlex.quote(text)
    raw = _BYTE.sub(lambda found: bytes.fromhex(found[1]).decode("utf-8", "surrogateescape"), text)
    return "$'" + "".join(c if c.isprintable() and c not in "\\'" else _octal(c) for c in raw) + "'"


def _octal(character: str) -> str:
    return "".join(f"\\{byte:03o}" for byte in character.encode("utf-8", "surrogateescape"))
