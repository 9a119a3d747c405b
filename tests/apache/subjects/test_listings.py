"""Options and mod_autoindex in an httpd.conf: which folders are listed, and what is left out of listings."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy_core.apache.subjects.listings import indexes
from tests.apache.conversions import imported, site_of

ROOT = "Listen 1\nDocumentRoot /srv/www\n"
SERVED = f"{ROOT}<Directory /srv/www>\nOptions Indexes\n</Directory>\n"


@pytest.mark.parametrize(
    ("words", "listed"),
    [
        ("Indexes", True), ("FollowSymLinks Indexes", True), ("FollowSymLinks", False), ("None", False), ("All", True),
        ("+Indexes", True), ("-Indexes", False), ("+FollowSymLinks", None), ("-Indexes +FollowSymLinks", False),
        ("+INDEXES", True), ("MultiViews", False), ("+MultiViews", None),
    ],
)  # fmt: skip
def test_words_with_a_sign_change_what_was_said_and_others_take_its_place(words: str, listed: bool | None) -> None:
    assert indexes(words.split()) is listed


def test_a_site_that_lists_nothing_says_nothing_of_listings(tmp_path: Path) -> None:
    text = f"{ROOT}IndexIgnore *.bak\n<Directory /srv/www>\nOptions FollowSymLinks\n</Directory>"
    assert "locations" not in site_of(tmp_path, text)
    assert not imported(tmp_path, text).report.losses


def test_what_is_left_out_adds_up_from_the_outer_to_the_inner(tmp_path: Path) -> None:
    text = (
        "IndexIgnore .??* *~\n<Directory /srv/www>\nIndexIgnore a\n</Directory>\n"
        "<Directory /srv/www/x>\nIndexIgnore [b]\n</Directory>\n"
        "<Directory /srv/www/y>\nIndexIgnoreReset On\nIndexIgnore c\n</Directory>\n"
        "<VirtualHost *:1>\nServerName b.test\nIndexIgnore d\n</VirtualHost>"
    )
    site = site_of(tmp_path, SERVED + text)
    assert site["site"]["index_ignore"] == ["*~"]
    assert [host["index_ignore"] for host in site["hosts"].values()] == [["*~", "d"]]
    found = [row["index_ignore"] for row in site["locations"] if "index_ignore" in row]
    assert found == [["*~", "a"], ["*~", "a", "[[]b]"], ["*~", "c"]]


def test_views_are_lost_beside_a_listing(tmp_path: Path) -> None:
    text = "<Directory /srv/www/a>\nOptions Indexes MultiViews\n</Directory>"
    (loss,) = imported(tmp_path, SERVED + text).report.losses
    assert "whole name" in loss.why


@pytest.mark.parametrize(("name", "told"), [("HEADER.html", True), ("none.html", False)])
def test_texts_above_a_listing_are_told_where_they_are_there(tmp_path: Path, name: str, told: bool) -> None:
    (tmp_path / "HEADER.html").touch()
    text = f"Listen 1\nDocumentRoot {tmp_path}\nOptions Indexes\nHeaderName {name}"
    assert len(imported(tmp_path, text).report.losses) == told
