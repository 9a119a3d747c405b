"""The index finds what trying every row in order finds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy_core.rules.routing.prefixes import collapsed, first, index, takes

SEGMENTS = st.sampled_from([b"", b"a", b"b", b"ab", b"c"])
PATHS = st.lists(SEGMENTS, min_size=1, max_size=5).map(lambda parts: collapsed(b"/" + b"/".join(parts)))


@given(st.lists(st.one_of(st.none(), PATHS), max_size=12), PATHS)
def test_the_index_finds_the_first_row_that_takes_the_path(prefixes: list[bytes | None], path: bytes) -> None:
    by_trying = (n for n, prefix in enumerate(prefixes) if prefix is not None and takes(prefix, path))
    assert first(index(prefixes), path) == next(by_trying, len(prefixes))


@pytest.mark.parametrize(
    ("prefixes", "path", "number"),
    [
        ([b"/a", b"/a/b"], b"/a/b", 0),
        ([b"/a", b"/a/b"], b"/a/b/c", 0),
        ([b"/a/b", b"/a"], b"/a/b", 0),
        ([b"/a/b", b"/a"], b"/a/c", 1),
        ([b"/", b"/a"], b"/a", 0),
        ([b"/a/", b"/a"], b"/a", 1),
        ([None, b"/a"], b"/a", 1),
        ([b"/a/b"], b"/a", 1),
    ],
)
def test_the_first_row_counts_however_long_the_others_are(
    prefixes: list[bytes | None], path: bytes, number: int
) -> None:
    assert first(index(prefixes), path) == number


@pytest.mark.parametrize(
    ("prefix", "taken", "left"),
    [
        (b"/", [b"/", b"/a", b"/a/b"], []),
        (b"/a", [b"/a", b"/a/", b"/a/b"], [b"/", b"/ab", b"/a.html", b"/a;v=1", b"/A", b"/b/a"]),
        (b"/a/", [b"/a/", b"/a/b"], [b"/a", b"/ab", b"/"]),
        (b"/a/b", [b"/a/b", b"/a/b/c"], [b"/a", b"/a/", b"/a/bc"]),
    ],
)
def test_a_prefix_takes_whole_segments(prefix: bytes, taken: list[bytes], left: list[bytes]) -> None:
    assert [path for path in taken + left if takes(prefix, path)] == taken


def test_slashes_of_a_configured_prefix_are_merged() -> None:
    assert collapsed(b"//a////b///") == b"/a/b/"


def test_a_path_of_thousands_of_segments_is_no_trouble() -> None:
    deep = b"/a" * 4000
    assert first(index([deep, b"/a"]), deep) == 0
    assert first(index([b"/b", b"/a"]), deep) == 1
