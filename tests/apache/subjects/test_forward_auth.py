"""What modules know of users is closed, and the report names the remedy; what services guard is closed in Apache."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy_core.apache.report import spelled
from tests.apache.conversions import PROXIED, exported, imported, site_of

MODULES = [
    "AuthType Basic\nAuthBasicProvider ldap\nAuthLDAPURL ldap://x/dc=x?uid\nRequire ldap-group cn=a",
    "AuthType openid-connect\nRequire claim groups:staff",
    "AuthType auth-openidc\nOIDCClientID x\nRequire valid-user",
    "AuthType Mellon\nMellonEnable auth\nRequire valid-user",
    "AuthType CAS\nCASScope /\nRequire cas-attribute a:b",
    "AuthType GSSAPI\nGssapiCredStore keytab:/x\nRequire valid-user",
    "AuthType Kerberos\nKrb5Keytab /x\nRequire valid-user",
    "AuthType shibboleth\nShibRequestSetting requireSession 1\nRequire shib-session",
]


@pytest.mark.parametrize("inside", MODULES)
def test_the_report_names_the_remedy_and_nobody_is_let_in(inside: str, tmp_path: Path) -> None:
    text = f"Listen 1\n{PROXIED}<Location /x>\n{inside}\n</Location>\n"
    report = imported(tmp_path, text).report
    for loss in report.losses:
        if loss.directive != "AuthUserFile":
            assert "forward_auth of the location" in loss.why, loss
    assert report.losses
    assert "forward_auth" in spelled(report)
    for row in site_of(tmp_path, text)["locations"]:  # one more where nothing after it may open the place again
        assert row["path"] == "/x"
        assert set(row["require"]) - {"valid-user"} <= {"all denied"}
        assert "auth" not in row


def test_another_directive_that_is_lost_has_no_such_remedy(tmp_path: Path) -> None:
    (loss,) = imported(tmp_path, f"Listen 1\n{PROXIED}Unheard of\n").report.losses
    assert loss.why == "there is nothing like it here"


SSO = """
version = 1
[listeners.http]
address = "127.0.0.1:8080"
[forward_auth.sso]
url = "http://127.0.0.1:9091/"
[[routes]]
path = "/"
proxy = "http://one/"
[[locations]]
id = "app"
path = "/app"
forward_auth = "sso"
"""
LAID: list[tuple[str, bool]] = [
    ('path = "/app/x"\nrequire = ["ip 10"]', True),
    ('path = "/"\nrequire = ["ip 10"]', True),
    ('path_regex = "x"\nrequire = ["ip 10"]', True),
    ('path = "/other"\nrequire = ["ip 10"]', False),
    ('path = "/app/login"\nforward_auth = "off"\nrequire = ["ip 10"]', False),
    ('target = "http://one/"\nrequire = ["ip 10"]', False),
    ('path = "/app/x"\ntimeout = 9', False),
]


@pytest.mark.parametrize(("row", "closed"), LAID)
def test_what_is_laid_over_a_closed_place_opens_nothing(row: str, closed: bool, tmp_path: Path) -> None:
    text, losses = exported(f'{SSO}[[locations]]\nid = "laid"\n{row}\n', tmp_path)
    assert "locations.app.forward_auth: Apache asks no service first, so nobody is let in there" in losses
    assert text.count("Require all denied") == 1 + closed
    assert any(loss.startswith("locations.laid.require: ") for loss in losses) == closed
