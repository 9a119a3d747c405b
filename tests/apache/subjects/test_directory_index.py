"""mod_dir in an httpd.conf: the names that stand for a folder, where they are said."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apache.conversions import imported, site_of

SERVED = "Listen 1\nDocumentRoot /srv/www\n"


def test_a_section_says_what_stands_for_folders_in_it(tmp_path: Path) -> None:
    text = (
        "DirectoryIndex a.html\n<Directory /srv/www/b>\nDirectoryIndex b.html\nDirectoryIndex c.html\n</Directory>\n"
        "<Location /d>\nDirectoryIndex disabled\n</Location>"
    )
    site = site_of(tmp_path, SERVED + text)
    assert site["site"]["directory_index"] == ["a.html"]
    assert [row["directory_index"] for row in site["locations"]] == [["b.html", "c.html"], []]


def test_what_is_about_files_says_nothing_of_folders(tmp_path: Path) -> None:
    text = "<Files x.html>\nDirectoryIndex a.html\n</Files>"
    assert len(imported(tmp_path, SERVED + text).report.losses) == 1


def test_a_fallback_is_said_and_taken_back(tmp_path: Path) -> None:
    text = "FallbackResource /a.html\n<Location /off>\nFallbackResource disabled\n</Location>"
    site = site_of(tmp_path, SERVED + text)
    assert site["site"]["fallback_resource"] == "/a.html"
    assert [row["fallback_resource"] for row in site["locations"]] == [""]


@pytest.mark.parametrize(("word", "told"), [("On", True), ("Off", False), ("Default", False)])
def test_paths_behind_files_are_told_where_they_would_be_served(tmp_path: Path, word: str, told: bool) -> None:
    assert len(imported(tmp_path, f"{SERVED}AcceptPathInfo {word}").report.losses) == told
