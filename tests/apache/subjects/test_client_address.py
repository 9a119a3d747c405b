"""Who is believed to name the client goes out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apache.conversions import exported

OUT = [
    ('[site]\nclient_header = "X-Forwarded-For"\ntrusted_proxies = ["10.0.0.0/8"]',
     "RemoteIPHeader X-Forwarded-For\nRemoteIPTrustedProxy 10.0.0.0/8"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "lines"), OUT)
def test_rows_become_directives(text: str, lines: str, tmp_path: Path) -> None:
    made, losses = exported(text, tmp_path)
    assert lines in made
    assert losses == []
