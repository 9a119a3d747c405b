"""Files and folders as the disk has them: what a path stands for, and where httpd's walk along it ends."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from proxy_core.config.folders import Root
from proxy_core.runtime.fact_lookups import look
from proxy_core.runtime.served_files import Found, listing, refused_link
from proxy_core.runtime.served_files import look as look_up


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "www" / "d").mkdir(parents=True)
    (tmp_path / "www" / "t.txt").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("path", "nothing", "info"),
    [
        ("t.txt", None, ""), ("t.txt/more/x", None, "/more/x"), ("d", None, ""), ("none", "1", ""),
        ("none/x/y", "1", "/x/y"), ("d/none/x", "1", "/x"),
    ],
)  # fmt: skip
def test_a_path_ends_at_a_file_or_where_nothing_is(folder: Path, path: str, nothing: str | None, info: str) -> None:
    assert look("nothing", f"{folder}/www/{path}") == nothing
    assert look("info", f"{folder}/www/{path}") == info


def test_a_folder_without_an_index_is_known_as_one(folder: Path) -> None:
    root = Root("www", ("index.html",))
    assert look_up(folder, root, "/d/") == Found(403, bare=True)
    assert look_up(folder, root, "/d") == Found(301, location="/d/")
    assert look_up(folder, root, "/none/") == Found(404)


@pytest.mark.parametrize(
    ("made", "found"), [(False, Found(404)), (True, Found(200, "t.txt"))], ids=["of the path", "of the request alone"]
)
def test_a_slash_behind_a_file_matters_where_it_is_of_the_path(folder: Path, made: bool, found: Found) -> None:
    there = look_up(folder, Root("www", ()), "/t.txt/", (), made)
    assert (there.status, os.path.basename(there.file)) == (found.status, found.file)
    assert look_up(folder, Root("www", ()), "/d/", (), made) == Found(403, bare=True)


def test_what_is_no_folder_or_hidden_has_no_listing(folder: Path) -> None:
    (folder / "www" / ".git").mkdir()
    (folder / "www" / "up").symlink_to(folder)
    assert listing(folder, "all www", "www/") == "d/\0t.txt"
    assert listing(folder, "all www", "www/d/") == ""
    for name in ("www/none/", "www/t.txt", "www/.git/", "www/up/", "www/../"):
        assert listing(folder, "all www", name) is None


@pytest.mark.parametrize(
    ("words", "name", "refused"),
    [
        ("all,all", "www/l", None), ("all,none", "www/t.txt", None), ("all,none", "www/l", "www/l"),
        ("all,owner", "www/l", None), ("all,owner", "www/foreign", "www/foreign"),
        ("all,owner", "www/gone", "www/gone"),
        ("none,all", "www/l", None), ("all,none,all", "www/dl/x", "www/dl"), ("all,all,none", "www/dl/x", None),
        ("none,none", "www/none/l", None),
    ],
)  # fmt: skip
def test_a_link_is_followed_as_the_folder_that_it_is_in_has_it(
    folder: Path, words: str, name: str, refused: str | None
) -> None:
    for link, target in (("l", "t.txt"), ("dl", "d"), ("gone", "nowhere")):
        (folder / "www" / link).symlink_to(target)
    (folder / "www" / "foreign").symlink_to("/etc/passwd")
    if os.getuid() == 0:
        os.chown(folder / "www" / "foreign", 12345, -1, follow_symlinks=False)
    found = refused_link(folder, words.split(","), name)
    assert found == (None if refused is None else f"{folder}/{refused}")


def test_a_link_above_all_that_is_named_is_followed_as_the_outermost_folder_has_it(folder: Path) -> None:
    (folder / "way").symlink_to("www")
    assert refused_link(folder / "way", ["none"], "t.txt") == f"{folder}/way"
    assert refused_link(folder / "way", ["all"], "t.txt") is None


def test_a_link_that_leads_nowhere_is_refused_and_not_missed(folder: Path) -> None:
    (folder / "www" / "gone").symlink_to("nowhere")
    root = Root("www", ("index.html",))
    assert look_up(folder, root, "/gone") == look_up(folder, root, "/gone/x") == Found(403)
    assert look_up(folder, root, "/none/x") == Found(404)
