"""Who carries what when members change: shares by weight, set, role and condition, and the sentences about them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from proxy_core.balance.choosing import choose
from proxy_core.balance.compile_pools import compile_pools
from proxy_core.balance.member_state import MemberState
from proxy_core.config.model import Balancer, Member, Site
from proxy_core.control.view import MemberLoad, Percentiles
from rproxy_tui import forecast

PLAIN = MemberLoad(
    balancer="backend", member="", url="http://localhost:8000", weight=1.0, status="enabled", health="up",
    retry_in=0.0, last_error="", retired=False, busy=0, oldest=0.0, elected=0, rate=0.0, promised=0.0, share=0.0,
    sent=0, received=0, errors=0, latency=Percentiles(), per_second=(),
)  # fmt: skip


def load(member: str, weight: float = 1.0, **more: Any) -> MemberLoad:
    return replace(PLAIN, member=member, weight=weight, **more)


def test_shares_follow_the_weights_of_those_that_may_be_elected() -> None:
    members = [load("a", 3), load("b", 1), load("c", 2, status="draining"), load("d", 5, retired=True), load("e", 0)]
    assert forecast.promised(members) == {"a": 0.75, "b": 0.25, "c": 0.0, "e": 0.0}
    lighter = forecast.supposing(members, ["a"], weight=1.0)
    assert forecast.promised(lighter) == {"a": 0.5, "b": 0.5, "c": 0.0, "e": 0.0}


MEMBERS = st.dictionaries(
    st.text("abcde", min_size=1, max_size=1),
    st.fixed_dictionaries(
        {
            "weight": st.sampled_from([0.0, 0.5, 1.0, 2.0, 100.0]),
            "status": st.sampled_from(["enabled", "draining", "disabled", "stopped"]),
            "role": st.sampled_from(["regular", "spare", "standby"]),
            "lbset": st.integers(0, 2),
        }
    ),
    max_size=5,
)


@settings(deadline=None)
@example({"a": {"status": "draining", "weight": 0.0}, "b": {"role": "spare", "weight": 0.5}})
@given(MEMBERS)
def test_what_is_promised_is_what_the_proxy_does(members: dict[str, dict[str, Any]]) -> None:
    configured = {name: Member(url="http://127.0.0.1:9", **each) for name, each in members.items()}
    pool = compile_pools(Site(balancers={"p": Balancer(members=configured)}), MemberState)["p"]
    promised = forecast.promised([load(name, **each) for name, each in members.items()])
    taken = Counter(member.key.member for _ in range(500) if (member := choose(pool, 1000.0)) is not None)
    assert promised == pytest.approx({name: taken[name] / 500 for name in members}, abs=0.01)
    assert sum(promised.values()) == pytest.approx(1.0) or not any(promised.values())


def test_a_member_that_is_down_carries_nothing_and_its_spare_stands_in() -> None:
    members = [load("a"), load("b", health="failing"), load("c", role="spare"), load("d", role="standby")]
    assert forecast.promised(members) == {"a": 0.5, "b": 0.5, "c": 0.0, "d": 0.0}
    assert forecast.carried(members) == {"a": 0.5, "b": 0.0, "c": 0.5, "d": 0.0}


def test_where_all_are_down_the_weights_alone_say_who_carries_what() -> None:
    assert forecast.carried([load("a", 3, health="error"), load("b", health="ejected")]) == {"a": 0.75, "b": 0.25}


def test_draining_says_what_is_in_flight_and_what_the_others_will_carry() -> None:
    members = [load("a", 1, busy=14), load("b", 1), load("c", 2)]
    assert handover(members, "a") == "14 in flight will finish. The others go: c 50% → 67%, b 25% → 33%."


def test_draining_counts_on_nobody_who_is_down_and_says_who_that_is() -> None:
    members = [load("a"), load("b", health="error"), load("c")]
    assert handover(members, "a") == "Nothing is in flight. c goes from 50% to 100%. b is down."


def test_draining_several_at_once_adds_up_what_is_in_flight() -> None:
    members = [load("a", busy=3), load("b", busy=4), load("c")]
    assert handover(members, "a", "b") == "7 in flight will finish. c goes from 33% to 100%."


def test_draining_one_of_two_says_what_the_other_will_carry() -> None:
    assert handover([load("a"), load("b")], "a") == "Nothing is in flight. b goes from 50% to 100%."


def test_draining_the_last_regular_member_says_that_the_standby_takes_over() -> None:
    assert handover([load("a"), load("b", role="standby")], "a").endswith("b goes from 0% to 100%.")


def test_the_member_that_is_asked_about_stands_first() -> None:
    before, after = {"a": 0.8, "b": 0.15, "c": 0.05}, {"a": 0.2, "b": 0.2, "c": 0.6}
    assert forecast.shifts(before, after, first=["b"]) == "b 15% → 20%, a 80% → 20%, c 5% → 60%"


def test_draining_the_last_member_says_503() -> None:
    assert "503" in handover([load("a"), load("b", status="disabled")], "a")


def test_draining_one_that_gets_nothing_says_that_no_share_changes() -> None:
    assert handover([load("a", 0), load("b")], "a").endswith("no share changes.")


def test_only_the_largest_shifts_are_spelled_out() -> None:
    assert handover([load(name) for name in "abcdefg"], "a").endswith("and 2 more.")


@pytest.mark.parametrize(
    ("names", "said"), [("", ""), ("a", "a"), ("ab", "a and b"), ("abc", "a, b and c"), ("abcde", "a, b, c and 2 more")]
)
def test_names_are_listed_as_one_says_them(names: str, said: str) -> None:
    assert forecast.listed(list(names)) == said


def handover(members: list[MemberLoad], *names: str) -> str:
    return forecast.handover(members, names, status="draining")
