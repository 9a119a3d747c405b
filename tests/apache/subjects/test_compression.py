"""mod_deflate and mod_brotli come in as tables of [compress] and go out again; what cannot is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.apache.conversions import PROXIED, exported, imported, site_of

LISTEN = "Listen 1\n" + PROXIED
BY_TYPE = "AddOutputFilterByType DEFLATE text/html text/css\n"

COMES_IN: list[tuple[str, dict[str, Any]]] = [
    (BY_TYPE, {"types": ["text/html", "text/css"], "codings": ["gzip"]}),
    ("SetOutputFilter DEFLATE", {"types": ["*/*"], "codings": ["gzip"]}),
    ("SetOutputFilter BROTLI_COMPRESS;DEFLATE", {"types": ["*/*"], "codings": ["br", "gzip"]}),
    ("AddOutputFilterByType BROTLI_COMPRESS text/html\nAddOutputFilterByType DEFLATE text/html\n"
     "BrotliCompressionQuality 9",
     {"types": ["text/html"], "codings": ["br", "gzip"], "br_level": 9}),
    ("DeflateCompressionLevel 1\n" + BY_TYPE,
     {"types": ["text/html", "text/css"], "codings": ["gzip"], "gzip_level": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "table"), COMES_IN)
def test_filters_that_code_answers_become_a_table(tmp_path: Path, text: str, table: dict[str, Any]) -> None:
    found = imported(tmp_path, LISTEN + text)
    assert site_of(tmp_path, LISTEN + text)["compress"] == table
    assert found.report.losses == []


def test_a_section_has_what_is_said_around_it_too_and_so_has_a_host(tmp_path: Path) -> None:
    text = (
        f"{LISTEN}<Location /a>\nAddOutputFilterByType DEFLATE text/plain\n</Location>\n"
        "<Location /a/b>\nAddOutputFilterByType DEFLATE text/csv\n</Location>\n"
        f"<VirtualHost *:1>\nServerName h.test\nAddOutputFilterByType DEFLATE image/svg+xml\n</VirtualHost>\n{BY_TYPE}"
    )
    site = site_of(tmp_path, text)
    types = {row["path"]: row["compress"]["types"] for row in site["locations"]}
    assert types == {
        "/a": ["text/html", "text/css", "text/plain"],
        "/a/b": ["text/html", "text/css", "text/plain", "text/csv"],
    }
    assert site["hosts"]["h"]["compress"]["types"] == ["text/html", "text/css", "image/svg+xml"]


@pytest.mark.parametrize(
    "text",
    [
        "AddOutputFilter DEFLATE .html",
        "SetOutputFilter INFLATE;DEFLATE",
        "AddOutputFilterByType DEFLATE nonsense",
        BY_TYPE + "AddOutputFilterByType BROTLI_COMPRESS text/css",
        BY_TYPE + "DeflateCompressionLevel 9",
        "DeflateFilterNote Input before",
        "SetEnv force-gzip 1",
        "SetEnvIf User-Agent x force-gzip",
    ],
)
def test_what_cannot_be_carried_over_is_told(tmp_path: Path, text: str) -> None:
    assert imported(tmp_path, LISTEN + text).report.losses != []


@pytest.mark.parametrize("text", ["DeflateFilterNote ratio", "DeflateAlterETag NoChange", "DeflateBufferSize 1024"])
def test_what_makes_no_difference_is_left_out(tmp_path: Path, text: str) -> None:
    assert imported(tmp_path, LISTEN + BY_TYPE + text).report.losses == []


@pytest.mark.parametrize("codes", [True, False])
def test_variables_that_spare_requests_come_in_where_anything_is_coded(tmp_path: Path, codes: bool) -> None:
    text = f"BrowserMatch ^Old no-gzip gzip-only-text/html\n{BY_TYPE * codes}"
    names = [row["name"] for row in site_of(tmp_path, LISTEN + text).get("env", ())]
    assert names == ["no-gzip", "gzip-only-text/html"] * codes


BASE = '[listeners.a]\naddress = ":1"\n[[routes]]\npath = "/"\nproxy = "http://a/"\n'
GOES_OUT = [
    ('[compress]\ntypes = ["text/html"]', ["AddOutputFilterByType BROTLI_COMPRESS;DEFLATE text/html"], []),
    ('[compress]\ntypes = ["*/*"]\ncodings = ["gzip"]\ngzip_level = 1',
     ["SetOutputFilter DEFLATE", "DeflateCompressionLevel 1"], []),
    ('[compress]\ntypes = ["text/html"]\ncodings = ["zstd"]', [], ["compress.codings: Apache has no zstd"]),
    ('[compress]\ntypes = ["font/*"]', [], ["compress.types: Apache has no wildcard such as font/*"]),
    ('[compress]\ntypes = ["text/html"]\n[[locations]]\nid = "l"\npath = "/x"\n[locations.compress]\ntypes = []',
     ["    SetEnv no-gzip 1", "    SetEnv no-brotli 1"], []),
    ('[compress]\ntypes = ["text/html"]\n[[locations]]\nid = "l"\npath = "/x"\n[locations.compress]\n'
     'types = ["text/css"]', ["    AddOutputFilterByType BROTLI_COMPRESS;DEFLATE text/css"],
     ["locations.l.compress: Apache adds what is said around it: text/html"]),
    ('[compress]\ntypes = ["text/html"]\nprecompressed = true\nspare_secrets = true', [],
     ["compress.spare_secrets: write SetEnvIf Cookie . no-gzip no-brotli, which knows requests alone",
      "compress.precompressed: mod_rewrite can do it, as the manual of mod_deflate shows"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "lines", "losses"), GOES_OUT)
def test_a_table_goes_out_as_filters(tmp_path: Path, text: str, lines: list[str], losses: list[str]) -> None:
    out, lost = exported(BASE + text, tmp_path)
    assert [line for line in lines if line not in out.splitlines()] == []
    assert lost == losses


def test_a_table_comes_back_as_it_went_out(tmp_path: Path) -> None:
    text = BASE + '[compress]\ntypes = ["text/html"]\ncodings = ["br", "gzip"]\nbr_level = 4\n'
    out, _ = exported(text, tmp_path)
    assert site_of(tmp_path, out)["compress"] == {"types": ["text/html"], "codings": ["br", "gzip"], "br_level": 4}
