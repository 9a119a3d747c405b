"""The line under the log of requests, and under its groups: what is shown, and of how many. Pure."""

from __future__ import annotations

from proxy_core.control.view import Snapshot
from rproxy_tui import words
from rproxy_tui.content import Content
from rproxy_tui.widgets.frame import Part, fit
from rproxy_tui.widgets.group_table import GroupTable
from rproxy_tui.widgets.request_log import RequestLog

NOTHING = Content("")


def log_state(log: RequestLog, filtered: str, moment: Snapshot, width: int) -> Content:
    """One line under the log: following, paused, or until which moment that is past; filter, search, and what went
    wrong with the request under the cursor."""
    tail = log.tail
    if moment.past:
        state = Content.styled(f"◀ until {words.clock(moment.at)}", "bold $text-warning")
    elif tail.following:
        state = Content.from_markup("[$text-success]▶ following[/]")
    else:
        new = tail.unread(moment.newest_record)
        state = Content.from_markup(
            "[bold $text-warning]‖ paused[/]$new", new=f" · {words.count(new)} new" if new else ""
        )
    sought = Content.from_markup("[$text-muted]/[/]$sought", sought=log.sought) if log.sought else NOTHING
    record = tail.current
    of = f": {words.count(tail.count)} of {words.count(len(tail.kept))}" if filtered else ""
    room = max(12, width - state.cell_length - len(of) - 6)
    shown = Content(words.clip(filtered, room) + of)
    cause = NOTHING
    if record is not None and record.cause and not tail.following:
        text = words.printable(record.cause)
        room = max(12, width - sum(part.cell_length + 3 for part in (state, shown, sought) if part.plain))
        cause = Content.from_markup("[$text-muted]$text[/]", text=words.clip(f"{record.status}: {text}", room))
    parts = [Part(4, (state,)), Part(3, (shown, NOTHING)), Part(2, (sought, NOTHING)), Part(1, (cause, NOTHING))]
    return fit(parts, width, gap="   ")


def groups_state(table: GroupTable, log: RequestLog, filtered: str, width: int) -> Content:
    """One line under the groups: what they are made of, and how they are ordered."""
    made = Content.assemble((f"by {', '.join(table.by)}", "bold $text-accent"))
    groups = len(table.groups)
    number = Content(f"{words.count(groups)} group{'s' * (groups != 1)} of {words.count(log.tail.count)}")
    order = Content.styled("last first" if table.order == "last" else f"most {table.order} first", "$text-muted")
    parts = [Part(4, (made,)), Part(3, (number, NOTHING)), Part(1, (order, NOTHING))]
    parts.append(Part(2, (Content(words.clip(filtered, max(12, width // 2))), NOTHING) if filtered else (NOTHING,)))
    return fit(parts, width, gap="   ")
