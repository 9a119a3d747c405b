"""Who is chosen: after failures, for sessions, at limits; the sequences against httpd are in conformance.

The expectations about sessions are those of ``find_session_route`` (mod_proxy_balancer.c).
"""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from proxy_core.balance.choosing import choose
from proxy_core.balance.compile_pools import compile_pools
from proxy_core.balance.member_health import ramp, usable
from proxy_core.balance.member_state import MemberState
from proxy_core.balance.passive_checks import failed, worked
from proxy_core.balance.pool import BoundMember, Pool
from proxy_core.balance.shares import serves
from proxy_core.config.model import Ejection, Route, Site, Sticky
from tests.balance.pools import NOW, answer, ill, named, pool, roles, turns

STICKY = Sticky(cookie="ID")
FORCED = Sticky(cookie="ID", nofailover=True)


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


def test_a_spare_takes_requests_in_place_of_each_member_that_is_configured_out() -> None:
    assert turns(roles("a b c:spare d:spare")) == "a b a b a b"
    assert turns(roles("a b:disabled c:spare d:spare")) == "a c a c a c"
    assert turns(roles("a b:disabled e:draining c:spare d:spare")) == "a c d a c d"


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


def test_without_forcerecovery_nobody_is_tried_before_its_time() -> None:
    pool = ill(roles("a b", forcerecovery=False), "a b")
    assert turns(pool) == "-"
    assert turns(pool, now=NOW + 60) == "a b a b a b"


def test_what_checks_call_ill_is_not_tried_even_when_all_are_down() -> None:
    pool = ill(roles("a b"), "b")
    named(pool, "a").state.failing = True
    assert turns(pool) == "b"
    named(pool, "b").state.failing = True
    assert turns(pool) == "-"


@pytest.mark.parametrize(
    ("members", "sticky", "out", "route", "chosen"),
    [
        ("a b", STICKY, "", "b", "b"),
        ("a b", STICKY, "", "x", "a b a b a b"),
        ("a b", STICKY, "", "", "a b a b a b"),
        ("a b", STICKY, "b", "b", "a"),
        ("a b", FORCED, "b", "b", "-"),
        ("a b", FORCED, "", "x", "a b a b a b"),
        # Draining members, weight 0, standbys, spares and later sets all keep their sessions; those taken out do not.
        ("a b:draining", STICKY, "", "b", "b"),
        ("a b:weight=0", STICKY, "", "b", "b"),
        ("a b:standby", STICKY, "", "b", "b"),
        ("a b:spare", STICKY, "", "b", "b"),
        ("a b:lbset=3", STICKY, "", "b", "b"),
        ("a b:disabled", STICKY, "", "b", "a"),
        ("a b:stopped", FORCED, "", "b", "-"),
        # redirect names the member that takes over, but only while the own one cannot.
        ("a b c:redirect=b", STICKY, "", "c", "c"),
        ("a b c:redirect=b", STICKY, "c", "c", "b"),
        ("a b c:redirect=b,disabled", STICKY, "", "c", "b"),
        ("a b c:redirect=b", STICKY, "b c", "c", "a"),
        ("a:redirect=b b:redirect=a c", STICKY, "a b", "a", "c"),
        # Several members of one route: the first that can.
        ("a:route=r b:route=r", STICKY, "", "r", "a"),
        ("a:route=r b:route=r", STICKY, "a", "r", "b"),
        ("a:route=r,standby b:route=r", STICKY, "", "r", "b"),
    ],
)
def test_who_takes_requests_of_a_session(members: str, sticky: Sticky, out: str, route: str, chosen: str) -> None:
    assert turns(ill(roles(members, sticky=sticky), out), route=route) == chosen


def test_requests_of_sessions_count_as_turns() -> None:
    pool = roles("a b", sticky=STICKY)
    assert turns(pool, 2, "a") == "a"
    assert turns(pool, 3) == "b b a"
    assert sum(member.state.lbstatus for member in pool.members) == 0


def test_routes_mean_nothing_to_a_balancer_that_is_not_sticky() -> None:
    assert turns(roles("a b"), 4, "b") == "a b a b"


