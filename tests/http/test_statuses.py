"""Sets of statuses mean what they spell, and what is none is told."""

from __future__ import annotations

import pytest

from proxy_core.http.statuses import error_statuses, status_ranges


@pytest.mark.parametrize(("said", "meant"), [(("404",), [404]), (("5xx", "404"), [*range(500, 600), 404])])
def test_statuses_are_numbers_or_classes(said: tuple[str, ...], meant: list[int]) -> None:
    assert error_statuses(said) == meant


@pytest.mark.parametrize("said", ["200", "6xx", "x", "", "40", "4040", "4x4", "٤٠٤"])
def test_what_is_no_error_is_refused_in_words(said: str) -> None:
    with pytest.raises(ValueError, match="is no status of an error"):
        error_statuses([said])


@pytest.mark.parametrize(
    ("written", "meant"), [((), set()), (("503",), {503}), (("200-202", "599"), {200, 201, 202, 599})]
)
def test_ranges_have_both_their_ends(written: tuple[str, ...], meant: set[int]) -> None:
    assert status_ranges(written) == meant


@pytest.mark.parametrize(("written", "words"), [("600", "is no status"), ("5xx", "is no status"), ("299-200", "ends")])
def test_what_is_no_range_is_refused_in_words(written: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        status_ranges([written])
