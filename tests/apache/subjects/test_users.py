"""Users of sections come in as tables of [auth]."""

from __future__ import annotations

from pathlib import Path

from tests.apache.conversions import PROXIED, site_of


def test_who_asks_for_a_password_is_said_in_sections_within_each_other(tmp_path: Path) -> None:
    outer = "<Location />\nAuthType Basic\nAuthName Staff\nAuthUserFile users\n</Location>"
    inner = "<Location /a>\nAuthUserFile others\nRequire valid-user\n</Location>"
    site = site_of(tmp_path, f"Listen 1\n{PROXIED}{outer}\n{inner}")
    assert site["auth"] == {
        "staff": {"realm": "Staff", "file": "users"},
        "staff-2": {"realm": "Staff", "file": "others"},
    }
