"""What is recorded, as rows of the tables: plain values in the order of the columns of ``schema``.

All that is secret is masked here, by ``secret_values``, before a file or a queue sees it on the way to one. Texts from
outside are made printable and have an end: whoever asks with ``sqlite3`` reads them on a terminal. What never happened
is NULL. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from proxy_core.control.recording.sampling import Sampled, stands_out
from proxy_core.control.view import Second
from proxy_core.control.watching.events import Event
from proxy_core.control.watching.kept_snapshots import PackedSnapshot
from proxy_core.control.watching.log_records import public, record
from proxy_core.printable import printable
from proxy_core.runtime.exchange import Exchange
from proxy_core.runtime.last_hour import TenSeconds
from proxy_core.runtime.path_shapes import shape_of
from proxy_core.secret_values import masked, masked_head

Row = tuple[Any, ...]

LONGEST = 2_000
"""Characters of a text of a request."""
LONGEST_HEAD = 8_000
"""Characters of a head."""
_NOBODY = ("", "")


def short(text: str, longest: int = LONGEST) -> str:
    """A text from outside, printable and with an end."""
    text = printable(text)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _came(seconds: float) -> float | None:
    return seconds if seconds >= 0 else None


def request_row(kept: Sampled) -> Row:
    """A finished request."""
    exchange, weight = kept
    seen = public(record(exchange))
    return (
        seen.at + max(0.0, seen.total), seen.at, exchange.view.connection.listener, seen.client, short(seen.method),
        short(seen.target), short(masked(shape_of(exchange.view.method, exchange.view.target))),
        short(seen.host), seen.version, seen.status, seen.cut, seen.received, seen.sent, seen.route, seen.rule,
        seen.balancer, seen.member, seen.attempts, seen.retries, seen.generation, _came(seen.queued),
        _came(seen.waited), _came(seen.first), _came(seen.total), short(seen.cause),
        short(seen.referer), short(seen.user_agent), weight,
        _head(exchange) if stands_out(exchange) else None, seen.cache, seen.age,
    )  # fmt: skip


def _head(exchange: Exchange) -> str:
    """The head of a request that went wrong, with a line feed behind each line."""
    secret = {name.lower() for name in exchange.rules.site.site.secret_headers}
    head = masked_head(exchange.head.decode("utf-8", "backslashreplace").strip("\r\n"), secret)
    return "\n".join(short(line) for line in head.split("\r\n"))[:LONGEST_HEAD]


def second_row(second: Second) -> Row:
    """A second of the whole site."""
    times = [_came(seconds) for seconds in (second.p50, second.p95, second.p99)]
    return (second.at, second.requests, second.status_4xx, second.status_5xx, *times, second.generation)


def step_rows(step: TenSeconds) -> Iterator[Row]:
    """Ten seconds: a row for each member, route, rule and shape. The histogram is an object of counts by bucket."""
    for (member, route, rule, shape), cell in step.cells:
        counts = msgspec.json.encode({str(bucket): count for bucket, count in cell.durations().items()}).decode()
        yield (
            step.at, *(member or _NOBODY), *(route or _NOBODY), *(rule or _NOBODY), short(masked(shape)),
            cell.requests, cell.errors, cell.left, cell.status_4xx, counts,
        )  # fmt: skip


def moment_row(kept: PackedSnapshot) -> Row:
    """How things stood at the end of a step, packed."""
    return (kept.at, kept.packed)


def event_row(happened: tuple[float, Event], hidden: Callable[[str], str] = masked) -> Row:
    """Something that happened, and when it was seen; ``hidden`` masks what is secret in a text."""
    at, event = happened
    facts = {name: hidden(fact) if isinstance(fact, str) else fact for name, fact in event.facts.items()}
    return (at, event.level, event.kind, short(hidden(event.text)), msgspec.json.encode(facts).decode())
