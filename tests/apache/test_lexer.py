"""Lines and words are read as httpd reads them (ap_cfg_getline and ap_getword_conf in server/util.c)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy_core.apache.lexer import SourcePlace, filled, lines, rest, rewrite_words, split, words

LINES = [
    ("one\ntwo\n", [(1, "one"), (2, "two")]),
    ("one \\\n two\nthree", [(1, "one  two"), (3, "three")]),
    ("# a comment \\\nwhich goes on\nthree", [(3, "three")]),
    ("  indented # no comment  ", [(1, "indented # no comment")]),
    ("a\r\nb", [(1, "a"), (2, "b")]),
    ("last \\", [(1, "last")]),
    ("a \\ \nb", [(1, "a \\"), (2, "b")]),
]


@pytest.mark.parametrize(("text", "found"), LINES)
def test_lines_are_joined_and_numbered(text: str, found: list[tuple[int, str]]) -> None:
    assert list(lines(text, "f")) == [(SourcePlace("f", number), line) for number, line in found]


def test_a_dump_says_where_each_line_came_from() -> None:
    dump = "# In file: /etc/one\n#   5:\nServerName x\n#   8:\n<Location /a>\n  #   9:\n  Options None\n</Location>\n"
    assert list(lines(dump, "dump"))[:3] == [
        (SourcePlace("/etc/one", 5), "ServerName x"),
        (SourcePlace("/etc/one", 8), "<Location /a>"),
        (SourcePlace("/etc/one", 9), "Options None"),
    ]


WORDS = [
    ("a b  c", ["a", "b", "c"]),
    ('"a b" c', ["a b", "c"]),
    ("'a \"b' c", ['a "b', "c"]),
    (r'"a \"b\" \\ \d" c', [r'a "b" \ \d', "c"]),
    (r"^/(\d+)\.x$ \\", [r"^/(\d+)\.x$", "\\"]),
    ('"" x', ["", "x"]),
    ('a"b c"', ['a"b', 'c"']),
    ('"never closed', ["never closed"]),
]


@pytest.mark.parametrize(("text", "found"), WORDS)
def test_words_are_parted_and_unquoted(text: str, found: list[str]) -> None:
    assert list(words(text)) == found


REWRITE_WORDS = [
    (r"^/a\\\\b$ /x [R]", [r"^/a\\\\b$", "/x", "[R]"]),
    (r'"^/a\\d" /x', [r"^/a\\d", "/x"]),
    ("'^/a \"b' /x", ['^/a "b', "/x"]),
    (r"^/a\ b$ /x", [r"^/a\ b$", "/x"]),
    (' "" x', ["", "x"]),
]


@pytest.mark.parametrize(("text", "found"), REWRITE_WORDS)
def test_rules_keep_their_backslashes(text: str, found: list[str]) -> None:
    assert list(rewrite_words(text)) == found


def test_the_rest_of_a_line_stands_as_it_is() -> None:
    assert rest('name "a b"  c', 1) == '"a b"  c'
    assert rest("'a b' c d", 1) == "c d"


@given(st.lists(st.text(st.characters(codec="latin-1", exclude_characters="\0"))))
def test_words_in_quotes_come_out_as_they_went_in(texts: list[str]) -> None:
    quoted = ['"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' for text in texts]
    assert list(words(" ".join(quoted))) == texts


@given(st.text())
def test_no_text_breaks_the_lexer(text: str) -> None:
    for _, line in lines(text, "f"):
        list(words(split(line)[1]))


def test_variables_are_filled_in_and_maps_are_left_alone() -> None:
    assert filled("${A}/${map:key}/${B}", {"A": "x"}) == "x/${map:key}/${B}"
