"""Wildcards, numbers and the functions on texts are httpd's."""

from __future__ import annotations

import pytest

from proxy_core.rules.expression.functions import FUNCTIONS, glob, number
from tests.rules.expression.test_evaluation import Request


@pytest.mark.parametrize(
    ("pattern", "text", "path", "fits"),
    [
        ("a*c", "abbc", False, True),
        ("a*c", "abcd", False, False),
        ("a?c", "abc", False, True),
        ("a?c", "a\nc", False, True),
        ("[a-c]x", "bx", False, True),
        ("[!a-c]x", "bx", False, False),
        ("[^a-c]x", "dx", False, True),
        ("[]a]", "]", False, True),
        ("[c-a]", "b", False, False),
        ("[!c-a]", "b", False, True),
        (r"[a\-z]", "-", False, True),
        (r"[a\-z]", "m", False, False),
        ("[a-]", "-", False, True),
        ("[a", "[a", False, True),
        (r"\*", "*", False, True),
        (r"\*", "x", False, False),
        ("*", "a/b", False, True),
        ("*", "a/b", True, False),
        ("*/b", "a/b", True, True),
        ("a\\", "a\\", False, True),
        ("", "", False, True),
    ],
)
def test_wildcards_fit_whole_texts(pattern: str, text: str, path: bool, fits: bool) -> None:
    assert glob(pattern, text, path) is fits


@pytest.mark.parametrize(
    ("text", "value"),
    [(" \t-12x", -12), ("+7", 7), ("x", 0), ("", 0), ("9" * 30, 2**63 - 1), ("-" + "9" * 30, -(2**63))],
)
def test_a_text_is_the_number_that_it_begins_with(text: str, value: int) -> None:
    assert number(text) == value


@pytest.mark.parametrize(
    ("name", "arguments", "value"),
    [
        ("tolower", ("AbÉ",), "abÉ"),
        ("escape", ("a b",), "a%20b"),
        ("unescape", ("a%20b%2f",), "a b%2f"),
        ("unescape", ("a%zz",), ""),
        ("unbase64", ("YWI=",), "ab"),
        ("unbase64", ("YQBi",), "a"),
        ("md5", ("a",), "0cc175b9c0f1b6a831c399e269772661"),
        ("replace", ("aba", "a", "c"), "cbc"),
        ("replace", ("aba", "", "c"), "aba"),
    ],
)
def test_functions_on_texts(name: str, arguments: tuple[str, ...], value: str) -> None:
    assert FUNCTIONS[name](Request(), arguments) == value
