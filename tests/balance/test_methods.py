"""byrequests keeps its promises: exact shares, turns spread out, a sum that never drifts."""

from __future__ import annotations

from math import gcd

from hypothesis import given
from hypothesis import strategies as st

from proxy_core.balance.methods import byrequests
from tests.balance.pools import pool

WEIGHTS = st.lists(st.integers(1, 12), min_size=1, max_size=6)


@given(WEIGHTS, st.integers(0, 40))
def test_shares_are_exact_over_any_window_of_a_whole_round(weights: list[int], start: int) -> None:
    members = pool(*weights).members
    turns = sum(weights) // gcd(*weights)
    elected = [byrequests(members) for _ in range(start + turns)][start:]
    assert [elected.count(member) for member in members] == [weight // gcd(*weights) for weight in weights]


@given(WEIGHTS)
def test_lbstatus_always_sums_to_nothing(weights: list[int]) -> None:
    members = pool(*weights).members
    for _ in range(30):
        byrequests(members)
        assert sum(member.state.lbstatus for member in members) == 0


def test_equal_members_take_turns_in_configured_order() -> None:
    members = pool(1, 1, 1).members
    assert [byrequests(members).key.member for _ in range(6)] == ["m0", "m1", "m2", "m0", "m1", "m2"]
