"""Pages for errors come in and go out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.apache.conversions import site_of

IN: list[tuple[str, str, list[dict[str, Any]]]] = [
    ("<Location /a>\nProxyErrorOverride On 502\n</Location>", "locations",
     [{"id": "a", "path": "/a", "error_override": True, "override_codes": ["502"]}]),
    ("ErrorDocument 404 default", "errors", [{"status": ["404"], "builtin": True}]),
    ("ErrorDocument 404 \"not here\"", "errors", [{"status": ["404"], "text": "not here"}]),
]  # fmt: skip

OUT = [
    ('[[errors]]\nstatus = ["404"]\npath = "/missing.html"', "ErrorDocument 404 /missing.html"),
    ('[[errors]]\nstatus = ["404"]\nbuiltin = true', "ErrorDocument 404 default"),
]  # fmt: skip

LOST = [
    ('[[errors]]\nid = "e"\nstatus = ["404"]\nfile = "x.html"', "errors.e.file"),
]  # fmt: skip


def test_a_page_with_a_local_path_is_asked_for_there(tmp_path: Path) -> None:
    text = f"Listen 1\nDocumentRoot {tmp_path}\nErrorDocument 503 /sorry.html\n"
    assert site_of(tmp_path, text)["errors"] == [{"status": ["503"], "path": "/sorry.html"}]
