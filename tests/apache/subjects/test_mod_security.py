"""Rules of ModSecurity that set variables come in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.apache.conversions import PROXIED, imported, rows_of

IN: list[tuple[str, str, list[dict[str, Any]]]] = [
    ("SecRule REQUEST_HEADERS:User-Agent \"@pm curl wget\" \"id:1,phase:1,pass,setenv:BOT=1\"", "env",
     [{"name": "BOT", "from": "%{HTTP:User-Agent}", "capture": "(?i)(curl|wget)", "value": "1"}]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "table", "found"), IN)
def test_directives_become_rows(tmp_path: Path, text: str, table: str, found: list[dict[str, Any]]) -> None:
    assert rows_of(tmp_path, text, table) == found


def test_a_lost_rule_that_keeps_requests_out_is_told_as_one(tmp_path: Path) -> None:
    found = imported(tmp_path, f'Listen 1\n{PROXIED}SecRule ARGS "@detectSQLi" "id:1,phase:2,deny,status:403"\n')
    (loss,) = found.report.losses
    assert "keeps out, nothing keeps out here" in loss.why
