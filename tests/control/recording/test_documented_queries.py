"""Every question that docs/recordings.md answers is asked of a recording, and each finds what is in it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy_core.balance.member_state import MemberKey
from proxy_core.control.editing.history import HistoryEntry
from proxy_core.control.recording.masked_site import GenerationRows
from proxy_core.control.recording.recording_file import RecordingFile
from proxy_core.control.recording.rows import event_row, request_row, second_row, step_rows
from proxy_core.control.recording.sampling import Sampled
from proxy_core.control.recording.schema import TABLES
from proxy_core.control.view import Second
from proxy_core.control.watching.events import Event
from proxy_core.runtime.last_hour import CellCounts, CellKey, TenSeconds
from tests.control.recording.harness import asked, finished

PAGE = (Path(__file__).parents[3] / "docs" / "recordings.md").read_text()
QUERIES = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A recording with something of everything, of half past two this night or, before that, of now."""
    path = tmp_path_factory.mktemp("night") / "a.rec"
    today = time.localtime()
    at = time.mktime((today.tm_year, today.tm_mon, today.tm_mday, 2, 30, 0, 0, 0, -1))
    file = RecordingFile(path, 4 << 20, 30 * 86_400.0)
    now = time.time()
    rows = [request_row(Sampled(finished(at=now - n, status=500, cause="reset"), 1)) for n in range(9)]
    rule = TABLES["requests"].index("rule")
    file.write([("requests", [(*row[:rule], "old-pages", *row[rule + 1 :]) for row in rows])])
    cell = CellCounts(requests=20, errors=5, histogram={80: 19, 120: 1})
    key = CellKey(MemberKey("shop", "c"), ("routes", "r"), None, "GET /x")
    file.write([("steps", [*step_rows(TenSeconds(at, ((key, cell),)))])])
    file.write([("seconds", [second_row(Second(now - 10, 7, 1, 2, 0.01, 0.02, 0.03, 0))])])
    entry = HistoryEntry(number=1, at=now - 11, author="anna", sentence="drain c", diff="", text="version = 1\n")
    file.write([("generations", [*GenerationRows().rows(entry)])])
    file.write(
        [("events", [event_row((now, Event(level="warning", kind="member_down", text="member shop/c is down")))])]
    )
    yield path
    file.close()


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: " ".join(query.split())[:40])
def test_a_documented_query_answers(query: str, night: Path) -> None:
    assert asked(night, query)


def test_the_page_has_every_column_of_every_table() -> None:
    for table, columns in TABLES.items():
        (line,) = re.findall(rf"^\| `{table}` .*", PAGE, re.MULTILINE)
        assert [column for column in columns if f"`{column}`" not in line] == []
