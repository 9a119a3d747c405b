"""Sections about files come in as far as folders are served."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from proxy_core.apache import served_files
from tests.apache.conversions import imported, site_of

SERVED = "DocumentRoot {0}/www\nAlias /al {0}/files\n"

OF_FILES: list[tuple[str, str, list[dict[str, Any]]]] = [
    ("<Directory />\nRequire all denied\n</Directory>\n<Directory {0}>\nRequire all granted\n</Directory>",
     "locations", []),
    ("<Directory />\nRequire all denied\n</Directory>\n<Directory {0}/www>\nRequire ip 10\n</Directory>", "locations",
     [{"folder": "/", "require": ["all denied"]}, {"folder": "www", "require": ["ip 10"]}]),
    ("<Directory {0}/www/s>\nRequire ip 10\nOptions None\n</Directory>", "locations",
     [{"folder": "www/s", "require": ["ip 10"], "follow_links": "none"}]),
    ("<Directory /elsewhere>\nRequire ip 10\n</Directory>", "locations", []),
    ("<Files \"*.b?k\">\nRequire all denied\n</Files>", "locations",
     [{"files": "^.*\\.b.k$", "require": ["all denied"]}]),
    ("<Directory {0}/www>\n<FilesMatch \\.js$>\nHeader set A b\n</FilesMatch>\n</Directory>", "locations",
     [{"folder": "www", "files": "\\.js$"}]),
    ("<FilesMatch ^\\.ht>\nRequire all denied\n</FilesMatch>", "locations", []),
    ("<Directory {0}/www/s>\nRewriteEngine On\nRewriteRule ^a$ b [L]\nRewriteRule ^c$ /d\n</Directory>", "rewrites",
     [{"pattern": "^a$", "substitution": "/s/b", "flags": ["L"]}, {"pattern": "^c$", "substitution": "/d"}]),
    ("<Directory {0}/files>\nRewriteEngine On\nRewriteRule ^a$ b\n</Directory>", "rewrites",
     [{"pattern": "^a$", "substitution": "/al/b"}]),
    ("<Directory {0}/www>\nRewriteEngine On\nRewriteBase /x/\nRewriteRule ^a$ b\n</Directory>", "rewrites",
     [{"pattern": "^a$", "substitution": "/x/b"}]),
    ("<Directory {0}/www>\nRewriteRule ^a$ b\n</Directory>", "rewrites", []),
    ("<Location /a>\nRewriteEngine On\nRewriteCond %{{HTTPS}} off\nRewriteRule ^ https://h/ [R]\n</Location>",
     "rewrites", [{"pattern": "^", "substitution": "https://h/", "flags": ["R"],
                   "conditions": [{"test": "%{HTTPS}", "pattern": "off"}]}]),
    ("<Location /a>\nRewriteEngine On\nRewriteRule x - [F]\n</Location>\n"
     "<Location /a/b>\nRewriteEngine Off\n</Location>", "rewrites",
     [{"pattern": "x", "substitution": "-", "flags": ["F"]}, {"pattern": "^", "substitution": "-"}]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "table", "found"), OF_FILES)
def test_sections_about_files_and_their_rules(
    tmp_path: Path, text: str, table: str, found: list[dict[str, Any]]
) -> None:
    rows = site_of(tmp_path, "Listen 1\n" + (SERVED + text).format(tmp_path)).get(table, [])
    assert [{key: value for key, value in row.items() if key not in ("location", "id")} for row in rows] == found


CLOSES = [
    ("<FilesMatch \\.php$>\nSetHandler proxy:fcgi://localhost\n</FilesMatch>", {"files": "\\.php$"}),
    ("AddHandler cgi-script .cgi .pl", {"files": "(?i)\\.(?:cgi|pl)(?:\\.|$)"}),
    ("AddType application/x-httpd-php .php", {"files": "(?i)\\.(?:php)(?:\\.|$)"}),
    ("AddHandler my-own .x\nAction my-own /cgi-bin/x", {"files": "(?i)\\.(?:x)(?:\\.|$)"}),
    ("VirtualDocumentRoot /srv/%0", {"folder": "/"}),
    ("<Location /a>\nSetHandler my-own\n</Location>", {"folder": "/", "expr": "%{REQUEST_URI} =~ m#^/+a(?:/+|$)#"}),
    ("<Location /a>\n<Files x>\nDeny from all\n</Files>\n</Location>", {"path": "/a"}),
    ("<Location /a>\n<Unheard of>\nRequire valid-user\n</Unheard>\n</Location>", {"path": "/a"}),
    ("<Files a.sql>\nRedirect http://h/%{QUERY_STRING}\n</Files>", {"files": "^a\\.sql$"}),
    ("<DirectoryMatch ^/w>\nSetHandler my-own\n</DirectoryMatch>", {"folder_regex": "^/w"}),
    ("AddOutputFilter INCLUDES;DEFLATE .shtml", {"files": "(?i)\\.(?:shtml)(?:\\.|$)"}),
    ("<Location /a>\nMellonEnable auth\n</Location>", {"path": "/a"}),
    ("<Location /a>\nLuaHookAccessChecker x.lua f\n</Location>", {"path": "/a"}),
    ("<Directory {0}/www>\nAllowOverride All\n</Directory>", {"folder": "www"}),
]


@pytest.mark.parametrize(("text", "where"), CLOSES)
def test_nobody_reads_a_program_or_what_a_lost_section_guarded(
    tmp_path: Path, text: str, where: dict[str, str]
) -> None:
    (tmp_path / "www").mkdir()
    if "AllowOverride" in text:
        (tmp_path / "www" / ".htaccess").write_text("<Files x>")
    found = imported(tmp_path, "Listen 1\n" + SERVED.format(tmp_path) + text.replace("{0}", str(tmp_path)))
    (row,) = tomllib.loads(found.text)["locations"]
    closed = {**where, "final": True, "require": ["all denied"]}
    assert {key: value for key, value in row.items() if key != "id"} == closed
    assert found.report.losses


def test_links_that_lead_out_of_a_folder_are_told(tmp_path: Path) -> None:
    (tmp_path / "www" / "below").mkdir(parents=True)
    (tmp_path / "www" / "below" / "inside").symlink_to(tmp_path / "www")
    assert not imported(tmp_path, "Listen 1\n" + SERVED.format(tmp_path)).report.losses
    (tmp_path / "www" / "below" / "outside").symlink_to(tmp_path)
    (loss,) = imported(tmp_path, "Listen 1\n" + SERVED.format(tmp_path)).report.losses
    assert loss.directive == "DocumentRoot"
    assert f"{tmp_path}/www/below/outside" in loss.why


def test_no_more_files_are_looked_at_than_there_is_time_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served_files, "MOST", 2)
    (tmp_path / "www").mkdir()
    for name in "abc":
        (tmp_path / "www" / name).touch()
    text = "Listen 1\n" + SERVED.format(tmp_path) + f"<Directory {tmp_path}>\nAllowOverride All\n</Directory>\n"
    assert [each.directive for each in imported(tmp_path, text).report.losses] == ["AllowOverride"]
