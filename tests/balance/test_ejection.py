"""Who is ejected, for how long, and how many at most."""

from __future__ import annotations

import pytest

from proxy_core.balance import passive_checks
from proxy_core.balance.choosing import choose
from proxy_core.config.model import Ejection
from tests.balance.pools import NOW, answer, pool, turns, up


def test_failures_in_a_row_eject_and_a_good_answer_begins_anew() -> None:
    given = pool(1, 1, ejection=Ejection(consecutive=3, seconds=10))
    answer(given, 0, 500, 500, 200, 500, 500)
    assert up(given) == [True, True]
    passive_checks.broke(given, given.members[0], NOW)
    assert up(given) == [False, True]
    assert turns(given, 4, now=NOW + 9.9) == "m1"
    assert up(given, NOW + 10) == [True, True]
    assert turns(given, 4, now=NOW + 10) == "m0 m1 m0 m1"
    assert given.members[0].state.ejections == 1


def test_each_further_ejection_lasts_longer_and_good_windows_forgive() -> None:
    given = pool(1, 1, ejection=Ejection(consecutive=1, seconds=10, window=5))
    state, now = given.members[0].state, NOW
    for step in range(1, 14):
        answer(given, 0, 500, now=now)
        assert state.ejected_until == now + 10 * min(step, 10)
        now = state.ejected_until
        assert up(given, now) == [True, True]
    for _ in range(20):
        now += 5
        answer(given, 0, 200, now=now)
    answer(given, 0, 500, now=now)
    assert state.ejected_until == now + 10


def test_a_bad_part_of_a_window_ejects_once_the_window_says_enough() -> None:
    given = pool(1, 1, ejection=Ejection(consecutive=0, ratio=0.5, minimum=10, window=10))
    answer(given, 0, *[500, 200] * 4, 500)
    assert up(given) == [True, True]
    answer(given, 0, 500)
    assert up(given) == [False, True]
    answer(given, 1, *[500] * 9)
    answer(given, 1, 500, now=NOW + 11)
    assert up(given)[1]


@pytest.mark.parametrize(
    ("count", "share", "most"), [(1, 1, 0), (2, 0.5, 1), (3, 0.5, 1), (4, 0.5, 2), (3, 1, 2), (3, 0.1, 0)]
)
def test_never_more_than_the_share_is_ejected_and_never_all(count: int, share: float, most: int) -> None:
    given = pool(*[1] * count, ejection=Ejection(consecutive=1, share=share))
    for number in range(count):
        answer(given, number, 500)
    assert up(given).count(False) == most


@pytest.mark.parametrize("out", ["draining", "weight 0", "error", "failing"])
def test_the_last_member_that_can_take_requests_is_never_ejected(out: str) -> None:
    draining, empty = out == "draining", out == "weight 0"
    status = ("enabled", "draining" if draining else "enabled")
    given = pool(1, 0 if empty else 1, status=status, ejection=Ejection(consecutive=1), forcerecovery=False)  # type: ignore[arg-type]
    other = given.members[1].state
    other.error_at, other.failing = NOW * (out == "error"), out == "failing"
    answer(given, 0, 500)
    assert choose(given, NOW) is given.members[0]


def test_a_window_takes_a_step_back_only_when_its_answers_were_good_and_there_were_some() -> None:
    given = pool(1, 1, ejection=Ejection(consecutive=2, seconds=1, window=5))
    state = given.members[0].state
    now = NOW
    for _ in range(3):
        answer(given, 0, 500, 500, now=now)
        now += 10
    assert state.ejection_step == 3
    answer(given, 0, 200, now=now)  # closes the empty window that the ejection left
    assert state.ejection_step == 3
    answer(given, 0, 500, now=now + 5)  # closes the good one
    assert state.ejection_step == 2
    answer(given, 0, 200, now=now + 9)
    answer(given, 0, 200, now=now + 10)  # closes one with a failure among good answers
    assert state.ejection_step == 2
    for window in range(3, 9):
        answer(given, 0, 200, now=now + 5 * window)
    assert state.ejection_step == 0
