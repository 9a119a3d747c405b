"""Users of sections come in as tables of [auth]."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apache.conversions import PROXIED, imported, site_of


def test_who_asks_for_a_password_is_said_in_sections_within_each_other(tmp_path: Path) -> None:
    outer = "<Location />\nAuthType Basic\nAuthName Staff\nAuthUserFile users\n</Location>"
    inner = "<Location /a>\nAuthUserFile others\nRequire valid-user\n</Location>"
    site = site_of(tmp_path, f"Listen 1\n{PROXIED}{outer}\n{inner}")
    assert site["auth"] == {
        "staff": {"realm": "Staff", "file": "users"},
        "staff-2": {"realm": "Staff", "file": "others"},
    }


ASKS = "AuthType Basic\nAuthUserFile users\nRequire valid-user\n"
KINDS = [
    ("<Directory www>\nAuthName A\n%s</Directory>\n<Location /x>\nAuthName B\n</Location>", ["AuthName B"]),
    ("<Directory www>\n<Files x>\nAuthName B\n</Files>\nAuthName A\n%s</Directory>", ["AuthName B"]),
    ("<Directory www/x>\nAuthName B\n</Directory>\n"
     "<VirtualHost *:1>\n<Directory www>\nAuthName A\n%s</Directory>\n</VirtualHost>", ["AuthName B"]),
    ("<Directory www/x>\nAuthName B\n</Directory>\n<Directory www>\nAuthName A\n%s</Directory>", []),
    ("<Directory www>\nAuthName A\n%s</Directory>\n<Location /x>\nAuthName B\n%s</Location>", []),
    ("<Directory www>\nAuthName A\n%s</Directory>\n<Location /x>\nAuthType None\nRequire all granted\n</Location>", []),
]  # fmt: skip


@pytest.mark.parametrize(("sections", "lost"), KINDS)
def test_users_that_sections_of_several_kinds_say_together_are_told(
    tmp_path: Path, sections: str, lost: list[str]
) -> None:
    found = imported(tmp_path, f"Listen 1\nDocumentRoot www\n{sections.replace('%s', ASKS)}\n")
    assert [each.text for each in found.report.losses] == lost
    assert all("AuthType Basic" in each.why for each in found.report.losses)


def test_the_report_has_the_order_of_the_file(tmp_path: Path) -> None:
    inner, outer = ("<Directory www/x>\nAuthName B\n</Directory>", "<Directory www>\nAuthName A\n</Directory>")
    host = "<VirtualHost *:1>\nServerName a.test\n</VirtualHost>"
    found = imported(tmp_path, f"Listen 1\nDocumentRoot www\n{host}\n{inner}\n{outer}\n")
    lines = [each.line for each in found.report.entries]
    assert lines == sorted(lines)
