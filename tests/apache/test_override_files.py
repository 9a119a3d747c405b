"""Files of overrides (.htaccess) come in as they are when a configuration is imported, where httpd would take them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.apache.conversions import imported

DENIES = "Require all denied\n"


def served(folder: Path, overrides: str, text: str) -> tuple[list[dict[str, Any]], list[str], list[str]]:
    """The rows of [[locations]], the losses, and why AllowOverride makes no difference."""
    (folder / "www").mkdir(exist_ok=True)
    (folder / "www" / ".htaccess").write_text(overrides)
    found = imported(folder, f"Listen 1\nDocumentRoot {folder}/www\n{text.format(f'{folder}/www')}")
    rows = tomllib.loads(found.text).get("locations", [])
    told = [each.why for each in found.report.entries if each.directive.startswith("AllowOverride")]
    return rows, [each.text for each in found.report.losses], told


@pytest.mark.parametrize(
    ("allow", "overrides", "outcome"),
    [
        ("AllowOverride All", DENIES, "in"),
        ("AllowOverride AuthConfig", DENIES, "in"),
        ("AllowOverride None\nAllowOverrideList Require", DENIES, "in"),
        ("AllowOverride FileInfo", DENIES, "closed"),
        ("AllowOverride FileInfo Nonfatal=All", DENIES, "dropped"),
        ("AllowOverride All", "<Files x>\n", "closed"),
        ("AllowOverride All", "<Location /x>\n</Location>\n" + DENIES, "closed"),
        ("AllowOverride All", "Include other\n" + DENIES, "closed"),
        ("AllowOverride Options=Indexes AuthConfig", "Options +FollowSymLinks\n" + DENIES, "closed"),
        ("AllowOverride None", DENIES, "unread"),
    ],
)
def test_what_allow_override_lets_count_comes_in(tmp_path: Path, allow: str, overrides: str, outcome: str) -> None:
    rows, losses, told = served(tmp_path, overrides, f"<Directory {{0}}>\n{allow}\n</Directory>")
    required = [row["require"] for row in rows if "require" in row]
    assert required == ([] if outcome in ("dropped", "unread") else [["all denied"]])
    assert bool(losses) == (outcome == "closed")
    assert ("later changes" in told[0]) == (outcome in ("in", "dropped"))


def test_a_file_that_cannot_be_read_closes_its_folder(tmp_path: Path) -> None:
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "fifo").mkdir()
    (tmp_path / "www" / "fifo" / ".htaccess").symlink_to("/dev/zero")
    rows, losses, _ = served(tmp_path, "", "<Directory {0}>\nAllowOverride All\n</Directory>")
    assert [(row["folder"], row["require"]) for row in rows if "require" in row] == [("www/fifo", ["all denied"])]
    assert losses == ["AllowOverride All"]


def test_a_file_that_several_hosts_serve_is_told_once(tmp_path: Path) -> None:
    host = "<VirtualHost *>\nServerName {1}\nDocumentRoot {0}\n</VirtualHost>\n"
    text = "<Directory {0}>\nAllowOverride All\n</Directory>\n" + host.replace("{1}", "a") + host.replace("{1}", "b")
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / ".htaccess").write_text(DENIES)
    conf = "Listen 1\n" + text.format(f"{tmp_path}/www")
    found = imported(tmp_path, conf)
    assert [each.file for each in found.report.entries if each.text == "Require all denied"] == ["www/.htaccess"]
    rows = [row for row in tomllib.loads(found.text)["locations"] if "require" in row]
    assert [row["host"] for row in rows] == ["a", "b"]


def test_hosts_that_let_a_file_say_unlike_things_do_not_share_it(tmp_path: Path) -> None:
    host = "<VirtualHost *>\nServerName b\n<Directory {0}>\nAllowOverride None\n</Directory>\n</VirtualHost>"
    rows, losses, _ = served(tmp_path, DENIES, "<Directory {0}>\nAllowOverride All\n</Directory>\n" + host)
    assert [row["require"] for row in rows if "require" in row] == [["all denied"]]
    assert losses == ["AllowOverride All"]
