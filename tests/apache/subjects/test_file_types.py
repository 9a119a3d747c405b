"""What names of files say comes in and goes out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apache.conversions import exported, imported, site_of

SERVED = "Listen 1\nDocumentRoot /srv/www\n"

OUT = [
    ('[site]\ndefault_charset = "utf-8"', "AddDefaultCharset utf-8"),
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
        "AddType own .own",
        "<Directory /srv/www>\nOptions Indexes MultiViews\n</Directory>",
    ],
)
def test_what_is_taken_for_no_type_is_told(tmp_path: Path, text: str) -> None:
    assert imported(tmp_path, SERVED + text).report.losses != []


def test_places_have_tables_of_their_own_that_go_out_again(tmp_path: Path) -> None:
    text = (
        f"AddType text/x-own .own\n<Directory {tmp_path}/www>\nAddType text/x-in .own\nRemoveEncoding .gz\n"
        "</Directory>\n"
        "<VirtualHost *:1>\nServerName b.test\nAddCharset utf-8 .u8\n</VirtualHost>"
    )
    site = site_of(tmp_path, f"Listen 1\nDocumentRoot {tmp_path}/www\n{text}")
    assert site["file_types"] == {"types": {"own": "text/x-own"}}
    assert site["locations"][0]["file_types"] == {"types": {"own": "text/x-in"}, "encodings": {"gz": ""}}
    assert site["hosts"]["b"]["file_types"] == {"charsets": {"u8": "utf-8"}}
    (tmp_path / "made.toml").write_text(imported(tmp_path, f"Listen 1\nDocumentRoot {tmp_path}/www\n{text}").text)
    out, losses = exported((tmp_path / "made.toml").read_text(), tmp_path)
    assert losses == []
    for line in (
        "    AddType text/x-in .own",
        "    RemoveEncoding .gz",
        "    AddCharset utf-8 .u8",
        "AddType text/x-own .own",
    ):
        assert line in out.splitlines()


def test_of_a_file_with_very_many_types_those_come_in_that_files_have(tmp_path: Path) -> None:
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "a.own7").touch()
    (tmp_path / "own.types").write_text("text/html html\n" + "".join(f"text/x-{n} own{n}\n" for n in range(200)))
    conf = f"Listen 1\nDocumentRoot {tmp_path}/www\nTypesConfig {tmp_path}/own.types\n"
    assert site_of(tmp_path, conf)["file_types"]["types"] == {"own7": "text/x-7"}


def test_a_file_of_types_that_is_not_there_is_told(tmp_path: Path) -> None:
    found = imported(tmp_path, f"Listen 1\nDocumentRoot {tmp_path}\nTypesConfig {tmp_path}/none\n")
    assert [each.directive for each in found.report.losses] == ["TypesConfig"]
