"""What condition a member is in, and when what is held against it is over: nothing needs noting for that."""

from __future__ import annotations

import dataclasses
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from proxy_core.balance import passive_checks
from proxy_core.balance.choosing import choose
from proxy_core.balance.member_health import condition, cut_at, cut_off, health, ramp, retry_in, usable
from proxy_core.balance.member_state import Checked, MemberKey, MemberState
from proxy_core.balance.shares import shares
from proxy_core.config.model import Ejection
from tests.balance.pools import NOW, answer, pool, up

KEY = MemberKey("p", "a")
REFUSED = {"error_at": NOW, "last_error": "refused"}


@pytest.mark.parametrize(
    ("state", "after", "word", "tried", "trusted"),
    [
        ({}, 0, "unknown", True, True),
        ({"answered": 1}, 0, "up", True, True),
        ({"check": Checked()}, 0, "unknown", True, True),
        ({"check": Checked(at=NOW)}, 0, "up", True, True),
        ({"check": Checked(at=NOW, passed=False)}, 0, "unknown", True, True),
        ({"answered": 1, "last_error": "refused"}, 0, "error", True, True),
        (REFUSED, 60, "error", False, False),
        (REFUSED, 60.1, "error", True, False),
        ({**REFUSED, "unresolved": True}, 0, "unresolved", False, False),
        ({**REFUSED, "ejected_until": NOW + 70}, 69, "ejected", False, False),
        ({**REFUSED, "ejected_until": NOW + 70}, 70, "error", True, False),
        ({"answered": 1, "ejected_until": NOW + 5}, 4.9, "ejected", False, False),
        ({"answered": 1, "ejected_until": NOW + 5}, 5, "up", True, True),
        ({"failing": True, "ejected_until": NOW + 5}, 0, "failing", False, False),
        ({"failing": True, "answered": 1}, inf, "failing", False, False),
    ],
)
def test_the_worst_that_is_held_against_a_member_is_its_condition(state, after, word, tried, trusted) -> None:
    member = MemberState(KEY, **state)
    found = condition(member, 60.0, NOW + after)
    assert (health(member, 60.0, NOW + after), found.usable, found.trusted) == (word, tried, trusted)


@given(
    st.builds(
        MemberState,
        st.just(KEY),
        error_at=st.sampled_from([0.0, NOW - 100, NOW - 60, NOW]),
        ejected_until=st.sampled_from([0.0, NOW - 1, NOW, NOW + 1]),
        failing=st.booleans(),
        last_error=st.sampled_from(["", "refused"]),
        ramp_at=st.sampled_from([0.0, NOW - 5]),
    )
)
def test_asking_changes_nothing_and_the_short_way_gives_the_same_answer(state: MemberState) -> None:
    balancer = pool(1, 1, slow_start=10.0)
    member = replace(balancer.members[0], state=state)
    before = dataclasses.replace(state)
    assert usable(member, NOW) == condition(state, member.member.retry, NOW).usable
    ramp(state, 10.0, NOW)
    cut_off(state, NOW)
    retry_in(state, 60.0, NOW)
    shares(balancer.lbsets, lambda members: [each for each in members if usable(each, NOW)])
    assert state == before


def test_people_are_told_how_long_a_member_is_still_left_alone() -> None:
    assert retry_in(MemberState(KEY), 60.0, NOW) == 0.0
    assert retry_in(MemberState(KEY, error_at=NOW), 60.0, NOW + 20) == 40.0
    assert retry_in(MemberState(KEY, error_at=NOW, ejected_until=NOW + 90), 60.0, NOW + 20) == 70.0
    assert retry_in(MemberState(KEY, error_at=NOW), 60.0, NOW + 61) == 0.0


def test_a_drain_is_cut_off_after_its_time_and_never_without_one() -> None:
    drained = MemberState(KEY, drain_at=NOW, drain_timeout=5.0)
    assert [cut_off(drained, NOW + after) for after in (0, 5, 5.1)] == [False, False, True]
    assert cut_at(drained) == NOW + 5
    for state in (MemberState(KEY, drain_at=NOW), MemberState(KEY, drain_timeout=5.0)):
        assert cut_at(state) == inf
        assert not cut_off(state, NOW + 1e9)


def test_a_member_that_recovers_starts_slowly() -> None:
    given = pool(1, 1, slow_start=10)
    state = given.members[0].state
    passive_checks.failed(state, NOW, "refused")
    passive_checks.worked(given.members[0], NOW + 1)
    assert [ramp(state, 10, NOW + after) for after in (1, 2, 6, 11, 99)] == [0.1, 0.1, 0.5, 1.0, 1.0]
    assert ramp(state, 0, NOW + 1) == 1.0
    passive_checks.failed(state, NOW, "refused")
    state.failing = True
    passive_checks.recovered(state, NOW + 20)
    assert up(given, NOW + 20)[0]
    assert ramp(state, 10, NOW + 21) == pytest.approx(0.1)


def test_a_member_starts_slowly_from_the_end_of_its_ejection_whether_or_not_anybody_looked() -> None:
    given = pool(1, 1, slow_start=10, ejection=Ejection(consecutive=1, seconds=5))
    answer(given, 0, 500)
    state = given.members[0].state
    assert [ramp(state, 10, NOW + after) for after in (5, 9, 15)] == [0.1, 0.4, 1.0]
    taken = [choose(given, NOW + 9) for _ in range(14)]
    assert taken.count(given.members[0]) == 4
    taken = [choose(given, NOW + 15) for _ in range(14)]
    assert taken.count(given.members[0]) == 7
