"""Each method keeps what it promises; the sequences against httpd are in conformance."""

from __future__ import annotations

from collections import Counter
from math import gcd
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy_core.balance import lbmethods
from proxy_core.balance.lbmethods import by_hash, bybusyness, byrequests, bytraffic, faded, heartbeat, latency, measured
from proxy_core.balance.member_state import Beat
from tests.balance.pools import pool

WEIGHTS = st.lists(st.integers(1, 12), min_size=1, max_size=6)
NOW = 1000.0


@given(WEIGHTS, st.integers(0, 40))
def test_shares_are_exact_over_any_window_of_a_whole_round(weights: list[int], start: int) -> None:
    members = pool(*weights).members
    turns = sum(weights) // gcd(*weights)
    elected = [byrequests(members) for _ in range(start + turns)][start:]
    assert [elected.count(member) for member in members] == [weight // gcd(*weights) for weight in weights]


@pytest.mark.parametrize("method", [byrequests, bybusyness])
@given(weights=WEIGHTS)
def test_lbstatus_always_sums_to_nothing(method: lbmethods.LbMethod, weights: list[int]) -> None:
    members = pool(*weights).members
    for _ in range(30):
        method(members, NOW, b"")
        assert sum(member.state.lbstatus for member in members) == 0


def test_equal_members_take_turns_in_configured_order() -> None:
    members = pool(1, 1, 1).members
    assert [byrequests(members).key.member for _ in range(6)] == ["m0", "m1", "m2", "m0", "m1", "m2"]


def test_bytraffic_gives_bytes_by_weight_whatever_the_sizes() -> None:
    members, random = pool(3, 1, 2).members, Random(1)
    for _ in range(10_000):
        bytraffic(members).state.read += random.randint(100, 5000)
    total = sum(member.state.read for member in members)
    shares = [member.state.read / total for member in members]
    assert shares == pytest.approx([3 / 6, 1 / 6, 2 / 6], abs=0.01)


def test_bybusyness_goes_by_requests_in_flight_and_takes_turns_among_equals() -> None:
    members = pool(2, 1, 1).members
    for number, busy in enumerate((2, 0, 0)):
        members[number].state.busy = busy
    assert [bybusyness(members).key.member for _ in range(4)] == ["m1", "m2", "m1", "m2"]
    for each in members:
        each.state.busy = each.state.lbstatus = 0
    assert Counter(bybusyness(members).key.member for _ in range(400)) == {"m0": 200, "m1": 100, "m2": 100}


def beats(*reports: tuple[int, int, float]) -> list[float]:
    members = pool(*[1] * len(reports)).members
    for member, (ready, busy, ago) in zip(members, reports, strict=True):
        member.state.beat = Beat(ready, busy, NOW - ago)
    lbmethods.chance.seed(7)
    elected = Counter(found.key for _ in range(4000) if (found := heartbeat(members, NOW)) is not None)
    return [elected[member.key] / 4000 for member in members]


def test_heartbeat_draws_in_proportion_to_the_free_slots_of_the_last_ten_seconds() -> None:
    assert beats((300, 1, 1), (100, 1, 9.9)) == pytest.approx([0.75, 0.25], abs=0.03)
    assert beats((300, 1, 1), (100, 1, 10.1)) == [1.0, 0.0]
    assert beats((400, 0, 1), (100, 1, 1)) == pytest.approx([0.5, 0.5], abs=0.03)  # nothing busy counts for a quarter
    assert beats((0, 9, 1), (5, 9, 1))[0] == 0  # the draw 0 belongs to both, and the last one wins


def test_heartbeat_elects_nobody_when_nobody_has_a_slot() -> None:
    members = pool(1, 1).members
    assert heartbeat(members, NOW) is None
    members[0].state.beat = Beat(0, 9, NOW)
    assert heartbeat(members, NOW) is None


def test_latency_elects_the_shortest_expected_wait() -> None:
    fast, slow, unknown = (members := pool(1, 1, 1).members)
    measured(fast.state, 0.010, NOW)
    measured(slow.state, 0.100, NOW)
    assert latency(members, NOW) is unknown
    assert latency(members[:2], NOW) is fast
    fast.state.busy = 8
    assert latency(members[:2], NOW) is fast
    fast.state.busy = 10
    assert latency(members[:2], NOW) is slow


def test_a_measured_latency_rises_at_once_falls_slowly_and_fades() -> None:
    state = pool(1).members[0].state
    measured(state, 0.010, NOW)
    measured(state, 1.0, NOW)
    assert faded(state, NOW) == 1.0
    measured(state, 0.010, NOW + 0.1)
    assert 0.9 < faded(state, NOW + 0.1) < 1.0
    assert faded(state, NOW + 10.1) == pytest.approx(faded(state, NOW + 0.1) / 2.718, rel=0.01)


def keys(count: int) -> list[bytes]:
    return [b"key-%d" % number for number in range(count)]


def test_hash_shares_keys_by_weight() -> None:
    members = pool(3, 1, 2).members
    counts = Counter(by_hash(members, NOW, key).key for key in keys(6000))
    assert [counts[member.key] / 6000 for member in members] == pytest.approx([3 / 6, 1 / 6, 2 / 6], abs=0.025)


@given(st.lists(st.sampled_from([0.5, 1, 2, 5]), min_size=2, max_size=6), st.data())
def test_hash_moves_only_the_keys_of_who_leaves(weights: list[float], data: st.DataObject) -> None:
    members = pool(*weights).members
    gone = data.draw(st.sampled_from(members))
    rest = [member for member in members if member is not gone]
    for key in keys(200):
        before = by_hash(members, NOW, key)
        assert before is gone or by_hash(rest, NOW, key) is before


def test_hash_moves_keys_only_towards_who_gains_weight() -> None:
    before, after = pool(1, 1, 1).members, pool(1, 2, 1).members
    moved = [
        (one, other)
        for key in keys(3000)
        if (one := by_hash(before, NOW, key).key.member) != (other := by_hash(after, NOW, key).key.member)
    ]
    assert {other for _, other in moved} == {"m1"}
    assert len(moved) / 3000 == pytest.approx(1 / 2 - 1 / 3, abs=0.03)
