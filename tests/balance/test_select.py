"""Who may be chosen, and what failures do to it; the sequences against httpd are in conformance."""

from __future__ import annotations

from random import Random

import pytest

from proxy_core.balance.bind import compile_pools
from proxy_core.balance.outcome import failed, worked
from proxy_core.balance.select import choose, serves, usable
from proxy_core.balance.state import BoundMember, MemberState, Pool
from proxy_core.config.model import Route, Site, Sticky
from tests.balance.pools import pool, roles


def chosen(pool: Pool, now: float = 100.0, tried: tuple[BoundMember, ...] = ()) -> str:
    member = choose(pool, now, [member.key for member in tried])
    return member.key.member if member else ""


def test_members_out_of_service_are_never_chosen_not_even_when_all_others_are_down() -> None:
    given = pool(1, 1, 1, 0, status=("enabled", "draining", "disabled", "enabled"))
    assert {chosen(given) for _ in range(9)} == {"m0"}
    failed(given.members[0].state, 100.0, "refused")
    assert {chosen(given, 101.0) for _ in range(9)} == {"m0"}
    assert chosen(given, 101.0, given.members[:1]) == ""
    assert [member.state.lbstatus for member in given.members[1:]] == [0, 0, 0]


def test_a_pool_without_members_in_service_has_nobody_to_choose() -> None:
    assert chosen(pool()) == ""
    assert chosen(pool(0)) == ""
    assert chosen(pool(1, status=("draining",))) == ""


def test_a_failed_member_is_left_alone_until_its_retry_time_is_over() -> None:
    given = pool(1, 1, retry=30)
    failed(given.members[0].state, 100.0, "refused")
    assert {chosen(given, now) for now in (100.0, 115.0, 130.0)} == {"m1"}
    assert "m0" in {chosen(given, 130.1) for _ in range(2)}


def test_retry_nought_is_tried_at_every_request_but_once_in_each() -> None:
    given = pool(1, retry=0)
    failed(given.members[0].state, 100.0, "refused")
    assert chosen(given, 100.1) == "m0"
    assert chosen(given, 100.1, given.members) == ""


def test_when_all_are_in_error_all_are_cleared_and_tried() -> None:
    given = pool(1, 1, 1)
    for member in given.members:
        failed(member.state, 100.0, "refused")
    assert chosen(given, 101.0) == "m0"
    assert [member.state.error_at for member in given.members] == [0.0, 0.0, 0.0]
    assert [chosen(given, 101.0) for _ in range(2)] == ["m1", "m2"]


def test_when_all_are_in_error_whoever_fails_its_checks_is_not_cleared() -> None:
    given = pool(1, 1)
    for member in given.members:
        failed(member.state, 100.0, "refused")
    given.members[0].state.failing = True
    assert [chosen(given, 101.0) for _ in range(2)] == ["m1", "m1"]
    assert [member.state.error_at for member in given.members] == [100.0, 0.0]


def test_when_all_are_in_error_a_session_finds_its_own_member_also_without_failover() -> None:
    here = roles("a b c", sticky=Sticky(cookie="S", nofailover=True))
    for member in here.members:
        failed(member.state, 100.0, "refused")
    found = choose(here, 101.0, (), "b")
    assert found is not None
    assert found.route == "b"


def test_a_request_that_tried_everybody_leaves_them_in_error() -> None:
    given = pool(1, 1)
    for tried in ((), given.members[:1]):
        member = choose(given, 100.0, [member.key for member in tried])
        assert member is not None
        failed(member.state, 100.0, "refused")
    assert chosen(given, 100.0, given.members) == ""
    assert all(member.state.error_at == 100.0 for member in given.members)


def test_a_failure_in_error_recovery_does_not_clear_who_just_failed() -> None:
    given = pool(1, 1)
    failed(given.members[0].state, 100.0, "refused")
    failed(given.members[1].state, 100.0, "refused")
    assert chosen(given, 105.0, given.members[:1]) == "m1"
    assert given.members[0].state.error_at == 100.0


def test_what_worked_is_well_again() -> None:
    member = pool(1).members[0]
    state = member.state
    failed(state, 100.0, "refused")
    state.unresolved = True
    assert state.last_error == "refused"
    worked(member, 200.0)
    assert (state.error_at, state.last_error, state.unresolved) == (0.0, "", False)


def test_a_direct_pool_is_tried_at_every_request() -> None:
    site = Site(routes=(Route(id="a", path="/", proxy="http://one:81/x"),))
    direct = compile_pools(site, MemberState)["http://one:81"]
    failed(direct.members[0].state, 100.0, "refused")
    assert chosen(direct, 100.1) == "http://one:81"
    assert direct.members[0].state.error_at == 100.0
    assert chosen(direct, 100.1, direct.members) == ""


@pytest.mark.parametrize("seed", range(12))
def test_in_a_long_run_of_failures_only_the_eligible_are_chosen_and_shares_hold_between_them(seed: int) -> None:
    """Outages come and go; whenever everybody in service is well, turns follow the weights to within one round."""
    random, now = Random(seed), 1000.0
    weights = [random.randint(0, 5) for _ in range(random.randint(2, 6))]
    statuses = tuple(random.choices(["enabled", "draining", "disabled"], [6, 1, 1], k=len(weights)))
    given = pool(*weights, status=statuses, retry=20)
    in_service = [member for member in given.members if serves(member)]
    total = sum(member.factor for member in in_service)
    calm: list[BoundMember] = []
    for step in range(1200):
        now += random.random()
        outage = step % 400 < 50
        well = [m for m in in_service if usable(m, now)]
        tried: list[BoundMember] = []
        while (member := choose(given, now, [member.key for member in tried])) is not None:
            assert member in in_service
            assert member not in tried
            assert member in well or not [m for m in well if m not in tried]
            if not outage or random.random() > 0.5:
                worked(member, now)
                calm.append(member)
                break
            failed(member.state, now, "refused")
            tried.append(member)
        else:
            assert len(tried) == len(in_service)
        if outage or any(m.state.error_at for m in in_service):
            calm.clear()
        for m in in_service if step % 20 == 0 else ():
            assert abs(calm.count(m) - len(calm) * m.factor / total) <= len(in_service)
    assert len(calm) > 250 or not in_service
    assert sum(member.state.lbstatus for member in given.members) == 0
