"""What answers and failures do to a member: errors, ejection with its cap, slow start."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from proxy_core.balance import outcome
from proxy_core.balance.select import choose, ramp, usable
from proxy_core.balance.state import Pool
from proxy_core.config.model import Ejection
from tests.balance.pools import member, pool, pool_of

NOW = 1000.0


def answer(given: Pool, number: int, *statuses: int, now: float = NOW) -> None:
    for status in statuses:
        outcome.answered(given, given.members[number], now, status, 0.01)


def up(given: Pool, now: float = NOW) -> list[bool]:
    return [usable(member, now) for member in given.members]


def test_failonstatus_puts_a_member_in_error_and_other_statuses_do_not() -> None:
    given = pool(1, 1, failonstatus=("500-502",))
    answer(given, 0, 503, 404, 200)
    assert up(given) == [True, True]
    answer(given, 0, 502)
    assert up(given) == [False, True]
    assert given.members[0].state.last_error == "answered 502"
    assert up(given, NOW + 61) == [True, True]


def test_silence_is_an_error_only_with_failontimeout() -> None:
    for allowed in (False, True):
        given = pool(1, 1, failontimeout=allowed)
        outcome.silent(given, given.members[0], NOW, 5)
        assert up(given) == [not allowed, True]


def test_a_member_that_ignores_errors_is_never_in_error_but_says_what_was() -> None:
    given = pool_of({"a": member(0, ignore_errors=True)}, failonstatus=("500",), failontimeout=True)
    outcome.unreachable(given, given.members[0], NOW, "refused")
    answer(given, 0, 500)
    outcome.silent(given, given.members[0], NOW, 5)
    assert up(given) == [True]
    assert given.members[0].state.last_error == "refused"


def test_failures_in_a_row_eject_and_a_good_answer_begins_anew() -> None:
    given = pool(1, 1, ejection=Ejection(consecutive=3, seconds=10))
    answer(given, 0, 500, 500, 200, 500, 500)
    assert up(given) == [True, True]
    outcome.broke(given, given.members[0], NOW)
    assert up(given) == [False, True]
    assert up(given, NOW + 10) == [True, True]
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


@pytest.mark.parametrize("what", ["refused", "500", "broke", "silent"])
def test_what_happened_at_an_origin_that_an_edit_replaced_says_nothing_of_the_new_one(what: str) -> None:
    given = pool(1, 1, ejection=Ejection(consecutive=1), failonstatus=("500",), failontimeout=True, method="latency")
    member = given.members[0]
    member.state.upstream = given.members[1].upstream
    before = replace(member.state)
    match what:
        case "refused":
            outcome.unreachable(given, member, NOW, "no address", unresolved=True)
        case "500":
            answer(given, 0, 500)
        case "broke":
            outcome.broke(given, member, NOW)
        case _:
            outcome.silent(given, member, NOW, 5)
    assert member.state == before
    member.state.error_at, member.state.last_error = NOW, "refused"
    outcome.worked(member, NOW)
    assert member.state.error_at == NOW


def test_a_member_that_recovers_or_comes_back_from_an_ejection_starts_slowly() -> None:
    given = pool(1, 1, slow_start=10, ejection=Ejection(consecutive=1, seconds=5))
    a, b = (member.state for member in given.members)
    outcome.failed(a, NOW, "refused")
    outcome.worked(given.members[0], NOW + 1)
    answer(given, 1, 500)
    assert up(given, NOW + 6) == [True, True]
    assert [ramp(state, 10, NOW + 6) for state in (a, b)] == [0.5, 0.1]
    assert ramp(a, 10, NOW + 12) == 1.0
    assert a.ramp_at == 0.0
    outcome.failed(a, NOW, "refused")
    a.failing = True
    outcome.recovered(a, NOW + 20)
    assert up(given, NOW + 20)[0]
    assert ramp(a, 10, NOW + 21) == pytest.approx(0.1)


@pytest.mark.parametrize(("method", "full"), [("byrequests", 0.5), ("hash", 0.5)])
def test_the_share_of_a_slow_start_grows_to_the_whole(method: str, full: float) -> None:
    given = pool(1, 1, slow_start=10, method=method)
    given.members[0].state.ramp_at = NOW
    shares = []
    for step in (0, 5, 11):
        chosen = Counter(
            member.key.member for n in range(2000) if (member := choose(given, NOW + step, key=b"%d" % n)) is not None
        )
        shares.append(chosen["m0"] / 2000)
    assert shares == pytest.approx([0.1 / 1.1, 0.5 / 1.5, full], abs=0.03)
    assert sum(member.state.lbstatus for member in given.members) == 0
