"""Over the wire, the real httpd with mod_deflate and mod_brotli and our own server code the same answers.

One folder is served by both, and one member is behind both. Where the two differ the table says how and why; more of
it is in docs/semantics.md.
"""

from __future__ import annotations

import gzip
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import brotli
import pytest

from proxy_core.config.model import Compress, EnvRule, Location, Options, Route, Site
from tests.conformance.apache import LOADED, exchanged, running
from tests.conformance.echo import heads
from tests.conformance.rproxy import serving_in_a_thread

pytestmark = pytest.mark.apache

PAGE = "<p>a paragraph that is here more than once</p>\n" * 60
FILES = ("a.html", "a.css", "a.txt", "a.png", "both/a.html", "every/a.txt")
TYPES = ("text/html", "text/css")


def site(port: int, folder: Path) -> Site:
    spared = [("Old", "no-gzip"), ("Only", "gzip-only-text/html")]
    return Site(
        site=Options(document_root=str(folder), forwarded="append", reverse="off"),
        compress=Compress(types=TYPES, codings=("gzip",), min_length=0),
        env=tuple(
            EnvRule(id=name, name=name, value="1", from_="%{HTTP:User-Agent}", capture=seen) for seen, name in spared
        ),
        routes=(Route(id="app", path="/app", proxy=f"http://127.0.0.1:{port}/app"),),
        locations=(
            Location(id="both", path="/both", compress=Compress(types=TYPES, codings=("br", "gzip"))),
            Location(id="every", path="/every", compress=Compress(types=("*/*",), codings=("gzip",))),
        ),
    )  # fmt: skip


def spelled(port: int, folder: Path) -> str:
    return "\n".join([
        "TypesConfig /etc/mime.types\n<VirtualHost *>\nServerName c.test",
        f"DocumentRoot {folder}",
        f"<Directory {folder}>\nRequire all granted\nOptions None\n</Directory>",
        "AddOutputFilterByType DEFLATE text/html text/css",
        "SetEnvIf User-Agent Old no-gzip\nSetEnvIf User-Agent Only gzip-only-text/html",
        "<Location /both>\nSetOutputFilter BROTLI_COMPRESS;DEFLATE\n</Location>",
        "<Location /every>\nSetOutputFilter DEFLATE\n</Location>",
        f"ProxyPass /app http://127.0.0.1:{port}/app",
        "</VirtualHost>",
    ])  # fmt: skip


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[int, int]]:
    with tempfile.TemporaryDirectory() as made, heads() as port:
        Path(made).chmod(0o755)
        folder = Path(made) / "www"
        for name in FILES:
            (folder / name).parent.mkdir(parents=True, exist_ok=True, mode=0o755)
            (folder / name).write_text(PAGE)
            os.utime(folder / name, (1_000_000_000, 1_000_000_000))
        modules = [*LOADED, "mime", "filter", "deflate", "brotli", "setenvif", "headers"]
        with (
            running(modules, lambda _: [spelled(port, folder)]) as theirs,
            serving_in_a_thread(site(port, folder)) as ours,
        ):
            yield theirs, ours


class Seen(NamedTuple):
    """What matters of an answer."""

    status: str
    coding: str
    vary: str
    tag: str
    whole: bool
    """Whether the body is the page, once it is decoded."""


DECODE: dict[str, Callable[[bytes], bytes]] = {"": bytes, "gzip": gzip.decompress, "br": brotli.decompress}


def ask(port: int, method: str, target: str, *fields: str) -> Seen:
    lines = [f"{method} {target} HTTP/1.1", "Host: c.test", "Connection: close", *fields]
    head, _, body = exchanged(port, "\r\n".join([*lines, "", ""])).partition("\r\n\r\n")
    said = {line.partition(":")[0].lower(): line.partition(": ")[2] for line in head.split("\r\n")[1:]}
    content, status, coding = body.encode("latin-1"), head.split(" ")[1], said.get("content-encoding", "")
    if said.get("transfer-encoding"):
        content = unchunked(content)
    whole = bool(content) and status == "200" and DECODE.get(coding, bytes)(content) == PAGE.encode()
    varies = [line.partition(": ")[2] for line in head.split("\r\n") if line.lower().startswith("vary:")]
    vary = ", ".join(sorted(each.strip() for line in varies for each in line.split(",")))
    return Seen(status, coding, vary, said.get("etag", ""), whole)


def unchunked(data: bytes) -> bytes:
    made = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        made, data = made + data[: int(size, 16)], data[int(size, 16) + 2 :]
    return made


