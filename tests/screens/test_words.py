"""Numbers and texts in words: stable widths, and nothing that a terminal would obey."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from rproxy_tui import words


@pytest.mark.parametrize(
    ("number", "expected"),
    [(0, "0"), (999, "999"), (9_999, "9,999"), (10_000, "10.0k"), (99_960, "100k"), (999_600, "1.00M"), (5e9, "5.00G")],
)
def test_counts(number: float, expected: str) -> None:
    assert words.count(number) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(-1, "–"), (0, "0.00"), (0.00085, "0.85"), (0.0123, "12.3"), (0.15, "150"), (1.502, "1,502"), (250.0, "250k")],
)
def test_milliseconds(seconds: float, expected: str) -> None:
    assert words.millis(seconds) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"), [(-3, "0 s"), (12.4, "12 s"), (180, "3 min"), (7200, "2 h"), (259_200, "3 days")]
)
def test_spans(seconds: float, expected: str) -> None:
    assert words.span(seconds) == expected


@given(st.floats(0, 1e13))
def test_numbers_keep_to_their_width(number: float) -> None:
    assert len(words.count(number)) <= 5
    assert len(words.rate(number)) <= 5
    assert len(words.millis(min(number, 86_400))) <= 6


@given(st.text(max_size=50), st.integers(0, 40))
def test_what_is_shown_is_printable_and_never_wider_than_it_may(text: str, width: int) -> None:
    shown = words.printable(text)
    assert shown.isprintable()
    assert cell_len(words.clip(shown, width)) <= width
    assert cell_len(words.middle(shown, width)) <= width
    assert cell_len(words.pad(words.clip(shown, width), width)) == width
