"""Options of the site come in and go out, or are told of."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.apache.conversions import imported, site_of

LOST = [
    ('[[bans]]\nid = "x"\nnetwork = "192.0.2.1"', "bans"),
]  # fmt: skip

SINGLE = [
    ("ProxyPass / http://h/ connectiontimeout=3", "site", {"connect_timeout": 3}),
    ("HeartbeatListen 239.0.0.1:27999", "heartbeat", {"address": "239.0.0.1:27999"}),
]


@pytest.mark.parametrize(("text", "table", "found"), SINGLE)
def test_directives_become_settings(tmp_path: Path, text: str, table: str, found: dict[str, Any]) -> None:
    site = site_of(tmp_path, "Listen 1\nProxyPass /z http://z/\n" + text)
    assert {key: site[table].get(key) for key in found} == found
    assert imported(tmp_path, "Listen 1\n" + text).report.losses == []


def test_of_several_spans_for_connecting_the_longest_holds(tmp_path: Path) -> None:
    text = "Listen 1\nProxyPass /a http://h/ connectiontimeout=3\nProxyPass /b http://h/ connectiontimeout=500ms"
    found = imported(tmp_path, text)
    assert tomllib.loads(found.text)["site"]["connect_timeout"] == 3
    assert [loss.line for loss in found.report.losses] == [3]
