"""Listings of folders on a running server: what is in them, and what nobody gets to know of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from msgspec.structs import replace

from proxy_core.config.model import AccessLog, Location, RewriteCond, RewriteRule, Site
from proxy_core.runtime import served_files
from tests.e2e.harness import get, serving, site


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    www = tmp_path / "www"
    for name in ("", "list", "list/sub", "list/.git", "list/closed", "many"):
        (www / name).mkdir(exist_ok=True)
    for name in ("list/a&<b>.txt", "list/.secret", "list/ü", "list/b:c", "list/old.bak", "list/sub/x", "list/e\x1bsc"):
        (www / name).write_bytes(b"x")
    (tmp_path / "outside").write_bytes(b"x")
    (www / "list" / "out").symlink_to(tmp_path / "outside")
    (www / "list" / "out.d").symlink_to(tmp_path)
    (www / "list" / "in").symlink_to(www / "list" / "old.bak")
    (www / "list" / "hidden").symlink_to(www / "list" / ".secret")
    (www / "list" / "nowhere").symlink_to(www / "none")
    for number in range(205):
        (www / "many" / f"f{number:03}").touch()
    return tmp_path


def listing(**options: object) -> Site:
    return replace(site(1, document_root="www", autoindex=True, **options), routes=())


def links(body: bytes) -> list[str]:
    return re.findall(r'<li><a href="([^"]*)"', body.decode())


async def test_a_folder_is_listed_in_the_order_of_names(folder: Path) -> None:
    async with serving(listing(), folder) as running:
        head, body = await get(running.port, "/list/?x=y")
        assert head.startswith(b"HTTP/1.1 200 ")
        assert b"\r\nContent-Type: text/html;charset=UTF-8\r\n" in head
        assert links(body) == [
            "/", "a&amp;%3cb%3e.txt", "./b:c", "closed/", "e%1bsc", "in", "old.bak", "sub/", "%c3%bc",
        ]  # fmt: skip
        assert '<li><a href="%c3%bc"> ü</a></li>' in body.decode()
        assert b"a&amp;&lt;b&gt;.txt" in body
        assert b"\x1b" not in body


async def test_what_the_site_names_for_itself_is_not_listed(folder: Path) -> None:
    own = replace(listing(index_ignore=("*.bak", "s?b")), access_log=AccessLog(file="www/list/b:c"))
    async with serving(own, folder) as running:
        (folder / "www" / "list" / "b:c.1").touch()
        _, body = await get(running.port, "/list/")
        assert links(body) == ["/", "a&amp;%3cb%3e.txt", "closed/", "e%1bsc", "in", "%c3%bc"]


async def test_what_access_keeps_from_the_client_is_not_listed(folder: Path) -> None:
    rows = (
        Location(id="closed", folder="www/list/closed", require=("all denied",)),
        Location(id="path", path="/list/sub", require=("env LET",)),
        Location(id="names", files="bak$", require=("all denied",)),
        Location(id="off", path="/many", autoindex=False),
    )
    async with serving(replace(listing(), locations=rows), folder) as running:
        _, body = await get(running.port, "/list/")
        assert links(body) == ["/", "a&amp;%3cb%3e.txt", "./b:c", "e%1bsc", "in", "%c3%bc"]
        head, _ = await get(running.port, "/many/")
        assert head.startswith(b"HTTP/1.1 403 ")


async def test_names_are_judged_a_part_at_a_time(folder: Path) -> None:
    rows = (Location(id="odd", path_regex="[13579]$", require=("all denied",)),)
    async with serving(replace(listing(), locations=rows), folder) as running:
        _, body = await get(running.port, "/many/")
        assert links(body) == ["/", *(f"f{number:03}" for number in range(0, 205, 2))]


async def test_a_long_listing_says_that_there_is_more(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served_files, "MOST_LISTED", 3)
    async with serving(listing(), folder) as running:
        _, body = await get(running.port, "/many/")
        assert links(body) == ["/", "f000", "f001", "f002"]
        assert b"and more" in body


async def test_rules_that_look_at_every_name_ask_the_disk_nothing_more(folder: Path) -> None:
    rows = (Location(id="front", folder="www"),)
    rules = (
        RewriteRule(
            id="front", location="front", pattern="^", substitution="/index.php", flags=("L",),
            conditions=tuple(RewriteCond(test="%{REQUEST_FILENAME}", pattern=each) for each in ("!-f", "!-d")),
        ),
    )  # fmt: skip
    async with serving(replace(listing(), locations=rows, rewrites=rules), folder) as running:
        _, body = await get(running.port, "/many/")
        assert len(links(body)) == 206
