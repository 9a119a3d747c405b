"""``rproxy ctl tail``: finished requests, as they come, as they were at a moment that is past, or as HAR."""

from __future__ import annotations

import time
from collections import deque

import msgspec

from proxy_core.control.cli.ctl_answers import ASK_AGAIN, Call, millis, snapshot_of, when
from proxy_core.control.cli.subcommand import say
from proxy_core.control.watching.har import har_text
from proxy_core.control.watching.log_records import Record
from proxy_core.control.watching.record_filter import compiled
from proxy_core.printable import printable_json


def tail(call: Call) -> int:
    asked = " ".join(call.given.filter)
    compiled(asked)  # what is wrong with it is said before anybody is asked
    if call.given.har:
        return _har(call, asked)
    if call.given.at:
        return _until(call, asked)
    lines = 10 if call.given.lines is None else max(0, call.given.lines)
    after = -lines
    if not lines:
        after = call.client.snapshot().newest_record
    if asked and lines:
        after = 0
    first = True
    while True:
        found = call.client.records(after, filter=asked)
        rows = found.records
        if first and asked and len(rows) == 500:
            after = found.seen
            continue
        for row in rows[-lines:] if first else rows:
            say(printable_json(msgspec.json.encode(row).decode()) if call.as_json else _request(row))
        first = False
        after = found.seen
        if call.given.once and not rows:
            return 0
        if not rows:
            time.sleep(ASK_AGAIN)


def _until(call: Call, asked: str) -> int:
    """The last requests that were finished at a moment that is past."""
    lines = 10 if call.given.lines is None else max(0, call.given.lines)
    end, rows = snapshot_of(call).newest_record, deque[Record](maxlen=lines)
    after = 0 if asked else max(0, end - lines)
    while after < end:
        found = call.client.records(after, filter=asked)
        rows += [each for each in found.records if each.number <= end]
        if found.seen <= after:
            break
        after = found.seen
    for row in rows:
        say(printable_json(msgspec.json.encode(row).decode()) if call.as_json else _request(row))
    return 0


def _har(call: Call, asked: str) -> int:
    """What is kept, as a HAR file on standard output."""
    rows, after, snapshot = deque[Record](maxlen=call.given.lines), 0, call.client.snapshot()
    while after < snapshot.newest_record:  # others may come for ever
        found = call.client.records(after, filter=asked)
        rows += found.records
        after = found.seen
    tls = any(listener.tls for listener in snapshot.listeners)
    say(har_text(rows, "https" if tls else "http").rstrip("\n"))
    return 0


def _request(row: Record) -> str:
    whom = f"{row.balancer}/{row.member}" if row.balancer else row.member
    cause = f"  {row.cause}" if row.cause else ""
    line = f"{when(row.at)} {row.status} {millis(row.total):>8} {row.client} {row.method} {row.target}"
    return f"{line}  {whom or '-'}{cause}"
