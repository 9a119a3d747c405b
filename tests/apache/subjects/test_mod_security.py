"""Rules of ModSecurity that set variables come in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.apache.conversions import rows_of

IN: list[tuple[str, str, list[dict[str, Any]]]] = [
    ("SecRule REQUEST_HEADERS:User-Agent \"@pm curl wget\" \"id:1,phase:1,pass,setenv:BOT=1\"", "env",
     [{"name": "BOT", "from": "%{HTTP:User-Agent}", "capture": "(?i)(curl|wget)", "value": "1"}]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "table", "found"), IN)
def test_directives_become_rows(tmp_path: Path, text: str, table: str, found: list[dict[str, Any]]) -> None:
    assert rows_of(tmp_path, text, table) == found
