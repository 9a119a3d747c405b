"""Order, Allow, Deny and <Limit> become words of Require."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.apache.conversions import PROXIED, imported, site_of

OLD = [
    ("Order deny,allow\nDeny from all", ["all denied"]),
    ("Order deny,allow\nDeny from all\nAllow from 10.0 192.168.0.0/16", ["ip 10.0", "ip 192.168.0.0/16"]),
    ("Order allow,deny\nAllow from all", ["all granted"]),
    ("Order allow,deny", ["all denied"]),
    ("Order deny,allow\nDeny from env=bad", ["access x"]),
    ("Order allow,deny\nAllow from env=good", ["env good"]),
    ("Deny from all\nAllow from 10\nSatisfy any\nAuthType Basic\nAuthUserFile u\nRequire valid-user",
     ["ip 10", "valid-user"]),
    ("<Limit POST>\nRequire ip 10\n</Limit>", ["access x", "access x-2"]),
]  # fmt: skip


@pytest.mark.parametrize(("inside", "conditions"), OLD)
def test_access_of_httpd_2_2_is_put_into_the_words_of_require(
    tmp_path: Path, inside: str, conditions: list[str]
) -> None:
    site = site_of(tmp_path, f"Listen 1\n{PROXIED}<Location /y>\nRequire ip 1\nOrder allow,deny\nAllow from all\n"
                   f"</Location>\n<Location /x>\n{inside}\n</Location>")  # fmt: skip
    assert site["locations"][-1]["require"] == conditions


def test_require_and_order_in_sections_within_each_other_close_the_inner_one(tmp_path: Path) -> None:
    inner = "<Location /a/b>\nOrder allow,deny\nAllow from all\n</Location>"
    found = imported(tmp_path, f"Listen 1\n{PROXIED}<Location /a>\nRequire ip 10\n</Location>\n{inner}")
    assert tomllib.loads(found.text)["locations"][1]["require"] == ["all denied"]
    assert [loss.directive for loss in found.report.losses] == ["Order", "Allow"]
