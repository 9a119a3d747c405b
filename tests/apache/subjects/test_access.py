"""Who may: conditions come in, and close what they guard when they are lost; they go out as Require."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.apache.conversions import PROXIED, exported, imported, site_of

IN: list[tuple[str, str, list[dict[str, Any]]]] = [
    ("<If \"%{HTTP:A} == 'b'\">\nHeader set X y\n</If>\n<ElseIf \"true\">\nRequire ip 10\n</ElseIf>", "locations",
     [{"id": "root", "path": "/", "expr": "%{HTTP:A} == 'b'"},
      {"id": "root-2", "path": "/", "expr": "!(%{HTTP:A} == 'b') && (true)", "require": ["ip 10"]}]),
    ("<Location /a>\n<If \"true\">\nRequire all denied\n</If>\n</Location>", "locations",
     [{"id": "a", "path": "/a", "expr": "true", "require": ["all denied"]}]),
    ("<ProxyMatch ^http://10>\nRequire all denied\n</ProxyMatch>", "locations",
     [{"id": "http-10", "target_regex": "^http://10", "require": ["all denied"]}]),
    ("<Location /a>\nAuthMerging And\nRequire ip 10\n</Location>", "locations",
     [{"id": "a", "path": "/a", "require": ["ip 10"], "merging": "and"}]),
    ("<AuthzProviderAlias ip inside \"10.0.0.0/8\">\n</AuthzProviderAlias>\n"
     "<Location /a>\nRequire inside\n</Location>", "locations",
     [{"id": "a", "path": "/a", "require": ["ip 10.0.0.0/8"]}]),
    ("<Location /a>\nSSLRequireSSL\n</Location>\n<Location /a/b>\nRequire ip 10\n</Location>", "locations",
     [{"id": "a-b", "path": "/a/b", "require": ["ip 10"]},
      {"id": "needed", "path": "/a", "expr": "%{HTTPS} != 'on'", "final": True, "require": ["all denied"]}]),
]  # fmt: skip

OUT = [
    ('[[locations]]\npath = "/in"\nrequire = ["access staff"]\n[access.staff]\nmatch = "all"\n'
     'require = ["ip 10", "not ip 10.1"]',
     "<Location /in>\n    <RequireAll>\n        Require ip 10\n        Require not ip 10.1\n    </RequireAll>\n"),
    ('[site]\ndeny = ["192.0.2.1"]',
     "<Location />\n    <RequireAll>\n        Require all granted\n        Require not ip 192.0.2.1\n"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("inside", "conditions"),
    [
        ("Require host example.org", ["host example.org"]),
        ("Order allow,deny\nAllow from 10 example.org", ["ip 10", "host example.org"]),
    ],
)
def test_names_of_clients_come_in(tmp_path: Path, inside: str, conditions: list[str]) -> None:
    site = site_of(tmp_path, f"Listen 1\n{PROXIED}<Location /a>\n{inside}\n</Location>")
    assert site["locations"][0]["require"] == conditions


@pytest.mark.parametrize(
    ("inside", "conditions"),
    [
        ("Require ldap-user me", ["all denied"]),
        ("Require ip 10\nRequire ldap-group x", ["ip 10", "all denied"]),
        ("Require expr %{nonsense", ["all denied"]),
        ("AuthType Digest\nRequire valid-user", ["all denied", "valid-user"]),
        ("Order backwards\nAllow from 10", ["ip 10"]),
    ],
)
def test_an_access_rule_that_is_lost_closes_what_it_guarded(tmp_path: Path, inside: str, conditions: list[str]) -> None:
    found = imported(tmp_path, f"Listen 1\n{PROXIED}<Location /secret>\n{inside}\n</Location>")
    (row,) = tomllib.loads(found.text)["locations"]
    assert (row["path"], row["require"]) == ("/secret", conditions)
    assert found.report.losses


def test_a_row_that_is_final_goes_out_as_what_no_require_takes_back(tmp_path: Path) -> None:
    rows = '[[locations]]\npath = "/a"\nfinal = true\nrequire = ["{}"]\n[site]\ndeny = ["192.0.2.1"]\n'
    out, losses = exported(rows.format("all denied"), tmp_path)
    assert "<Location /a>\n    Deny from all\n</Location>" in out
    assert "access_compat_module" in out
    assert losses == []
    _, losses = exported(rows.format("ip 10"), tmp_path)
    assert [each.split(":")[0] for each in losses] == ["locations.a.final"]


def test_an_access_rule_outside_of_sections_closes_the_server(tmp_path: Path) -> None:
    found = imported(tmp_path, f"Listen 1\n{PROXIED}Require ip 10\n")
    assert tomllib.loads(found.text)["locations"] == [
        {"id": "closed", "path": "/", "require": ["all denied"], "final": True}
    ]
    assert found.report.losses


def test_groups_of_conditions_become_tables(tmp_path: Path) -> None:
    inside = "<RequireAll>\nRequire ip 10\nRequire not method POST\n</RequireAll>\nRequire local"
    site = site_of(tmp_path, f"Listen 1\n{PROXIED}<Location /a>\n{inside}\n</Location>")
    assert site["locations"][0]["require"] == ["access a", "local"]
    assert site["access"] == {"a": {"match": "all", "require": ["ip 10", "not method POST"]}}


def test_conditions_that_keep_nobody_out_are_left_out(tmp_path: Path) -> None:
    site = site_of(tmp_path, f"Listen 1\n{PROXIED}<Location /a>\nRequire all granted\n</Location>")
    assert "locations" not in site


def test_a_condition_that_is_lost_closes_for_everybody(tmp_path: Path) -> None:
    found = imported(tmp_path, f"Listen 1\n{PROXIED}<If \"ldap('x') == 'y'\">\nRequire all denied\n</If>")
    (row,) = tomllib.loads(found.text)["locations"]
    assert row == {"id": "root", "path": "/", "final": True, "require": ["all denied"]}
