"""What goes by something that is lost is closed, and told."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.apache.conversions import PROXIED, imported

GUARDED = "<Location /a>\nOrder allow,deny\nAllow from all\nDeny from env=bad\n</Location>\n"
LOST = [
    "MaxMindDBEnv COUNTRY db/country/iso_code\nSetEnvIf COUNTRY ^XX$ bad\n",
    "GeoIPEnable On\nSetEnvIf GEOIP_COUNTRY_CODE XX bad\n",
    'SecRule REQUEST_HEADERS:User-Agent "@detectSQLi" "id:1,pass,setenv:bad=1"\n',
    "SetEnvIf User-Agent ((x bad\n",
    "SetEnvIf User-Agent ((x first\nSetEnvIfExpr \"reqenv('first') == '1'\" bad\n",
]


@pytest.mark.parametrize("text", LOST)
def test_whom_a_lost_variable_kept_out_is_not_let_in(tmp_path: Path, text: str) -> None:
    found = imported(tmp_path, f"Listen 1\n{PROXIED}{text}{GUARDED}")
    closed = tomllib.loads(found.text)["locations"][-1]
    assert (closed["path"], closed["final"], closed["require"]) == ("/a", True, ["all denied"])
    assert "Deny from env=bad" in [loss.text for loss in found.report.losses]


def test_a_pattern_for_folders_is_closed_and_no_more(tmp_path: Path) -> None:
    guarded = GUARDED.replace("<Location /a>", '<DirectoryMatch "^/srv/a">').replace("Location", "DirectoryMatch")
    found = imported(tmp_path, f"Listen 1\nDocumentRoot /srv\n{LOST[0]}{guarded}")
    closed = tomllib.loads(found.text)["locations"][-1]
    assert (closed["folder_regex"], closed["final"]) == ("^/srv/a", True)


def test_a_rule_that_goes_by_a_lost_variable_answers_503(tmp_path: Path) -> None:
    rules = "RewriteEngine On\nRewriteCond %{ENV:COUNTRY} XX\nRewriteRule ^/a - [F]\nRewriteRule ^/b - [F]\n"
    found = imported(tmp_path, f"Listen 1\n{PROXIED}MaxMindDBEnv COUNTRY db/country/iso_code\n{rules}")
    rows = tomllib.loads(found.text)["rewrites"]
    assert [(row["pattern"], row["flags"]) for row in rows] == [("^/a", ["R=503"]), ("^/b", ["F"])]


def test_a_rule_that_goes_by_the_name_of_an_address_answers_503_where_httpd_looks_it_up(tmp_path: Path) -> None:
    rules = "RewriteEngine On\nRewriteCond %{REMOTE_HOST} \\.example$\nRewriteRule ^/a - [F]\n"
    for lookups, flag in (("On", "R=503"), ("Off", "F")):
        found = imported(tmp_path, f"Listen 1\n{PROXIED}HostnameLookups {lookups}\n{rules}")
        assert [row["flags"] for row in tomllib.loads(found.text)["rewrites"]] == [[flag]]


def test_what_does_not_go_by_it_is_left_alone(tmp_path: Path) -> None:
    found = imported(tmp_path, f"Listen 1\n{PROXIED}MaxMindDBEnv COUNTRY db/country/iso_code\n{GUARDED}")
    assert [loss.directive for loss in found.report.losses] == ["MaxMindDBEnv"]


def test_a_lost_rule_of_a_firewall_that_keeps_requests_out_is_told_as_one(tmp_path: Path) -> None:
    found = imported(tmp_path, f'Listen 1\n{PROXIED}SecRule ARGS "@detectSQLi" "id:1,phase:2,deny,status:403"\n')
    (loss,) = found.report.losses
    assert "keeps out, nothing keeps out here" in loss.why
