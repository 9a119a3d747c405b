"""Which coding a client gets, what is never coded, and the fields of what is."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from proxy_core.http.content_coding import ChoiceBasis, CodingChoice, Offer, accepted, asked, choice, choose, fields

ALL = ("zstd", "br", "gzip")
OFFER = Offer(frozenset((b"text/*", b"application/json")), 10, dict.fromkeys(ALL, 1))
TAKES = ChoiceBasis(b"", b"gzip, br, zstd")
HTML = [b"HTTP/1.1 200 OK", b"Content-Type: text/html; charset=utf-8"]


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        (None, ""),
        (b"", ""),
        (b"gzip", "gzip"),
        (b"x-gzip", "gzip"),
        (b"GZIP", "gzip"),
        (b"gzip, deflate, br, zstd", "zstd"),
        (b"gzip, br", "br"),
        (b"gzip;q=1.0, br;q=0.9", "gzip"),
        (b"gzip ; q=0.5 , br; q=0.4", "gzip"),
        (b"gzip;q=0", ""),
        (b"gzip;q=0.000, br", "br"),
        (b"*", "zstd"),
        (b"*;q=0", ""),
        (b"zstd;q=0, *", "br"),
        (b"gzip;q=0.2, *;q=0", "gzip"),
        (b"identity", ""),
        (b"identity, gzip;q=0.5", ""),
        (b"identity;q=0.5, gzip;q=0.5", "gzip"),
        (b"identity;q=0, gzip;q=0.1", "gzip"),
        (b"identity;q=0", ""),
        (b"deflate, compress", ""),
        (b"gzip;q=2", ""),
        (b"gzip;level=1", ""),
        (b"gz\x00ip, br", "br"),
    ],
)  # fmt: skip
def test_the_coding_that_a_client_likes_best_is_chosen_and_the_first_among_equals(
    accept: bytes | None, coding: str
) -> None:
    assert choose(accept, ALL)[0] == coding


@pytest.mark.parametrize(
    ("status", "more", "length", "words"),
    [
        (206, [b"Content-Encoding: br"], 100, "part of a body"),
        (204, [], 0, "no body"),
        (200, [b"Content-Range: bytes 0-9/20"], 100, "part of a body"),
        (200, [b"Content-Encoding: br"], 100, "coded already"),
        (200, [b"cache-control: public, No-Transform"], 100, "no-transform"),
        (200, [], 9, "less than min_length"),
        (200, [], 0, "less than min_length"),
    ],
)
def test_what_must_be_left_alone_is_and_says_nothing_of_a_choice(
    status: int, more: list[bytes], length: int, words: str
) -> None:
    found = choice(OFFER, TAKES, status, [*HTML, *more], length)
    assert (found.coding, found.varies) == ("", False)
    assert words in found.why


def test_a_part_of_a_body_says_that_the_whole_may_be_coded() -> None:
    assert choice(OFFER, TAKES, 206, [*HTML, b"Content-Range: bytes 0-9/20"], 10).varies


@pytest.mark.parametrize("kind", [b"Content-Type: image/png", b"Content-Type: textual/html", b"X: y"])
def test_a_type_that_is_not_named_is_left_alone(kind: bytes) -> None:
    assert choice(OFFER, TAKES, 200, [HTML[0], kind], 100).coding == ""


@pytest.mark.parametrize("length", [10, -1, -2])
@pytest.mark.parametrize("more", [[], [b"Content-Encoding: identity"], [b"Cache-Control: private"]])
def test_what_is_long_enough_or_of_unknown_length_is_coded(length: int, more: list[bytes]) -> None:
    found = choice(OFFER, TAKES, 200, [*HTML, *more], length)
    assert (found.coding, found.varies) == ("zstd", True)


def test_every_type_is_taken_by_a_star() -> None:
    every = replace(OFFER, types=frozenset((b"*/*",)))
    assert choice(every, TAKES, 200, [HTML[0], b"Content-Type: Image/PNG"], 100).coding == "zstd"
    assert choice(every, TAKES, 200, HTML[:1], 100).coding == ""


def test_who_takes_no_coding_is_told_that_others_may_get_one() -> None:
    assert choice(OFFER, ChoiceBasis(b"", None), 200, HTML, 100) == CodingChoice(
        "", "the client says nothing of codings", True
    )


@pytest.mark.parametrize(
    ("env", "coding", "varies"),
    [
        (["no-gzip"], "", False),
        (["no-brotli"], "gzip", True),
        (["gzip-only-text/html"], "", False),
    ],
)
def test_variables_spare_single_requests(env: list[str], coding: str, varies: bool) -> None:
    only_gzip = replace(OFFER, levels={"gzip": 1} if "no-brotli" not in env else {"br": 1, "gzip": 1})
    plain = [HTML[0], b"Content-Type: text/plain"]
    found = choice(only_gzip, ChoiceBasis(b"", b"gzip, br", env), 200, plain, 100)
    assert (found.coding, found.varies) == (coding, varies)
    if env == ["gzip-only-text/html"]:
        assert choice(only_gzip, ChoiceBasis(b"", b"gzip", env), 200, HTML, 100).coding == "gzip"


def test_only_a_1_says_gzip_only_text_html() -> None:
    assert "gzip-only-text/html" in asked(b"", b"", [("gzip-only-text/html", "1")]).env
    assert "gzip-only-text/html" not in asked(b"", b"", [("gzip-only-text/html", "0")]).env


@pytest.mark.parametrize(
    ("request_line", "answer"),
    [(b"Cookie: a=b", b""), (b"authorization: Basic eDp5", b""), (b"", b"Set-Cookie: a=b")],
)
def test_what_may_hold_a_secret_is_spared_where_the_site_says_so(request_line: bytes, answer: bytes) -> None:
    head = b"GET / HTTP/1.1\r\nAccept-Encoding: br\r\n%b\r\n\r\n" % request_line
    lines = [*HTML, *filter(None, [answer])]
    assert choice(OFFER, asked(head, head), 200, lines, 100).coding == "br"
    found = choice(replace(OFFER, spare_secrets=True), asked(head, head), 200, lines, 100)
    assert (found.coding, found.varies) == ("", True)


def test_lines_of_accept_encoding_are_one_list() -> None:
    assert accepted(b"GET / HTTP/1.1\r\nACCEPT-encoding: br\r\nAccept-Encoding: gzip\r\n\r\n") == b" br, gzip"
    assert accepted(b"GET / HTTP/1.1\r\nX-Accept-Encoding: br\r\n\r\n") is None


def test_the_fields_of_what_is_coded_say_so_and_nothing_more_of_the_bytes_before() -> None:
    lines = [*HTML, b'ETag: "a"', b"Accept-Ranges: bytes", b"Content-MD5: x", b"Digest: y", b"vary: Cookie"]
    made = fields(CodingChoice("br", "", True, True), lines)
    assert made == [*HTML, b'ETag: W/"a"', b"vary: Cookie", b"Content-Encoding: br", b"Vary: Accept-Encoding"]


@pytest.mark.parametrize("vary", [b"Vary: *", b"VARY: cookie, accept-ENCODING"])
def test_vary_is_said_once(vary: bytes) -> None:
    assert fields(CodingChoice("", "", True), [*HTML, vary, b'ETag: "a"']) == [*HTML, vary, b'ETag: "a"']


@pytest.mark.parametrize(
    ("known", "tag", "weak"),
    [
        (b'W/"a"', b'"a"', True),
        (b'W/"b", W/"a"', b'"a"', True),
        (b'"a", W/"a"', b'"a"', False),
        (b'"a"', b'"a"', False),
        (b'W/"a"', b'W/"a"', False),
    ],
)
def test_a_304_names_the_form_of_the_tag_that_the_client_has(known: bytes, tag: bytes, weak: bool) -> None:
    head = b"GET / HTTP/1.1\r\nIf-None-Match: %b\r\n\r\n" % known
    found = choice(OFFER, asked(head, head), 304, [b"HTTP/1.1 304 Not Modified", b"ETag: " + tag], -1)
    assert (found.coding, found.varies, found.weak) == ("", True, weak)
