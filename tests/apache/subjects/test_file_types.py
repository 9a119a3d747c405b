"""What names of files say comes in and goes out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apache.conversions import imported, site_of

SERVED = "Listen 1\nDocumentRoot /srv/www\n"

OUT = [
    ('[site]\ndocument_root = "/srv"\n[file_types]\ntypes = { own = "text/x-own", doc = "" }\n'
     'encodings = { gz = "gzip" }\ncharsets = { u8 = "utf-8" }\nlanguages = { de = "de" }',
     "AddType text/x-own .own\nRemoveType .doc\nAddEncoding gzip .gz\nAddCharset utf-8 .u8\nAddLanguage de .de"),
]  # fmt: skip


def test_extensions_become_a_table(tmp_path: Path) -> None:
    text = (
        "AddType text/x-own .own more\nAddEncoding x-gzip .GZ\nAddLanguage de .de\nAddCharset utf-8 .u8\nRemoveType doc"
    )
    assert site_of(tmp_path, SERVED + text)["file_types"] == {
        "types": {"own": "text/x-own", "more": "text/x-own", "doc": ""},
        "encodings": {"gz": "x-gzip"},
        "languages": {"de": "de"},
        "charsets": {"u8": "utf-8"},
    }


@pytest.mark.parametrize(
    "text",
    [
        "<Directory /srv/www/a>\nAddType text/x-own .own\n</Directory>",
        "AddType own .own",
        "<Directory /srv/www>\nOptions Indexes MultiViews\n</Directory>",
        "AddType text/x-own .own\n<VirtualHost *:1>\nAddType text/x-other .own\n</VirtualHost>",
        "<Location /a>\nForceType text/plain\n</Location>",
        "AddDefaultCharset utf-8\n<VirtualHost *:1>\nAddDefaultCharset Off\n</VirtualHost>",
    ],
)
def test_what_is_not_for_the_whole_site_is_told(tmp_path: Path, text: str) -> None:
    assert len(imported(tmp_path, SERVED + text).report.losses) == 1


def test_of_a_file_with_very_many_types_those_come_in_that_files_have(tmp_path: Path) -> None:
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "a.own7").touch()
    (tmp_path / "own.types").write_text("text/html html\n" + "".join(f"text/x-{n} own{n}\n" for n in range(200)))
    conf = f"Listen 1\nDocumentRoot {tmp_path}/www\nTypesConfig {tmp_path}/own.types\n"
    assert site_of(tmp_path, conf)["file_types"]["types"] == {"own7": "text/x-7"}


def test_a_file_of_types_that_is_not_there_is_told(tmp_path: Path) -> None:
    found = imported(tmp_path, f"Listen 1\nDocumentRoot {tmp_path}\nTypesConfig {tmp_path}/none\n")
    assert [each.directive for each in found.report.losses] == ["TypesConfig"]


HOST = "<VirtualHost *:1>\nServerName {}.test\n{}\n</VirtualHost>\n"


@pytest.mark.parametrize(
    ("main", "first", "second", "losses"),
    [
        ("", "AddType text/x-own .own", "", 1),
        ("", "AddType text/x-own .own", "AddType text/x-own .own", 0),
        ("AddType text/x-own .own", "AddType text/x-own .own", "", 0),
        ("", "AddType text/x-other .other", "", 0),  # no file has that name
    ],
)
def test_what_one_host_says_of_files_that_others_have_as_well_is_told(
    tmp_path: Path, main: str, first: str, second: str, losses: int
) -> None:
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "a.own").touch()
    hosts = HOST.format("a", first) + HOST.format("b", second)
    text = f"Listen 1\nDocumentRoot {tmp_path}/www\n{main}\n{hosts}"
    assert len(imported(tmp_path, text).report.losses) == losses
