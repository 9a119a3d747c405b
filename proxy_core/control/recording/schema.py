"""What a recording is: its tables, and how a file says that it is one.

A recording is a SQLite database whose header has APPLICATION in the field that SQLite keeps for that
(https://www.sqlite.org/fileformat.html, offset 68) and VERSION as user_version (offset 60). Both are read as bytes, so
that who only asks whether a file is a recording needs no SQLite and touches nothing. A file of another kind, or of a
later version, is refused and never written to. docs/recordings.md tells people what the tables hold.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path
from typing import Final

from proxy_core.balance.latency_histogram import BUCKETS, seconds_of

APPLICATION: Final = 0x72707278
"""The application_id: "rprx"."""
VERSION: Final = 1
MAGIC: Final = b"SQLite format 3\0"
_HEADER: Final = 100

REQUESTS: Final = (
    "ended", "at", "listener", "client", "method", "target", "shape", "host", "version", "status", "cut", "received",
    "sent", "route", "rule", "balancer", "member", "attempts", "retries", "generation", "queued", "waited", "first",
    "total", "cause", "referer", "user_agent", "weight", "head", "cache", "age",
)  # fmt: skip
SECONDS: Final = ("at", "requests", "status_4xx", "status_5xx", "p50", "p95", "p99", "generation")
STEPS: Final = (
    "at", "balancer", "member", "route_list", "route", "rule_list", "rule", "shape", "requests", "errors", "left",
    "status_4xx", "histogram",
)  # fmt: skip
GENERATIONS: Final = ("number", "at", "author", "sentence", "text")
MOMENTS: Final = ("at", "packed")
EVENTS: Final = ("at", "level", "kind", "text", "facts")

TABLES: Final = {
    "requests": REQUESTS, "seconds": SECONDS, "steps": STEPS, "generations": GENERATIONS, "events": EVENTS,
    "moments": MOMENTS,
}  # fmt: skip
"""The columns of each table, in the order in which rows are written."""
AT_ONCE: Final = 64
"""Rows that one statement writes at most: SQLite takes 32,766 values."""
BY_TIME: Final = {"requests": "ended", "seconds": "at", "steps": "at", "events": "at", "moments": "at"}
"""The tables whose rows come in the order of time, with the column that says when."""

TEXTS: Final = frozenset((
    "listener", "client", "method", "target", "shape", "host", "version", "route", "rule", "balancer", "member",
    "cause", "cache", "referer", "user_agent", "head", "route_list", "rule_list", "histogram", "author", "sentence",
    "text", "level", "kind", "facts",
))  # fmt: skip
REALS: Final = frozenset((
    "ended", "at", "queued", "waited", "first", "total", "p50", "p95", "p99", "requests",
))  # fmt: skip


def _kind(column: str) -> str:
    if column == "packed":
        return "BLOB"
    return "TEXT" if column in TEXTS else "REAL" if column in REALS else "INTEGER"


def statements() -> list[str]:
    """What makes the tables. Rows of all but ``generations`` have a number of their own, which grows. ``buckets`` says
    how long what is counted in a bucket of a histogram took, about."""
    made = []
    for table, columns in TABLES.items():
        key = "" if table == "generations" else "row INTEGER PRIMARY KEY, "
        spelled = ", ".join(f'"{column}" {_kind(column)}' for column in columns)
        last = ', PRIMARY KEY ("number", "at")' if table == "generations" else ""
        made.append(f"CREATE TABLE {table} ({key}{spelled}{last})")
    made += [f"CREATE INDEX {table}_at ON {table} (at)" for table in ("steps", "seconds", "moments")]
    buckets = ", ".join(f"({bucket}, {seconds_of(bucket)!r})" for bucket in range(BUCKETS))
    return [
        *made,
        "CREATE TABLE buckets (bucket INTEGER PRIMARY KEY, seconds REAL)",
        f"INSERT INTO buckets VALUES {buckets}",
    ]


def missing(table: str, there: Collection[str]) -> list[str]:
    """What adds the columns to a table that it has not, made as it was by an earlier rproxy."""
    return [f'ALTER TABLE {table} ADD COLUMN "{each}" {_kind(each)}' for each in TABLES[table] if each not in there]


def columns_of(database: sqlite3.Connection, table: str) -> frozenset[str]:
    """The columns that a table has."""
    return frozenset(name for _, name, *_ in database.execute(f"PRAGMA table_info({table})"))


@lru_cache(512)
def insertion(table: str, rows: int) -> str:
    """What writes that many rows, at most AT_ONCE, their values one after the other. It is one step of SQLite, during
    which Python lets other threads run: with a step for each row the writer waits for its turn as often, which beside a
    busy loop is milliseconds each."""
    columns = TABLES[table]
    names = ", ".join(f'"{column}"' for column in columns)
    values = f"({', '.join('?' * len(columns))})"
    return f"INSERT OR REPLACE INTO {table} ({names}) VALUES {', '.join([values] * rows)}"


def refusal(path: Path) -> str:
    """Why a file is none that can be recorded to, in words; "" for one that can, or that is not there. Raises OSError
    where that cannot be found out."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return ""
    with os.fdopen(descriptor, "rb") as file:
        header = file.read(_HEADER)
    if not header:
        return ""
    application, version = int.from_bytes(header[68:72], "big"), int.from_bytes(header[60:64], "big")
    if not header.startswith(MAGIC) or application != APPLICATION:
        return "it is no recording of rproxy"
    if version > VERSION:
        return f"a later rproxy made it (version {version}; this one knows {VERSION})"
    return ""


def is_database(path: Path) -> bool:
    """Whether a file is one of SQLite's, so that whoever names it means a recording and no site file."""
    try:
        with open(path, "rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False
