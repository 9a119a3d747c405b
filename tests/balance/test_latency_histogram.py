"""Durations in buckets, and percentiles of what is in them."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy_core.balance.latency_histogram import BUCKETS, bucket_of, percentiles, seconds_of


@given(st.floats(8e-6, 8000))
def test_a_bucket_is_at_most_a_sixteenth_away_from_what_is_in_it(seconds: float) -> None:
    assert seconds_of(bucket_of(seconds)) == pytest.approx(seconds, rel=0.0626)


def test_what_is_too_long_or_too_short_has_a_bucket_too() -> None:
    assert bucket_of(0.0) == bucket_of(1e-6) == 0
    assert bucket_of(1e9) == BUCKETS - 1


@given(st.lists(st.floats(1e-5, 100), min_size=1))
def test_percentiles_are_those_of_all_durations_to_within_their_buckets(seconds: list[float]) -> None:
    half = len(seconds) // 2
    found = percentiles([Counter(map(bucket_of, part)) for part in (seconds[:half], seconds[half:])])
    ordered = sorted(seconds)
    for value, part in zip(found, (0.50, 0.95, 0.99), strict=True):
        rank = next(n for n in range(1, len(ordered) + 1) if n >= part * len(ordered))
        assert value == seconds_of(bucket_of(ordered[rank - 1]))


def test_there_are_no_percentiles_of_nothing() -> None:
    assert percentiles([]) == percentiles([{}, {}]) == (-1.0, -1.0, -1.0)
