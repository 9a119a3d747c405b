"""Rewrite rules come in and go out, and hosts inherit as in httpd."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.apache.conversions import site_of

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
