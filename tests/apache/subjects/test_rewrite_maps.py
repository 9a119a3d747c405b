"""Maps come in and go out, programs only when allowed."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from proxy_core.apache.importer import import_file
from proxy_core.control.cli.__main__ import main
from tests.apache.conversions import PROXIED, site_of

IN: list[tuple[str, str, list[dict[str, Any]]]] = [
    ("RewriteEngine On\nRewriteRule ^/a ${gone:b} [PT]", "maps", [{"type": "txt"}]),
]  # fmt: skip

OUT = [
    ('[maps.m]\ntype = "dbm"\nfile = "x"\nformat = "sdbm"', "RewriteMap m dbm=sdbm:x"),
    ('[maps.m]\ntype = "prg"\ncommand = ["bin/ask", "it"]', "RewriteMap m \"prg:bin/ask it\""),
    ('[maps.m]\ntype = "fastdbd"\ndsn = "postgresql://me:pw@db/names"\nquery = "SELECT a FROM b WHERE c = %s"',
     'DBDParams "host=db user=me password=pw dbname=names"\n'
     'RewriteMap m "fastdbd:SELECT a FROM b WHERE c = %s"'),
]  # fmt: skip


def test_a_map_of_a_host_with_a_name_that_is_taken_gets_another(tmp_path: Path) -> None:
    host = (
        "<VirtualHost *:80>\nServerName {0}\nRewriteEngine On\nRewriteMap m int:{1}\nRewriteRule ^/(.*) /${{m:$1}} [R]"
    )
    text = "\n".join(
        ["Listen 80", *(host.format(*x) + "\n</VirtualHost>" for x in (("a", "toupper"), ("b", "tolower")))]
    )
    site = site_of(tmp_path, text)
    assert {name: row["function"] for name, row in site["maps"].items()} == {"m": "toupper", "m-2": "tolower"}
    assert [row["substitution"] for row in site["rewrites"]] == ["/${m:$1}", "/${m-2:$1}"]


def test_programs_and_databases_come_in_only_when_allowed(tmp_path: Path) -> None:
    text = "Listen 1\nRewriteEngine On\nRewriteMap m prg:/bin/x\nRewriteRule ^/a ${m:b} [PT]\n" + PROXIED
    (tmp_path / "httpd.conf").write_text(text)
    site = tomllib.loads(import_file(tmp_path / "httpd.conf", {}, False).text)
    assert "maps" not in site
    assert site["rewrites"] == [{"pattern": "^/a", "substitution": "-", "flags": ["R=503"]}]
    assert tomllib.loads(import_file(tmp_path / "httpd.conf", {}, True).text)["maps"]["m"]["command"] == ["/bin/x"]


def test_entries_of_a_map_get_a_file(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text('[maps.m]\ntype = "txt"\n[maps.m.entries]\na = "one"\nb = "two"\n')
    assert main(["export", "--to", "apache", str(tmp_path / "site.toml"), "-o", str(tmp_path / "httpd.conf")]) == 0
    assert (tmp_path / "m.txt").read_text() == "a one\nb two\n"
    assert "RewriteMap m txt:m.txt" in (tmp_path / "httpd.conf").read_text()
