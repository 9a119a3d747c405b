"""Addresses mapped back in answers come in and go out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.apache.conversions import exported, rows_of

IN: list[tuple[str, str, list[dict[str, Any]]]] = [
    ("<Location /a>\nProxyPassReverse http://h/b\n</Location>", "reverse",
     [{"internal": "http://h/b", "public": "/a"}]),
    ("ProxyPassReverseCookiePath /in /out", "reverse", [{"kind": "cookie_path", "internal": "/in", "public": "/out"}]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "table", "found"), IN)
def test_directives_become_rows(tmp_path: Path, text: str, table: str, found: list[dict[str, Any]]) -> None:
    assert rows_of(tmp_path, text, table) == found


OUT = [
    ('[[routes]]\npath = "/a"\nproxy = "http://h/b"', "ProxyPassReverse /a http://h/b"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "lines"), OUT)
def test_rows_become_directives(text: str, lines: str, tmp_path: Path) -> None:
    made, losses = exported(text, tmp_path)
    assert lines in made
    assert losses == []
