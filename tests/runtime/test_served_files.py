"""Files and folders as the disk has them: what a path stands for, and where httpd's walk along it ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy_core.config.folders import Root
from proxy_core.runtime.fact_lookups import look
from proxy_core.runtime.served_files import Found, listing
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


def test_what_is_no_folder_or_hidden_has_no_listing(folder: Path) -> None:
    (folder / "www" / ".git").mkdir()
    (folder / "www" / "up").symlink_to(folder)
    assert listing(folder, "www", "www/") == "d/\0t.txt"
    assert listing(folder, "www", "www/d/") == ""
    for name in ("www/none/", "www/t.txt", "www/.git/", "www/up/", "www/../"):
        assert listing(folder, "www", name) is None
