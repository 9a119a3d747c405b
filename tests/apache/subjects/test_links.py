"""Options FollowSymLinks and SymLinksIfOwnerMatch: what is followed in the end, by server and folder, in and out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apache.conversions import exported, imported, site_of

FOLDER = "<Directory {0}/www>\nOptions {1}\n</Directory>\n"
SITE = 'version = 1\n[listeners.http]\naddress = "127.0.0.1:80"\n[site]\ndocument_root = "www"\n'
INNER = "<Directory {0}/www/in>\nOptions {2}\n</Directory>\n"


@pytest.mark.parametrize(
    ("outer", "inner", "found"),
    [
        ("FollowSymLinks", "+Indexes", []),
        ("All", "-Indexes", []),
        ("Indexes", "-Indexes", ["none"]),
        ("None", "+FollowSymLinks", ["none", "all"]),
        ("SymLinksIfOwnerMatch", "-SymLinksIfOwnerMatch", ["owner", "none"]),
        ("+SymLinksIfOwnerMatch", "-FollowSymLinks", ["owner", "owner"]),
        ("FollowSymLinks SymLinksIfOwnerMatch", "-SymLinksIfOwnerMatch", ["owner", "all"]),
        ("None", "All", ["none", "all"]),
    ],
)
def test_a_folder_follows_links_as_all_options_round_it_leave_them(
    tmp_path: Path, outer: str, inner: str, found: list[str]
) -> None:
    text = "Listen 1\nDocumentRoot {0}/www\n" + FOLDER + INNER
    rows = site_of(tmp_path, text.format(tmp_path, outer, inner)).get("locations", [])
    assert [row["follow_links"] for row in rows if "follow_links" in row] == found


def test_a_host_with_options_of_its_own_has_rows_of_its_own_for_the_servers_folders(tmp_path: Path) -> None:
    folder = (FOLDER + INNER).format(tmp_path, "+Indexes -SymLinksIfOwnerMatch", "SymLinksIfOwnerMatch")
    hosts = "".join(
        f"<VirtualHost *>\nServerName {name}\n</VirtualHost>\n" for name in ("a.test", "b.test\nOptions None")
    )
    site = site_of(tmp_path, f"Listen 1\nDocumentRoot {tmp_path}/www\n{folder}{hosts}")
    said = [(row.get("host", ""), row["folder"], row["follow_links"]) for row in site["locations"]]
    assert said == [("", "www", "all"), ("", "www/in", "owner"), ("b", "www", "none")]
    assert "follow_links" not in site["site"]
    assert site["hosts"]["b"]["follow_links"] == "none"


def test_a_folder_round_that_of_the_site_file_holds_for_the_files_in_it(tmp_path: Path) -> None:
    text = f"Listen 1\nDocumentRoot {tmp_path}/www\n<Directory {tmp_path.parent}>\nRequire all denied\n</Directory>"
    (row,) = site_of(tmp_path, text)["locations"]
    assert (row["folder"], row["require"]) == (str(tmp_path.parent), ["all denied"])
    assert site_of(tmp_path, text)["site"]["document_root"] == f"{tmp_path}/www"


def test_what_is_said_of_links_goes_out_and_comes_back(tmp_path: Path) -> None:
    site = SITE + 'follow_links = "owner"\n'
    text, losses = exported(
        site + '[[locations]]\nfolder = "www/in"\nfollow_links = "none"\nautoindex = true\n', tmp_path
    )
    assert losses == []
    assert "Options -FollowSymLinks +SymLinksIfOwnerMatch" in text
    assert "Options +Indexes -FollowSymLinks -SymLinksIfOwnerMatch" in text
    found = site_of(tmp_path, text)
    assert found["site"]["follow_links"] == "owner"
    assert [row["follow_links"] for row in found["locations"]] == ["none"]


def test_rules_of_sections_need_links_in_apache(tmp_path: Path) -> None:
    site = SITE + 'follow_links = "none"\n'
    rule = (
        '[[locations]]\nid = "in"\nfolder = "www"\n[[rewrites]]\nlocation = "in"\npattern = "a"\nsubstitution = "/b"\n'
    )
    text, losses = exported(site + rule, tmp_path)
    assert ["site.follow_links" in each for each in losses] == [True]
    assert "SymLinksIfOwnerMatch" in text


def test_links_of_other_sections_are_not_those_of_folders(tmp_path: Path) -> None:
    sections = "<Location /a>\nOptions None\n</Location>\n<Files x>\nOptions None\n</Files>"
    text = f"Listen 1\nDocumentRoot {tmp_path}/www\n{sections}"
    assert "follow_links" not in imported(tmp_path, text).text
