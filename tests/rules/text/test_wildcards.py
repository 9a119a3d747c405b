"""Wildcards of expressions and of sections mean the same, whether they are asked or made regular expressions."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy_core.rules.text import pattern
from proxy_core.rules.text.wildcards import glob, is_wild, regex_of


@pytest.mark.parametrize(
    ("wild", "text", "holds"),
    [
        ("a[b-d]e", "ace", True),
        ("a[b-d]e", "a-e", False),
        ("a[!b-d]e", "ace", False),
        ("a[!b-d]e", "axe", True),
        ("a[^b-d]e", "ace", False),
        ("a[]x]e", "a]e", True),
        ("a[!b]e", "a/e", False),
        ("a[b/c]?", "abe", False),
        ("*\\[1\\]", "x[1]", True),
        ("a[b", "a[b", True),
        ("a\\[1\\]", "a[1]", False),
        ("a?c", "a/c", False),
    ],
)
def test_a_pattern_of_a_path_takes_what_httpd_takes(wild: str, text: str, holds: bool) -> None:
    regex = f"^{regex_of(wild, '[^/]')}$"
    assert (pattern.compile(regex).search(text) is not None) == holds
    assert (re.search(regex, text) is not None) == holds


_TEXTS = st.text("ab-]![^\\*?.", max_size=6)


@given(wild=_TEXTS, text=_TEXTS)
def test_as_a_regular_expression_a_pattern_means_the_same(wild: str, text: str) -> None:
    if is_wild(wild):
        assert (re.fullmatch(regex_of(wild, "."), text, re.DOTALL) is not None) == glob(wild, text)
    else:
        assert re.fullmatch(regex_of(wild, "."), text) is None or text == wild
