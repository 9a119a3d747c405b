"""What answers and failures do to a member."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proxy_core.balance import passive_checks
from proxy_core.config.model import Ejection
from tests.balance.pools import NOW, answer, member, pool, pool_of, up


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
        passive_checks.silent(given, given.members[0], NOW, 5)
        assert up(given) == [not allowed, True]


def test_a_member_that_ignores_errors_is_never_in_error_but_says_what_was() -> None:
    given = pool_of({"a": member(0, ignore_errors=True)}, failonstatus=("500",), failontimeout=True)
    passive_checks.unreachable(given, given.members[0], NOW, "refused")
    answer(given, 0, 500)
    passive_checks.silent(given, given.members[0], NOW, 5)
    assert up(given) == [True]
    assert given.members[0].state.last_error == "refused"


@pytest.mark.parametrize("what", ["refused", "500", "broke", "silent"])
def test_what_happened_at_an_origin_that_an_edit_replaced_says_nothing_of_the_new_one(what: str) -> None:
    given = pool(1, 1, ejection=Ejection(consecutive=1), failonstatus=("500",), failontimeout=True, method="latency")
    member = given.members[0]
    member.state.upstream = given.members[1].upstream
    before = replace(member.state)
    match what:
        case "refused":
            passive_checks.unreachable(given, member, NOW, "no address", unresolved=True)
        case "500":
            answer(given, 0, 500)
        case "broke":
            passive_checks.broke(given, member, NOW)
        case _:
            passive_checks.silent(given, member, NOW, 5)
    assert member.state == before
    member.state.error_at, member.state.last_error = NOW, "refused"
    passive_checks.worked(member, NOW)
    assert member.state.error_at == NOW
