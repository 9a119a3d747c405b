"""Schemes, queries and escapes of URLs are mod_rewrite's."""

from __future__ import annotations

import pytest

from proxy_core.rules.rewriting.flags import Flags
from proxy_core.rules.rewriting.urls import escaped_absolute, reference_escape, scheme, split_query

ALL = "".join(map(chr, range(256)))


@pytest.mark.parametrize(
    ("uri", "length", "query"),
    [("http://h/x", 7, True), ("FTP://h/", 6, False), ("news:x.y", 5, False), ("mailto:a@b", 7, True), ("/x", 0, True),
     ("balancer://b/x", 11, True), ("other://h/x", 0, True), ("ws://", 0, True)],
)  # fmt: skip
def test_schemes_are_known_with_their_length(uri: str, length: int, query: bool) -> None:
    assert scheme(uri) == (length, query)


@pytest.mark.parametrize(
    ("uri", "args", "flags", "drops", "wanted"),
    [
        ("/a", "q", Flags(), False, ("/a", "q")),
        ("/a", "q", Flags(), True, ("/a", None)),
        ("/a?n", "q", Flags(), False, ("/a", "n")),
        ("/a?n", "q", Flags(qsappend=True), False, ("/a", "n&q")),
        ("/a?n", None, Flags(qsappend=True), False, ("/a", "n")),
        ("/a?n", "q", Flags(qsdiscard=True), False, ("/a", "n")),
        ("/a", "q", Flags(qsdiscard=True), False, ("/a", None)),
        ("/a?b?n", "q", Flags(qslast=True), False, ("/a?b", "n")),
        ("/a?", "q", Flags(), False, ("/a", None)),
        ("ftp://h/a?n", "q", Flags(), False, ("ftp://h/a?n", None)),
    ],
)
def test_a_query_is_split_off_and_joined(
    uri: str, args: str | None, flags: Flags, drops: bool, wanted: tuple[str, str | None]
) -> None:
    assert split_query(uri, args, flags, drops) == wanted


@pytest.mark.parametrize(
    ("flags", "text", "escaped"),
    [
        (Flags(), "a b/é_1", "a+b%2f%e9_1"),
        (Flags(noplus=True), "a b", "a%20b"),
        (Flags(escapes="/"), "a b/c?", "a b%2fc?"),
        (Flags(keeps="/"), "a/b?", "a/b%3f"),
        (Flags(ctls=True), "a b\x7f\n/", "a+b%7f%0a/"),
        (Flags(ctls=True, escapes="/"), "a/b", "a%2fb"),
    ],
)
def test_what_groups_hold_is_escaped_as_the_flags_say(flags: Flags, text: str, escaped: str) -> None:
    assert reference_escape(flags)(text) == escaped


@pytest.mark.parametrize(
    ("uri", "skip", "escaped"),
    [("http://h?a/b c?d", 7, "http://h?a/b%20c%3fd"), ("http://h", 7, "http://h"), ("mailto:a b", 7, "mailto:a%20b"),
     ("ldap://h/a?b c", 7, "ldap://h/a?b%20c")],
)  # fmt: skip
def test_a_url_is_escaped_behind_its_host(uri: str, skip: int, escaped: str) -> None:
    assert escaped_absolute(uri, skip) == escaped
