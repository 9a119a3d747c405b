"""Pools as bound: what members become, and what is reused."""

from __future__ import annotations

from msgspec.structs import replace

from proxy_core.balance.compile_pools import compile_pools
from proxy_core.balance.member_state import MemberKey, MemberState, UpstreamKey
from proxy_core.config.model import Balancer, Member, Route, Site
from tests.balance.pools import pool


class States(dict[MemberKey, MemberState]):
    def __call__(self, key: MemberKey) -> MemberState:
        return self.setdefault(key, MemberState(key))


SITE = Site(
    routes=(
        Route(id="a", path="/a", proxy="http://One:80/x"),
        Route(id="b", path="/b", proxy="http://one/y"),
        Route(id="c", path="/c", proxy="http://[::1]:81"),
        Route(id="d", path="/d", except_=True),
        Route(id="e", path="/e", proxy="balancer://p/e"),
    ),
    balancers={
        "p": Balancer(
            members={"a": Member(url="http://Two:8000/caf\u00e9 1", weight=2.5), "b": Member(url="http://b")}
        ),
        "q": Balancer(members={"a": Member(url="http://q")}),
    },
)


def test_there_is_a_pool_for_each_balancer_and_one_for_each_origin() -> None:
    pools = compile_pools(SITE, States())
    assert set(pools) == {"p", "q", "http://one", "http://[::1]:81"}
    assert [pools[name].direct for name in ("p", "http://one")] == [False, True]
    assert pools["http://one"].members[0].key == MemberKey("", "http://one")


def test_a_member_is_worked_out_once() -> None:
    member = compile_pools(SITE, States())["p"].members[0]
    assert member.upstream == UpstreamKey("http", "two", 8000)
    assert (member.host, member.base, member.factor) == (b"two:8000", b"/caf%C3%A9%201", 250)


def test_only_what_changed_is_bound_anew() -> None:
    states = States()
    before = compile_pools(SITE, states)
    heavier = Member(url="http://b", weight=3)
    changed = replace(SITE.balancers["p"], members={**SITE.balancers["p"].members, "b": heavier})
    after = compile_pools(replace(SITE, balancers={**SITE.balancers, "p": changed}), states, before)
    assert after["q"] is before["q"]
    assert after["http://one"] is before["http://one"]
    assert after["p"].members[0] is before["p"].members[0]
    assert after["p"].members[1].factor == 300
    assert after["p"].members[1].state is before["p"].members[1].state
    assert [m.key.member for m in compile_pools(SITE, states, after)["p"].members] == ["a", "b"]


def test_a_change_of_method_is_a_new_pool() -> None:
    states = States()
    before = compile_pools(SITE, states)
    other = replace(SITE.balancers["q"], method="bytraffic")
    after = compile_pools(replace(SITE, balancers={**SITE.balancers, "q": other}), states, before)
    assert after["q"].balancer.method == "bytraffic"


def test_a_pool_of_other_states_is_not_reused() -> None:
    before = compile_pools(SITE, States())
    preview = compile_pools(SITE, States(), before)
    assert all(preview[name] is not before[name] for name in before)


def test_a_weight_that_is_not_0_is_never_rounded_to_it() -> None:
    assert [member.factor for member in pool(0, 0.001, 0.25, 1.5, 100).members] == [0, 1, 25, 150, 10_000]
