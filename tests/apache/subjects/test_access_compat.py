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
    ("<Limit GET>\nOrder allow,deny\nAllow from 10\n</Limit>\nAllow from 11\nOrder allow,deny", ["access x"]),
    ("Satisfy Any\nRequire ip 10", ["all granted", "ip 10"]),
]  # fmt: skip


@pytest.mark.parametrize(("inside", "conditions"), OLD)
def test_access_of_httpd_2_2_is_put_into_the_words_of_require(
    tmp_path: Path, inside: str, conditions: list[str]
) -> None:
    site = site_of(tmp_path, f"Listen 1\n{PROXIED}<Location /y>\nRequire ip 1\nOrder allow,deny\nAllow from all\n"
                   f"</Location>\n<Location /x>\n{inside}\n</Location>")  # fmt: skip
    assert site["locations"][-1]["require"] == conditions


ALLOWS = "Order allow,deny\nAllow from all"
TOGETHER = [
    ("Require ip 10", ALLOWS, ["all granted"], "and", []),
    ("Order allow,deny\nAllow from 10", "Require ip 11", ["ip 11"], "and", []),
    ("Require ip 10\nDeny from 11", ALLOWS, ["all denied"], None, ["Order", "Allow"]),
    ("Require ip 10", f"Satisfy Any\n{ALLOWS}", ["all granted"], None, []),
    ("Require ip 10", "Satisfy Any\nAllow from 11\nDeny from all", ["all denied"], None, ["Satisfy", "Allow", "Deny"]),
]


@pytest.mark.parametrize(("outer", "inner", "require", "merging", "lost"), TOGETHER)
def test_require_and_order_in_sections_within_each_other_hold_both_or_close_the_inner_one(
    tmp_path: Path, outer: str, inner: str, require: list[str], merging: str | None, lost: list[str]
) -> None:
    sections = f"<Location /a>\n{outer}\n</Location>\n<Location /a/b>\n{inner}\n</Location>"
    found = imported(tmp_path, f"Listen 1\n{PROXIED}{sections}")
    row = tomllib.loads(found.text)["locations"][1]
    assert (row["require"], row.get("merging")) == (require, merging)
    assert [loss.directive for loss in found.report.losses] == lost


@pytest.mark.parametrize(("others", "final"), [("Require all granted", True), (ALLOWS, False)])
def test_what_is_denied_to_all_is_final_where_nothing_takes_it_back(tmp_path: Path, others: str, final: bool) -> None:
    sections = f"<Location /a>\nDeny from all\n</Location>\n<Location /a/b>\n{others}\n</Location>"
    row = site_of(tmp_path, f"Listen 1\n{PROXIED}{sections}")["locations"][0]
    assert (row["require"], row.get("final", False)) == (["all denied"], final)