G, OLD, ONLY = "Accept-Encoding: gzip", "User-Agent: Old", "User-Agent: Only"
ALIKE = [
    ("GET", "/a.html"), ("GET", "/a.html", G), ("GET", "/a.css", G), ("GET", "/a.txt", G), ("GET", "/a.png", G),
    ("GET", "/a.html", "Accept-Encoding: br"), ("GET", "/a.html", "Accept-Encoding: gzip, deflate, br"),
    ("GET", "/a.html", "Accept-Encoding: gzip;q=0"), ("GET", "/a.html", "Accept-Encoding: identity"),
    ("GET", "/a.html", "Accept-Encoding: deflate"), ("GET", "/a.html", "Accept-Encoding: GZIP"),
    ("GET", "/a.html", "Accept-Encoding: br;q=1.0, gzip;q=0.5"), ("GET", "/a.html", "Accept-Encoding:"),
    ("HEAD", "/a.html", G), ("HEAD", "/a.html"), ("HEAD", "/a.png", G), ("POST", "/a.html", G, "Content-Length: 0"),
    ("GET", "/a.html", G, OLD), ("GET", "/a.html", G, ONLY), ("GET", "/a.css", G, ONLY), ("GET", "/a.css", ONLY),
    ("GET", "/none", G), ("GET", "/every/a.txt", G), ("GET", "/every/a.txt"),
    ("GET", "/both/a.html", "Accept-Encoding: gzip, br"), ("GET", "/both/a.html", G),
    ("GET", "/both/a.html", "Accept-Encoding: br"), ("GET", "/both/a.html"),
    ("GET", "/a.html", "Range: bytes=0-9"), ("GET", "/a.png", G, "Range: bytes=0-9"),
    ("GET", "/a.html", 'If-None-Match: "other"', G),
    ("GET", "/app", "X-Say-1: Content-Type: text/html", "X-Say-2: ETag: \"a\"", G),
    ("GET", "/app", "X-Say-1: Content-Type: text/plain", G),
    ("GET", "/app", "X-Say-1: Content-Type: text/html", "X-Say-2: Content-Encoding: zstd", G),
    ("GET", "/app", "X-Say-1: Content-Type: text/html;charset=x", "X-Say-2: Vary: Cookie", G),
]  # fmt: skip


@pytest.mark.parametrize("asked", ALIKE, ids=" ".join)
def test_answers_are_coded_as_apache_codes_them(servers: tuple[int, int], asked: tuple[str, ...]) -> None:
    theirs, ours = (ask(port, *asked) for port in servers)
    bare = theirs.tag.replace("-gzip", "").replace("-br", "")
    assert ours.tag == (f"W/{bare}" if ours.coding and bare and theirs.tag != bare else bare)
    assert ours._replace(tag="") == theirs._replace(tag="")


TAG = '"b04-38d7ea4c68000"'
DIFFERENT = [
    # httpd takes any weight but 0, we the greatest.
    (("GET", "/a.html", "Accept-Encoding: identity, gzip;q=0.5"), ("200", "gzip"), ("200", "")),
    (("GET", "/both/a.html", "Accept-Encoding: gzip, br;q=0.1"), ("200", "br"), ("200", "gzip")),
    # It knows no * and no other name of gzip.
    (("GET", "/a.html", "Accept-Encoding: *"), ("200", ""), ("200", "gzip")),
    (("GET", "/a.html", "Accept-Encoding: x-gzip"), ("200", ""), ("200", "gzip")),
    # It codes and takes parts of that, under a strong tag that does not change with the coder; our parts are of what
    # is not coded.
    (("GET", "/a.html", G, "Range: bytes=0-9"), ("206", "gzip"), ("206", "")),
    # Its own tag with -gzip is none that its files know (its bug 45023), so the client gets all again.
    (("GET", "/a.html", G, f'If-None-Match: {TAG[:-1]}-gzip"'), ("200", "gzip"), ("200", "gzip")),
    (("GET", "/a.html", G, f"If-None-Match: W/{TAG}"), ("304", ""), ("304", "")),
    # To it a type in capitals is another one (RFC 9110 §8.3.1 knows no difference).
    (("GET", "/app", "X-Say-1: Content-Type: Text/HTML", G), ("200", ""), ("200", "gzip")),
    # It codes what says no-transform.
    (("GET", "/app", "X-Say-1: Content-Type: text/html", "X-Say-2: Cache-Control: no-transform", G),
     ("200", "gzip"), ("200", "")),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "theirs", "ours"), DIFFERENT, ids=lambda each: " ".join(each))
def test_where_they_differ_each_does_what_the_table_says(
    servers: tuple[int, int], asked: tuple[str, ...], theirs: tuple[str, str], ours: tuple[str, str]
) -> None:
    assert [ask(port, *asked)[:2] for port in servers] == [theirs, ours]


def test_a_304_names_the_tag_that_the_client_has_and_what_the_choice_goes_by(servers: tuple[int, int]) -> None:
    theirs, ours = (ask(port, "GET", "/a.html", G, f"If-None-Match: W/{TAG}") for port in servers)
    assert (theirs.tag, theirs.vary) == (TAG, "")
    assert (ours.tag, ours.vary) == (f"W/{TAG}", "Accept-Encoding")
