"""Virtual hosts belong to the listeners that lead to them."""

from __future__ import annotations

from pathlib import Path

from tests.apache.conversions import site_of


def test_hosts_belong_to_the_listeners_that_lead_to_them(tmp_path: Path) -> None:
    host = "<VirtualHost {}>\nServerName {}.test\nProxyPass / http://{}/\n</VirtualHost>\n"
    hosts = (("*:1", "a", "a"), ("*:2 *:1", "b", "b"), ("*:3", "c", "c"), ("*", "d", "d"))
    site = site_of(tmp_path, "Listen 1\nListen 127.0.0.1:2\n" + "".join(host.format(*each) for each in hosts))
    assert {name: row.get("listeners") for name, row in site["hosts"].items()} == {"a": ["http"], "b": None, "d": None}
