"""Requests that were finished, and a file that they are recorded to: what the tests of recordings share."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

from proxy_core.config.model import Options, Site
from proxy_core.control.recording.schema import TABLES
from proxy_core.http.request_view import RequestView
from proxy_core.runtime.exchange import Exchange
from tests.bound import rules

HEAD = b"GET /cart?id=1&token=t0psecret HTTP/1.1\r\nHost: shop.example\r\nCookie: s3cret=1\r\nX-Auth: k3y\r\n\r\n"


RULES = rules(7, Site(site=Options(secret_headers=("X-Auth",))))


def finished(number: int = 1, **changes: Any) -> Exchange:
    """A request that went well, in a tenth of a second."""
    made = Exchange(
        rules=RULES,
        view=RequestView(b"GET", b"/cart?id=1&token=t0psecret", b"shop.example", "10.0.0.1"),
        head=HEAD,
        version="1.1",
        at=1_000.0 + number,
        started=50.0,
        finished=50.1,
        status=200,
        number=number,
    )
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def request_row(at: float, length: int = 40) -> tuple[Any, ...]:
    """A row of requests of about 3 * ``length`` bytes."""
    texts = dict.fromkeys(("target", "shape", "user_agent"), "x" * length)
    return tuple(at if name in ("ended", "at") else texts.get(name, 1) for name in TABLES["requests"])


def bytes_of(path: Path) -> int:
    """What a recording takes on disk, with what SQLite keeps beside it."""
    parts = [path.with_name(path.name + end) for end in ("", "-wal", "-shm")]
    return sum(os.stat(part).st_size for part in parts if part.exists())


def asked(path: Path, query: str) -> list[Any]:
    """What a query says of a recording."""
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()


def integrity(path: Path) -> str:
    return str(asked(path, "PRAGMA integrity_check")[0][0])
