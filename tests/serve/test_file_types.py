"""What names of files say of them, by what a site says of extensions and by what everybody knows."""

from __future__ import annotations

import pytest

from proxy_core.config.model import FileTypes, Host, Location, Site
from proxy_core.rules.lint.site import lint
from proxy_core.serve.file_types import described

OWN = FileTypes(
    types={"own": "text/x-own", "doc": ""},
    encodings={"gz": "gzip", "br": "br"},
    charsets={"u8": "utf-8"},
    languages={"de": "de", "en": "en"},
)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("a.txt", ("text/plain", "", "")),
        ("/x.own/a.OWN", ("text/x-own", "", "")),
        ("a.txt.gz", ("application/gzip", "gzip", "")),
        ("a.js.br", ("text/javascript", "br", "")),
        ("a.html.de.en.u8", ("text/html; charset=utf-8", "", "de,en")),
        ("a.u8", ("", "", "")),
        ("a.doc", ("", "", "")),
        ("own", ("", "", "")),
        ("a.txt.strange", ("text/plain", "", "")),
    ],
)
def test_the_extensions_of_a_file_say_its_type(name: str, found: tuple[str, str, str]) -> None:
    assert described(name, OWN) == found


def test_a_packed_file_is_no_text_where_nothing_says_its_encoding() -> None:
    assert described("a.txt.gz", FileTypes()) == ("application/gzip", "", "")


@pytest.mark.parametrize(
    "types",
    [
        FileTypes(types={"a": "text"}),
        FileTypes(types={"a": "text/plain\r\nX-Y: z"}),
        FileTypes(encodings={"a": "g zip"}),
        FileTypes(charsets={"a": "utf 8"}),
        FileTypes(languages={"a": "d\n"}),
    ],
)
def test_what_would_be_no_field_is_told(types: FileTypes) -> None:
    assert [each.address[0] for each in lint(Site(file_types=types)) if each.severity == "error"] == ["file_types"]
    hosts, rows = {"h": Host(names=("h",), file_types=types)}, (Location(id="l", path="/", file_types=types),)
    told = [each.address[:3] for each in lint(Site(hosts=hosts, locations=rows)) if each.severity == "error"]
    assert told == [("hosts", "h", "file_types"), ("locations", "l", "file_types")]


def test_an_empty_word_takes_back_what_is_said_around_it() -> None:
    inner = FileTypes(encodings={"gz": ""}, types={"own": "text/x-in"})
    assert described("a.own.gz", FileTypes(encodings={"gz": "gzip"}).under(inner)) == ("application/gzip", "", "")
    assert described("a.own", OWN.under(inner)).type == "text/x-in"
    assert OWN.under(None) is OWN
