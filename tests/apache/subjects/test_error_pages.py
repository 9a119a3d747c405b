"""Pages for errors come in and go out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.apache.conversions import exported, rows_of, site_of

IN: list[tuple[str, str, list[dict[str, Any]]]] = [
    ("<Location /a>\nProxyErrorOverride On 502\n</Location>", "locations",
     [{"id": "a", "path": "/a", "error_override": True, "override_codes": ["502"]}]),
    ("ErrorDocument 404 default", "errors", [{"status": ["404"], "builtin": True}]),
    ("ErrorDocument 404 \"not here\"", "errors", [{"status": ["404"], "text": "not here"}]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "table", "found"), IN)
def test_directives_become_rows(tmp_path: Path, text: str, table: str, found: list[dict[str, Any]]) -> None:
    assert rows_of(tmp_path, text, table) == found


OUT = [
    ('[[errors]]\nstatus = ["404"]\npath = "/missing.html"', "ErrorDocument 404 /missing.html"),
    ('[[errors]]\nstatus = ["404"]\nbuiltin = true', "ErrorDocument 404 default"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "lines"), OUT)
def test_rows_become_directives(text: str, lines: str, tmp_path: Path) -> None:
    made, losses = exported(text, tmp_path)
    assert lines in made
    assert losses == []


LOST = [
    ('[[errors]]\nid = "e"\nstatus = ["404"]\nfile = "x.html"', "errors.e.file"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "address"), LOST)
def test_what_apache_cannot_say_is_told(text: str, address: str, tmp_path: Path) -> None:
    _, losses = exported(text, tmp_path)
    assert [loss.partition(":")[0] for loss in losses] == [address]


def test_a_page_with_a_local_path_is_asked_for_there(tmp_path: Path) -> None:
    text = f"Listen 1\nDocumentRoot {tmp_path}\nErrorDocument 503 /sorry.html\n"
    assert site_of(tmp_path, text)["errors"] == [{"status": ["503"], "path": "/sorry.html"}]
