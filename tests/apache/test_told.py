"""What an import cannot have answered as httpd does is told of the directive that says it, and of no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apache.conversions import PROXIED, imported, site_of

FILES = "DocumentRoot @/www\n"
LISTED = f"{FILES}<Directory @/www>\nOptions Indexes FollowSymLinks\n</Directory>\n"
IDS = "LoadModule unique_id_module mod_unique_id.so\n"
TOLD = [
    ("<Location /a>\nRequire user %{HTTP:X}\n</Location>", ["Require"]),
    ("<Location /a>\nRequire host %{HTTP:X}\n</Location>", ["Require"]),
    ("<Location /a>\nRequire forward-dns home.test\n</Location>", []),
    (f'{FILES}Header set X "expr=%{{HANDLER}}"', ["Header"]),
    (f"{FILES}Header set X y \"expr=%{{HANDLER}} == 'proxy-server'\"", []),
    ('Header set X "expr=%{HANDLER}"', []),
    (f"{LISTED}<Files index.html>\nRequire all denied\n</Files>", ["Options"]),
    (f"{LISTED}<Files secret.html>\nRequire all denied\n</Files>", []),
    (f"{LISTED}DirectoryIndex secret.html\n<Files secret.html>\nRequire all denied\n</Files>", ["Options"]),
    (f"{LISTED}<Location />\nRequire ip 10\n</Location>", []),
    (f"{FILES}<Directory @/www>\nOptions Indexes\n</Directory>", ["Options"]),
    (f"{IDS}RequestHeader set X %{{UNIQUE_ID}}e", ["RequestHeader"]),
    (f"{IDS}RequestHeader set X y", []),
    ("RequestHeader set X %{UNIQUE_ID}e", []),
    (f"{FILES}<FilesMatch ^(?<base>.*)>\nHeader set X %{{MATCH_BASE}}e\n</FilesMatch>", ["Header"]),
    (f"{FILES}<DirectoryMatch ^/(?<top>.*)>\nHeader set X %{{MATCH_TOP}}e\n</DirectoryMatch>", ["Header"]),
    ("<LocationMatch ^/(?<top>.*)>\nHeader set X %{MATCH_TOP}e\n</LocationMatch>", []),
    ('ErrorDocument 404 "no %{REQUEST_URI}"', ["ErrorDocument"]),
    ("SetEnv A b\n<Location /a>\nUnsetEnv A\n</Location>", ["UnsetEnv"]),
    ("SetEnv A b\n<Location /a>\nUnsetEnv B\n</Location>", []),
    (f"{FILES}<Directory @/www>\nForceType a/b\n</Directory>\n<Directory @/www/x>\nForceType none\n</Directory>",
     ["ForceType"]),
    (f"{FILES}<Directory @/www/x>\nForceType none\n</Directory>", []),
    ("<Location /a>\nAlias @/www\n</Location>", ["Alias"]),
    ("<Location /a>\nAlias @/www/index.html\n</Location>", []),
    ("<Proxy balancer://b>\nBalancerMember http://one\n</Proxy>\n<VirtualHost *:1>\nServerName b.test\n"
     "<Proxy balancer://b>\nBalancerMember http://two\n</Proxy>\n</VirtualHost>", ["BalancerMember"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "told"), TOLD)
def test_what_differs_is_told_where_it_is_said(tmp_path: Path, text: str, told: list[str]) -> None:
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "index.html").symlink_to("other.html")
    made = imported(tmp_path, f"Listen 1\n{PROXIED}{text}".replace("@", str(tmp_path)))
    assert [loss.directive for loss in made.report.losses] == told


def test_who_is_to_be_known_and_cannot_show_it_is_let_in_nowhere(tmp_path: Path) -> None:
    text = (
        "<Location />\nAuthType Basic\nAuthName a\nAuthUserFile users\nRequire valid-user\n</Location>\n"
        "<Location /a>\nAuthType None\n</Location>\n"
    )
    assert {"id": "closed", "path": "/a", "final": True, "require": ["all denied"]} in site_of(
        tmp_path, f"Listen 1\n{PROXIED}{text}"
    )["locations"]


def test_a_host_without_a_name_is_called_what_the_server_is(tmp_path: Path) -> None:
    text = "ServerName main.test\n<VirtualHost *:1>\nServerAlias one.test\n</VirtualHost>"
    assert site_of(tmp_path, f"Listen 1\n{text}")["hosts"]["one"]["names"] == ["main.test", "one.test"]


def test_what_rewriting_says_of_the_url_is_set_where_it_is_asked_for(tmp_path: Path) -> None:
    text = f"Listen 1\n{PROXIED}RewriteEngine On\nHeader set X %{{SCRIPT_URL}}e\n"
    assert site_of(tmp_path, text)["env"] == [{"name": "SCRIPT_URL", "from": "%{ENV:SCRIPT_URL}"}]
    assert "env" not in site_of(tmp_path, text.replace("SCRIPT_URL", "OTHER"))


WHOLE = "Redirect http://n/\n"
GUARDED = "Require all denied\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"<Location /a>\n{WHOLE}{GUARDED}</Location>", 1),
        (f"<Location /a>\n{WHOLE}AllowMethods POST\n</Location>", 1),
        (f"<Location />\n{GUARDED}</Location>\n<Location /a>\n{WHOLE}</Location>", 1),
        (f"<Location /a>\n{WHOLE}</Location>\n<Location /a/b>\n{GUARDED}</Location>", 1),
        (f"<LocationMatch ^/a>\n{WHOLE}</LocationMatch>\n<Location /a/b>\n{GUARDED}</Location>", 1),
        (f"<Location /a>\n{WHOLE}</Location>\n<LocationMatch ^/a>\n{GUARDED}</LocationMatch>", 1),
        (f'<If "true">\n{WHOLE}{GUARDED}</If>', 1),
        (f"<Location /a>\n{WHOLE}</Location>\n<Location /b>\n{GUARDED}</Location>", 0),
        (f"<Location /a>\n{WHOLE}</Location>\n<LocationMatch ^/b>\n{GUARDED}</LocationMatch>", 0),
        (f"<Location /a>\n{WHOLE}Require all granted\n</Location>", 0),
        (f"<Location /a>\nRedirect /a http://n/\n{GUARDED}</Location>", 0),
        (f"<Location /a>\n{WHOLE}{GUARDED}</Location>\nProxyPass /a http://a/", 0),
        (f"<Location /a>\n{WHOLE}{GUARDED}</Location>\nProxyPass /a !\nProxyPass / http://a/", 1),
    ],
)
def test_a_redirect_that_httpd_has_before_access_is_told_where_somebody_is_kept_out(
    tmp_path: Path, text: str, told: int
) -> None:
    made = imported(tmp_path, f"Listen 1\n{text}\n")
    assert [loss.directive for loss in made.report.losses] == ["Redirect"] * told


def test_a_section_for_doubled_slashes_is_left_out_for_it_is_for_no_path(tmp_path: Path) -> None:
    text = "<Location //a>\nRequire all granted\n</Location>\n<Location //b>\nProxyPass http://b/\n</Location>\n"
    made = imported(tmp_path, f"Listen 1\n{text}")
    assert [entry.outcome for entry in made.report.entries[1:3]] == ["ignored", "ignored"]
    assert [loss.directive for loss in made.report.losses] == ["Location", "ProxyPass"]
    assert "locations" not in site_of(tmp_path, f"Listen 1\n{text}")
