"""A recording of four minutes, made up: what the view and the console are tested with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from proxy_core.balance.member_state import MemberKey
from proxy_core.control.editing.history import HistoryEntry
from proxy_core.control.recording.masked_site import GenerationRows
from proxy_core.control.recording.recording_file import RecordingFile
from proxy_core.control.recording.rows import moment_row, request_row, second_row, step_rows
from proxy_core.control.recording.sampling import Sampled
from proxy_core.control.view import Percentiles, Second, Snapshot
from proxy_core.control.watching.kept_snapshots import KeptSnapshots
from proxy_core.http.request_view import Connection, RequestView
from proxy_core.runtime.last_hour import CellCounts, CellKey, TenSeconds
from tests import bound
from tests.control.recording.harness import RULES, finished

BEGAN = 1_700_000_000.0
SITE = """version = 1
[listeners.http]
address = "127.0.0.1:8080"
[[rewrites]]
id = "there"
pattern = "^/old/"
substitution = "-"
flags = ["F"]
conditions = [{ test = "/", pattern = "-d" }]
[[routes]]
id = "%s"
path = "/"
proxy = "balancer://shop/"
[balancers.shop.members.a]
url = "http://127.0.0.1:9"
"""
ENTRIES = [
    HistoryEntry(number=1, at=BEGAN, author="anna", sentence="first", diff="", text=SITE % "one"),
    HistoryEntry(number=2, at=BEGAN + 60, author="bert", sentence="rename", diff="", text=SITE % "two"),
    HistoryEntry(number=2, at=BEGAN + 200, author="cleo", sentence="a journal was lost", diff="", text=SITE % "three"),
]


def steps() -> list[TenSeconds]:
    """Four minutes of a member that fails now and then, with a step in which nobody came, and a route that only the
    third has."""
    key = CellKey(MemberKey("shop", "a"), ("routes", "one"), ("rewrites", "there"), "GET /item/{n}")
    other = CellKey(None, None, None, "GET /nothing")
    made = []
    for n in range(1, 25):
        cell = CellCounts(requests=10.0 + n, errors=n % 3, left=n % 2, status_4xx=0, histogram={80: 8 + n, 120: 2})
        cells = ((key, cell), (other, CellCounts(requests=2.0, status_4xx=2, histogram={40: 2})))
        rare = (CellKey(None, ("routes", "rare"), ("rewrites", "rare"), "GET /rare"), CellCounts(requests=1.0))
        cells = (*cells, rare) if n == 3 else cells
        made.append(TenSeconds(BEGAN + 10 * n, cells if n != 7 else ()))
    return made


def seconds() -> list[Second]:
    """From the 150th on nobody served for ten of them."""
    served = [*range(1, 150), *range(160, 241)]
    return [Second(BEGAN + n, n % 9, n % 4, n % 2, 0.01, 0.02, -1.0, 0) for n in served]


def bare(at: float) -> Snapshot:
    return Snapshot(
        at=at, uptime=at - BEGAN, generation=1, saved="saved", requests=7, in_flight=3, connections=2, rate=0.0,
        rate_4xx=0.0, rate_5xx=0.0, latency=Percentiles(), lateness=0.0, newest_record=4, members=(), routes=(),
        listeners=(), seconds=(), demo=True,
    )  # fmt: skip


OLD, NEW = (bound.rules(generation, RULES.site) for generation in (1, 2))


def requests() -> Iterator[Any]:
    """One a second; the third fails, and the 210th is of the second generation of that number."""
    for n in range(1, 241):
        head = b"GET /old/%d?token=x HTTP/1.1\r\nHost: shop\r\nCookie: a=b\r\nX-Own: 1\r\n\r\n" % n
        view = RequestView(
            b"GET", b"/old/%d?token=x" % n, b"shop", "10.0.0.1", connection=Connection("http", "127.0.0.1", 8080)
        )
        changes: dict[str, Any] = {"number": n, "view": view, "head": head, "at": BEGAN + n - 0.1}
        made = finished(**changes, status=502 if n == 3 else 200)
        made.rules = OLD if n < 60 else NEW
        yield made


def recorded(path: Path) -> None:
    """Make the recording."""
    file = RecordingFile(path, 4 << 20, 1e9)
    kept, generations = KeptSnapshots(), GenerationRows()
    for step in steps():
        file.write([("steps", [*step_rows(step)])]) if step.cells else None
        kept.keep(step.at, bare(step.at), [])
    for chunk in file.chunks(("seconds", second_row(each)) for each in seconds()):
        file.write(chunk)
    file.write([("moments", [moment_row(each) for each in kept.after(0.0)])])
    file.write([("generations", [row for entry in ENTRIES for row in generations.rows(entry)])])
    for chunk in file.chunks(("requests", request_row(Sampled(each, 1))) for each in requests()):
        file.write(chunk)
    file.close()
