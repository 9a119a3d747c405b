"""Texts that are made of an expression are found by it."""

from __future__ import annotations

import pytest

from proxy_core.control.conform.examples import example


@pytest.mark.parametrize(
    ("pattern", "made"),
    [
        ("^/a$", "/a"), (r"^/old/(.*)$", "/old/x"), (r"^/(\d+)-(\w+)$", "/0-a"), ("^/(img|css)/", "/img/"),
        ("^/[^/]+/x", "/a/x"), (r"\.git(/|$)", ".git/"), ("^/a{2,3}b?$", "/aab"), (r"^/(a)\1$", "/aa"),
        ("(?i)android", "android"), ("^$", ""), ("", ""), ("(", None), ("^a(?=b)$", None),
    ],
)  # fmt: skip
def test_an_example(pattern: str, made: str | None) -> None:
    assert example(pattern) == made
