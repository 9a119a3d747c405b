"""What httpd refuses before any rule is told as lost, and kept out in another way."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.apache.conversions import imported

SECURE = (
    "Listen 1\n<VirtualHost *:1>\nServerName a\nSSLEngine on\nSSLCertificateFile /a.pem\nSSLCACertificateFile /ca.pem\n"
    "SSLVerifyClient {verify}\n{more}\nProxyPass / http://h/\n</VirtualHost>\n"
)


@pytest.mark.parametrize(
    ("verify", "more", "closed", "lost"),
    [
        ("require", "SSLCARevocationCheck chain", True, True),
        ("optional", "SSLCARevocationCheck leaf", True, True),
        ("none", "SSLCARevocationCheck chain", False, True),
        ("require", "SSLCARevocationCheck none", False, False),
        ("require", "SSLVerifyDepth 1", False, True),
        ("none", "SSLVerifyDepth 1", False, False),
    ],
)
def test_nobody_is_let_in_where_revoked_certificates_would_be(
    tmp_path: Path, verify: str, more: str, closed: bool, lost: bool
) -> None:
    found = imported(tmp_path, SECURE.format(verify=verify, more=more))
    rows = tomllib.loads(found.text).get("locations", [])
    assert [row["require"] for row in rows] == [["all denied"]] * closed
    assert [each.directive for each in found.report.losses] == [more.split()[0]] * lost


@pytest.mark.parametrize("words", ["DOTALL DOLLAR_ENDONLY", "+DOTALL"])
def test_what_is_so_anyway_is_ignored(tmp_path: Path, words: str) -> None:
    assert not imported(tmp_path, f"Listen 1\nRegexDefaultOptions {words}\n").report.losses
    assert not imported(tmp_path, "Listen 1\nStrictHostCheck Off\nHttpProtocolOptions Strict\n").report.losses
