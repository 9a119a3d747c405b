"""What httpd says of connections by host is a listener's."""

from __future__ import annotations

from pathlib import Path

from tests.apache.conversions import PROXIED, imported, site_of


def test_a_proxy_header_is_asked_of_those_who_are_believed_and_of_nobody_else(tmp_path: Path) -> None:
    text = "Listen 1\nListen 2\n<VirtualHost *:2>\nServerName a\nRemoteIPProxyProtocol On\n</VirtualHost>\n" + PROXIED
    believed = site_of(tmp_path, text + "RemoteIPInternalProxy 10.0.0.0/8\n")
    assert "proxy_protocol" not in believed["listeners"]["http"]
    assert believed["listeners"]["http-2"]["proxy_protocol"] is True
    assert believed["site"]["internal_proxies"] == ["10.0.0.0/8"]
    assert "proxy_protocol" not in site_of(tmp_path, text)["listeners"]["http-2"]
    assert "nobody is believed" in {loss.line: loss.why for loss in imported(tmp_path, text).report.losses}[5]
