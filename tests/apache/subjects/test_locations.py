"""Sections for paths, targets and expressions become rows of [[locations]]."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.apache.conversions import rows_of

IN: list[tuple[str, str, list[dict[str, Any]]]] = [
    ("<Proxy http://h/x*>\nProxySet timeout=9\n</Proxy>", "locations",
     [{"id": "http-h-x", "target": "http://h/x", "timeout": 9}]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "table", "found"), IN)
def test_directives_become_rows(tmp_path: Path, text: str, table: str, found: list[dict[str, Any]]) -> None:
    assert rows_of(tmp_path, text, table) == found
