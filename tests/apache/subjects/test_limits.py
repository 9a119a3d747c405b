"""Bounds come in and go out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.apache.conversions import PROXIED, imported, site_of

IN: list[tuple[str, str, list[dict[str, Any]]]] = [
    ("LimitRequestBody 9\n<Location /a>\nLimitRequestBody 0\n</Location>", "locations",
     [{"id": "a", "path": "/a", "max_body": 0}]),
]  # fmt: skip

LOST = [
    ("[limits]\nclient_rate = 5", "limits.client_rate"),
]  # fmt: skip


def test_bounds_of_the_first_host_of_an_address_are_its_listeners_and_those_of_others_are_lost(tmp_path: Path) -> None:
    """``ap_read_request`` keeps the limits of the connection's server, which no name has chosen yet."""
    hosts = "".join(
        f"<VirtualHost *:1>\nServerName {name}.test\nLimitRequestLine {bytes}\nKeepAliveTimeout 3\n</VirtualHost>\n"
        for name, bytes in (("a", 400), ("b", 300))
    )
    text = "Listen 1\nListen 2\nLimitRequestFields 50\n" + hosts + PROXIED
    site = site_of(tmp_path, text)
    assert site["limits"] == {"fields": 50}
    assert site["listeners"]["http"]["limits"] == {"request_line": 400, "idle_time": 3}
    assert "limits" not in site["listeners"]["http-2"]
    lost = {loss.line: loss.why for loss in imported(tmp_path, text).report.losses}
    assert sorted(lost) == [11, 12]
    assert "first host" in lost[11]