def test_a_full_set_is_waited_for_and_does_not_spill_over() -> None:
    pool = roles("a:max_connections=2 b:max_connections=1 h:standby c:lbset=1")
    named(pool, "a").state.busy = 1
    assert turns(pool, 4) == "a b a b"
    named(pool, "b").state.busy = 1
    assert turns(pool) == "a"
    named(pool, "a").state.busy = 2
    assert turns(pool) == "full"
    assert turns(ill(pool, "a b")) == "h"


def test_a_full_member_makes_its_sessions_wait_where_waiting_is_allowed() -> None:
    for settings, chosen in (({"timeout": 5.0}, "full"), ({}, "b")):
        pool = roles("a:max_connections=1 b", sticky=STICKY, **settings)
        named(pool, "a").state.busy = 1
        assert turns(pool, 1, "a") == chosen
    pool = roles("a:max_connections=1 b", sticky=FORCED)
    named(pool, "a").state.busy = 1
    assert turns(pool, 1, "a") == "full"


def test_redirects_that_go_round_in_circles_end_however_many_members_share_a_route() -> None:
    circle = " ".join(f"m{number}:disabled,route=x,redirect={'xy'[number % 2]}" for number in range(40))
    back = " ".join(f"n{number}:disabled,route=y,redirect=x" for number in range(40))
    assert turns(roles(f"{circle} {back} z", sticky=STICKY), 1, route="x") == "z"


def test_when_all_are_out_ejections_end_as_errors_do() -> None:
    given = pool(1, 1, ejection=Ejection(consecutive=1, seconds=30, share=1))
    first, second = given.members
    failed(second.state, NOW - 100, "refused")
    second.state.error_at = 0.0
    answer(given, 0, 500)
    failed(second.state, NOW, "refused")
    assert turns(given, 4, now=NOW + 1) == "m0 m1 m0 m1"
    assert (first.state.ejected_until, second.state.error_at) == (0.0, 0.0)


def test_when_all_are_out_a_slow_start_that_is_on_goes_on() -> None:
    given = pool(1, 1, slow_start=10, ejection=Ejection(consecutive=1, seconds=5))
    answer(given, 0, 500)
    for member in given.members:
        failed(member.state, NOW + 6, "refused")
    assert choose(given, NOW + 7) is not None
    assert ramp(given.members[0].state, 10, NOW + 10) == 0.5


@pytest.mark.parametrize("method", ["byrequests", "bybusyness", "hash"])
def test_the_share_of_a_slow_start_grows_to_the_whole(method: str) -> None:
    given = pool(1, 1, slow_start=10, method=method)
    given.members[0].state.ramp_at = NOW
    shares = []
    for step in (0, 5, 11):
        chosen = Counter(
            member.key.member for n in range(2000) if (member := choose(given, NOW + step, key=b"%d" % n)) is not None
        )
        shares.append(chosen["m0"] / 2000)
    assert shares == pytest.approx([0.1 / 1.1, 0.5 / 1.5, 0.5], abs=0.03)
    assert sum(member.state.lbstatus for member in given.members) == 0


def test_a_member_that_starts_slowly_misses_its_turn_while_it_has_more_to_do_than_the_others() -> None:
    given = pool(1, 1, slow_start=10, method="bybusyness")
    first, second = (member.state for member in given.members)
    first.ramp_at, first.busy, second.busy = NOW, 3, 2
    assert turns(given, 30, now=NOW + 5) == "m1"
    second.busy = 3
    assert "m0" in turns(given, 1, now=NOW + 5)


def test_turns_and_bytes_start_anew_when_a_slow_start_is_over() -> None:
    given = pool(1, 1, slow_start=10, method="bytraffic")
    first, second = (member.state for member in given.members)
    first.ramp_at, second.read = NOW, 10**9
    assert turns(given, 1, now=NOW + 10) == "m0"
    assert (first.ramp_at, second.read) == (0.0, 0)


def test_sessions_stay_with_a_member_that_drains_until_what_it_has_is_cut_off() -> None:
    given = roles("a b:draining", sticky=STICKY, drain_timeout=5.0)
    state = named(given, "b").state
    state.drain_at, state.drain_timeout = NOW, 5.0
    assert turns(given, route="b", now=NOW + 5) == "b"
    assert turns(given, route="b", now=NOW + 5.1) == "a"
