"""Escapes keep a text one word of a line, and what was decoded leniently ends where httpd ends it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy_core.http.escaping import base64_decoded, breaks_field, breaks_target, sendable, uri_escaped

BYTES = "".join(map(chr, range(256)))


@given(st.text(alphabet=[chr(number) for number in range(256)]))
def test_what_is_sendable_is_one_word_of_a_request_line(text: str) -> None:
    assert re.fullmatch(rb"[\x21\x22\x24-\x7e]*", sendable(text))


def test_a_path_is_escaped_in_lower_case_but_for_what_httpd_keeps() -> None:
    assert uri_escaped("/a b?c#d%é") == "/a%20b%3fc%23d%25%e9"
    kept = "".join(each for each in BYTES if uri_escaped(each) == each)
    assert set(kept) == set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789$-_.+!*'(),:;@&=/~")


@pytest.mark.parametrize(
    ("data", "decoded"),
    [(b"YWI=", b"ab"), (b"YWI", b"ab"), (b"YWJj!YWJj", b"abc"), (b"YWJjZ", b"abc"), (b"", b""), (b"=", b"")],
)
def test_base64_is_read_up_to_the_first_other_character(data: bytes, decoded: bytes) -> None:
    assert base64_decoded(data) == decoded


def test_a_target_is_broken_by_blanks_and_controls_and_a_field_by_controls_but_the_tab() -> None:
    assert "".join(each for each in BYTES if breaks_target(each)) == BYTES[:0x21] + "\x7f"
    assert "".join(each for each in BYTES if breaks_field(each)) == BYTES[:0x20].replace("\t", "") + "\x7f"
