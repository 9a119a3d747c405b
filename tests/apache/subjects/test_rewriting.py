"""Rewrite rules come in and go out, and hosts inherit as in httpd."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.apache.conversions import exported, site_of

IN: list[tuple[str, str, list[dict[str, Any]]]] = [
    ("RewriteEngine On\nRewriteCond %{HTTP_HOST} ^a [NC]\nRewriteRule ^/x$ /y [R=301,L]", "rewrites",
     [{"pattern": "^/x$", "substitution": "/y", "flags": ["R=301", "L"],
       "conditions": [{"test": "%{HTTP_HOST}", "pattern": "^a", "flags": ["NC"]}]}]),
    ("RewriteRule ^/x$ /y [R]", "rewrites", []),
    ("RewriteEngine On\nRewriteCond %{HTTP:A} \"\"\nRewriteRule \"\" /x/${gone:$0|y} [PT]", "rewrites",
     [{"pattern": "^", "substitution": "/x/${gone:$0|y}", "flags": ["PT"],
       "conditions": [{"test": "%{HTTP:A}", "pattern": "^"}]}]),
]  # fmt: skip

OUT = [
    ("[[rewrites]]\npattern = '^/a/(.*)'\nsubstitution = '/$1'\nflags = ['L']\nfolder = '/srv/a'",
     "RewriteRule ^/a/(.*) /srv/a/$1 [L]"),
    ("[[rewrites]]\npattern = '^/a b'\nflags = ['F']\nconditions = [{ test = '%{HTTPS}', pattern = '!on' }]",
     "RewriteCond %{HTTPS} !on\nRewriteRule \"^/a b\" - [F]"),
]  # fmt: skip

INHERITS = [
    ("InheritDownBefore", "RewriteEngine On", None),
    ("InheritDown", "RewriteEngine On", "after"),
    ("InheritDown", "RewriteEngine On\nRewriteOptions IgnoreInherit", "own"),
    ("InheritDown", "RewriteEngine Off", "off"),
    ("InheritDown", "", "off"),
    ("AllowNoSlash", "RewriteOptions InheritBefore", None),
    ("AllowNoSlash", "RewriteOptions Inherit", "after"),
]


@pytest.mark.parametrize(("main", "host", "way"), INHERITS)
def test_a_host_inherits_rules_as_mod_rewrite_merges_them(
    tmp_path: Path, main: str, host: str, way: str | None
) -> None:
    text = (
        f"Listen 80\nRewriteEngine On\nRewriteOptions {main}\nRewriteRule ^/m /x [R]\n"
        "<VirtualHost *:80>\nServerName c.test\nRewriteOptions Inherit\nRewriteRule ^/c /z [R]\n</VirtualHost>\n"
        f"<VirtualHost *:80>\nServerName d.test\n{host}\n</VirtualHost>"
    )
    site = site_of(tmp_path, text)
    assert site["hosts"]["d"].get("rewrites") == way


def test_one_base_goes_out_for_each_folder_and_none_elsewhere(tmp_path: Path) -> None:
    rule = '[[rewrites]]\nid = "{0}"\nlocation = "{1}"\npattern = "^(.*)"\nsubstitution = "$1"\nbase = "{2}"\n'
    site = (
        'version = 1\n[site]\ndocument_root = "www"\n[listeners.http]\naddress = "127.0.0.1:80"\n'
        '[[locations]]\nid = "in"\nfolder = "www"\n[[locations]]\nid = "at"\npath = "/a"\n'
        + rule.format("x", "in", "/b/") + rule.format("y", "in", "/c/") + rule.format("z", "at", "/d/")
    )  # fmt: skip
    text, losses = exported(site, tmp_path)
    assert len(losses) == 2
    assert all("one RewriteBase for a <Directory>" in each for each in losses)
    assert [line.strip() for line in text.splitlines() if "RewriteBase" in line] == ["RewriteBase /b/"]
