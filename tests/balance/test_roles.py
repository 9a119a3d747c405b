"""Who may take a request: sets, spares, standbys, limits, sessions and drains, as tables.

The expectations are those of ``ap_proxy_balancer_get_best_worker`` (modules/proxy/proxy_util.c) and
``find_session_route`` (mod_proxy_balancer.c); the rows that Apache itself is asked are in conformance.
"""

from __future__ import annotations

import pytest

from proxy_core.balance.select import Full, choose
from proxy_core.balance.state import Pool
from proxy_core.config.model import Sticky
from tests.balance.pools import named, roles

STICKY = Sticky(cookie="ID")
FORCED = Sticky(cookie="ID", nofailover=True)
NOW = 1000.0


def turns(pool: Pool, count: int = 6, route: str = "", now: float = NOW) -> str:
    chosen = []
    for _ in range(count):
        try:
            member = choose(pool, now, (), route)
            chosen.append(member.key.member if member else "-")
        except Full:
            chosen.append("full")
    return " ".join(dict.fromkeys(chosen)) if len(set(chosen)) == 1 else " ".join(chosen)


def ill(pool: Pool, names: str) -> Pool:
    for name in names.split():
        named(pool, name).state.error_at = NOW - 1
    return pool


@pytest.mark.parametrize(
    ("members", "out", "chosen"),
    [
        # The lowest set that has anybody; the next only when it has nobody.
        ("a b c:lbset=1", "", "a b a b a b"),
        ("a b c:lbset=1", "a", "b"),
        ("a b c:lbset=1", "a b", "c"),
        ("a:lbset=2 b:lbset=1", "", "b"),
        ("a:disabled b:lbset=1", "", "b"),
        # A spare stands in for each regular member of its set that is out, and then takes part like any other.
        ("a b s:spare", "", "a b a b a b"),
        ("a b s:spare", "a", "b s b s b s"),
        ("a b s:spare t:spare", "a", "b s b s b s"),
        ("a b s:spare t:spare", "a b", "s t s t s t"),
        ("a b s:spare t:spare", "a s", "b t b t b t"),
        ("a b:disabled s:spare", "", "a s a s a s"),
        ("a b:draining s:spare", "", "a s a s a s"),
        ("a b:weight=0 s:spare", "", "a"),
        ("a s:spare,lbset=1 b:lbset=1", "a", "b"),
        ("a s:spare,lbset=1 b:lbset=1", "a b", "s"),
        # Standbys when nobody else of their set can: before the next set, after the spares.
        ("a h:standby", "", "a"),
        ("a h:standby", "a", "h"),
        ("a h:standby i:standby", "a", "h i h i h i"),
        ("a s:spare h:standby", "a", "s"),
        ("a s:spare h:standby", "a s", "h"),
        ("a h:standby b:lbset=1", "a", "h"),
        ("a b:lbset=1 h:standby,lbset=1", "a", "b"),
        ("a h:standby,disabled", "", "a"),
        # All in error: all are tried, lowest set first (forcerecovery).
        ("a b h:standby", "a b h", "a b a b a b"),
        ("a b:lbset=1", "a b", "a"),
        ("a:stopped b:disabled", "", "-"),
        ("a:draining", "", "-"),
    ],
)
def test_who_takes_requests_of_no_session(members: str, out: str, chosen: str) -> None:
    assert turns(ill(roles(members), out)) == chosen


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
