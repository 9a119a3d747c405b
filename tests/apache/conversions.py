"""Configurations imported and sites exported, for tests of what becomes of them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from proxy_core.apache.export import export_site
from proxy_core.apache.importer import Imported, import_file
from proxy_core.config.reading.document import parse
from proxy_core.rules.lint.site import lint

PROXIED = "ProxyPass / http://a/\n"


def imported(folder: Path, text: str) -> Imported:
    (folder / "httpd.conf").write_text(text)
    return import_file(folder / "httpd.conf", {}, True)


def site_of(folder: Path, text: str) -> dict[str, Any]:
    """The site file of a configuration, which must be sound."""
    found = imported(folder, text)
    document = parse(found.text)
    assert document.site is not None, document.problems
    assert [each for each in lint(document.site) if each.severity == "error"] == []
    return tomllib.loads(found.text)


def rows_of(folder: Path, text: str, table: str) -> list[dict[str, Any]]:
    """The rows of a table in the site file of a configuration, without their locations."""
    rows = site_of(folder, "Listen 8080\n" + text).get(table, [])
    rows = list(rows.values()) if isinstance(rows, dict) else rows
    return [{key: value for key, value in row.items() if key != "location"} for row in rows]


def exported(text: str, folder: Path) -> tuple[str, list[str]]:
    """The configuration of a site file without its modules, and what is lost."""
    site = parse(text).site
    assert site is not None
    made = export_site(site, folder / "site.toml", folder)
    return made.text, [f"{'.'.join(loss.address)}: {loss.todo}" for loss in made.losses]
