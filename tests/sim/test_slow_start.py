"""Slow start for every method, second by second, over the simulated balancer: what a member gets that is back."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from proxy_core.balance import lbmethods, passive_checks
from proxy_core.balance.choosing import choose
from proxy_core.balance.member_state import Beat, MemberKey, MemberState
from proxy_core.config.model import Balancer, Member, Site, Sticky
from tests.sim.test_balancing import METHODS, World

RAMP = 20
AFTER = 10
OUT = 20.0
KEYS = 5000


def world(method: str, **balancer: Any) -> World:
    members = {name: Member(url=f"http://127.0.0.1:{9000 + n}", retry=1.0, route=name) for n, name in enumerate("abc")}
    given = Balancer(method=method, members=members, slow_start=RAMP, **balancer)  # type: ignore[arg-type]
    lbmethods.chance.seed(method)
    return World(Random(method), Site(balancers={"p": given}))


def state(made: World, name: str) -> MemberState:
    return made.registry.members[MemberKey("p", name)]


def pass_time(made: World, seconds: float, rate: float, route: str = "") -> Counter[str]:
    """Requests for so long; how many attempts each member was elected for."""
    before = {each.key.member: each.elected for each in made.registry.members.values()}
    end = made.now + seconds
    while made.now < end:
        made.now += made.random.expovariate(rate)
        made.finish(made.now)
        for each in made.registry.members.values():
            each.beat = Beat(5, 1, made.now)
        made.ask(route, key=b"%d" % made.random.randrange(KEYS))
    made.books_balance()
    return Counter({each.key.member: each.elected - before[each.key.member] for each in made.registry.members.values()})


def goes(made: World, how: str) -> None:
    match how:
        case "checks fail":
            state(made, "c").failing = True
        case "refuses":
            made.sick = {"c"}
        case "is ejected":
            state(made, "c").ejected_until = made.now + OUT
        case "is disabled":
            status(made, "disabled")


def comes_back(made: World, how: str) -> None:
    match how:
        case "checks fail":
            passive_checks.recovered(state(made, "c"), made.now)
        case "refuses":
            made.sick = set()
        case "is disabled":
            status(made, "enabled")


def status(made: World, word: str) -> None:
    group = made.site.balancers["p"]
    c = replace(group.members["c"], status=word)  # type: ignore[arg-type]
    made.swap(replace(group, members={**group.members, "c": c}))


@pytest.mark.parametrize("rate", [8.0, 80.0], ids=["one by one", "many at once"])
@pytest.mark.parametrize("how", ["checks fail", "refuses", "is ejected", "is disabled"])
@pytest.mark.parametrize("method", METHODS)
def test_a_member_that_is_back_gets_from_a_tenth_of_its_share_to_the_whole_and_never_more(
    method: str, how: str, rate: float
) -> None:
    made = world(method)
    pass_time(made, 10, rate)
    goes(made, how)
    pass_time(made, OUT, rate)
    comes_back(made, how)
    quarters = [pass_time(made, RAMP / 4, rate) for _ in range(4)]
    shares = [each["c"] / each.total() for each in quarters]
    due = [part / (part + 2) for part in (0.15, 0.375, 0.625, 0.875)]
    slack = 0.08 if rate < 10 else 0.04
    for share, most in zip(shares, due, strict=True):
        assert share < most + slack, shares
        assert share > most - slack or method == "latency", shares  # it may hold more against a member than turns do
    after = [pass_time(made, AFTER / 2, rate) for _ in range(2)]
    for each in after:
        assert each["c"] / each.total() == pytest.approx(1 / 3, abs=2 * slack)
        assert each["a"] / each.total() == pytest.approx(1 / 3, abs=2 * slack)


@pytest.mark.parametrize("method", METHODS)
def test_members_that_are_all_back_at_once_wait_for_nobody(method: str) -> None:
    made = world(method)
    pass_time(made, 10, 50)
    for name in "abc":
        state(made, name).ramp_at = made.now
    shares = pass_time(made, 5, 50)
    assert all(shares[name] / shares.total() == pytest.approx(1 / 3, abs=0.1) for name in "abc")


def test_a_slow_start_that_no_request_saw_makes_nothing_good_afterwards() -> None:
    made = world("bytraffic")
    goes(made, "checks fail")
    pass_time(made, OUT, 50)
    comes_back(made, "checks fail")
    made.now += 10 * RAMP
    shares = pass_time(made, 5, 50)
    assert shares["c"] / shares.total() == pytest.approx(1 / 3, abs=0.1)


def test_a_member_in_error_is_tried_by_few_until_it_takes_a_connection() -> None:
    made = world("bytraffic")
    pass_time(made, 5, 100)
    goes(made, "refuses")
    shares = pass_time(made, OUT, 100)
    assert 0 < shares["c"] < OUT


def test_a_session_has_its_own_member_at_once() -> None:
    made = world("bytraffic", sticky=Sticky(cookie="S"))
    goes(made, "checks fail")
    pass_time(made, 10, 20)
    comes_back(made, "checks fail")
    shares = pass_time(made, 1, 20, route="c")
    assert shares["c"] == shares.total()


def test_keys_come_back_to_their_member_one_after_the_other_and_each_moves_once() -> None:
    made = world("hash")
    goes(made, "checks fail")

    def owners() -> list[str]:
        found = (choose(made.rules.pools["p"], made.now, key=b"%d" % number) for number in range(1000))
        return [member.key.member for member in found if member is not None]

    looks = [owners()]
    comes_back(made, "checks fail")
    for _ in range(12):
        looks.append(owners())
        made.now += 2
    for before, now in pairwise(looks):
        assert all(is_now in (was, "c") for was, is_now in zip(before, now, strict=True))
    counts = [look.count("c") for look in looks]
    assert counts == sorted(counts)
    assert counts[0] == 0
    assert 20 < counts[1] < 80
    assert counts[-1] == pytest.approx(333, abs=40)
