"""Secrets of a configuration are in the rows that need them, and in nothing that people are told of an import."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy_core.apache.importer import import_file
from proxy_core.apache.report import as_json, spelled

HEAD = "Listen 127.0.0.1:8080\nProxyPass / http://127.0.0.1:1/\n"
SECRETS = [
    "AuthLDAPBindPassword hunter2",
    "OIDCClientSecret hunter2",
    "OIDCCryptoPassphrase hunter2",
    "SessionCryptoPassphrase hunter2",
    "SomeApiKey hunter2",
    "AuthDBDUserToken hunter2 more",
    'DBDriver nobody\nDBDParams "host=a password=hunter2 user=u"\nRewriteEngine On\nRewriteMap m "dbd:SELECT x"\n',
    'DBDriver pgsql\nDBDParams "host=a pass=hunter2"\nRewriteEngine On\nRewriteMap m "dbd:SELECT x"\n',
    'RequestHeader set Authorization "Basic hunter2"',
    "RequestHeader nonsense Authorization hunter2",
    "RequestHeader set Cookie session=hunter2",
    'Header set X-Api-Key "one two hunter2" env=(',
    "SetEnv API_TOKEN hunter2",
    "SetEnvIf X-Token ^hunter2( good",
    "ProxyPass /a http://user:hunter2@h/ secret=hunter2 nothing=1",
    "BalancerMember ajp://h secret=hunter2",
    "RewriteEngine On\nRewriteRule ^/x( http://u:hunter2@h/?token=hunter2 [P]",
    "RewriteEngine On\nRewriteRule ^/x - [E=API_TOKEN:hunter2,ZZ]",
    "RewriteEngine On\nRewriteCond %{HTTP:X-Token} !^hunter2( \nRewriteRule ^ - [F]",
    "<Location /x>\nRequire expr %{HTTP:Authorization} == 'hunter2' &&\n</Location>",
    "<Nobody http://u:hunter2@h/>\nFrobnicate on\n</Nobody>",
    "Define PASSWORD hunter2\nFrobnicate ${PASSWORD}",
    "Define PASSWORD hunter2\nRewriteEngine On\nRewriteRule ^/(${PASSWORD} /y",
    "Define API_SECRET hunter2\nError what ${API_SECRET}",
    "<Macro M $password $host>\nFrobnicate $host\n</Macro>\nUse M hunter2 a\nUse M $password",
    "Error password=hunter2",
    'Frobnicate "|/usr/bin/send --api-token hunter2 --to a"',
    "Frobnicate --password  'one hunter2'",
    "Include http://u:hunter2@nowhere",
    "<IfVersion ~ (password=hunter2>\n</IfVersion>",
]  # fmt: skip


@pytest.mark.parametrize("text", SECRETS)
def test_no_secret_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "httpd.conf").write_text(f"{HEAD}{text}\n")
    made = import_file(tmp_path / "httpd.conf", {}, True)
    comments = [line for line in made.text.split("\n") if line.startswith("#")]
    told = "\n".join([*comments, spelled(made.report), as_json(made.report)])
    assert "hunter2" not in told
    assert "(masked)" in told


PLAIN = [
    "ServerTokens Prod",
    'Header set Access-Control-Allow-Credentials "true"',
    "ProxyPassReverse / http://127.0.0.1:1/",
    "PassEnv HOME",
    "SSLCertificateKeyFile /etc/ssl/private.key",
    "SSLPassPhraseDialog builtin",
    "ProxyPass /token http://127.0.0.1:1/token",
    'RequestHeader set X-Forwarded-Proto "https"',
    "KeepAlive On",
    "Header edit Set-Cookie (.*) $1;Secure",
    "RewriteCond %{QUERY_STRING} ^a=b",
    "LoadModule auth_basic_module modules/mod_auth_basic.so",
]


@pytest.mark.parametrize("text", PLAIN)
def test_what_is_no_secret_is_shown(tmp_path: Path, text: str) -> None:
    (tmp_path / "httpd.conf").write_text(f"{HEAD}{text}\n")
    entries = import_file(tmp_path / "httpd.conf", {}, True).report.entries
    assert text in [each.text for each in entries]


def test_the_rows_keep_what_they_need(tmp_path: Path) -> None:
    (tmp_path / "httpd.conf").write_text(f'{HEAD}RequestHeader set Authorization "Basic hunter2"\n')
    assert 'value = "Basic hunter2"' in import_file(tmp_path / "httpd.conf", {}, True).text
