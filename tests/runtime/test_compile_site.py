"""Compiling a site: what survives a swap, what starts anew, and that large sites stay quick to edit."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec import convert, to_builtins
from msgspec.structs import replace

from proxy_core.balance.choosing import choose
from proxy_core.balance.member_state import MemberKey
from proxy_core.balance.passive_checks import failed
from proxy_core.config.model import Balancer, Member, Site
from proxy_core.rules.decision import BoundRoute
from proxy_core.runtime.compile_site import adopt, compile_site
from proxy_core.runtime.registry import Registry
from proxy_core.runtime.rule_set import RuleSet
from tests.semantics.table import members, site
from tests.steps import steps

SITE = site(
    ("/a", "balancer://p"),
    ("/b", "http://one:81"),
    ("/c", "!"),
    p=members(a="http://one", b="http://two"),
    q=members(a="http://one"),
)


def reread(given: Site) -> Site:
    """An equal site of other objects, as reading a file again gives it."""
    return convert(to_builtins(given), Site)


def with_member(given: Site, name: str, member: Member) -> Site:
    group = given.balancers["p"]
    return replace(given, balancers={**given.balancers, "p": replace(group, members={**group.members, name: member})})


class Running:
    """A registry with the set in force, as the engine holds them."""

    def __init__(self, given: Site) -> None:
        self.registry = Registry()
        self.rules = self.swap(given, None)

    def swap(self, given: Site, previous: RuleSet | None) -> RuleSet:
        self.rules = compile_site(given, self.registry, 1 if previous is None else previous.generation + 1, previous)
        adopt(self.rules, self.registry, 100.0)
        return self.rules


def elected(rules: RuleSet, count: int) -> str:
    return "".join(member.key.member for _ in range(count) if (member := choose(rules.pools["p"], 100.0)))


def test_an_equal_site_is_compiled_to_the_same_parts() -> None:
    running = Running(SITE)
    before, after = running.rules, running.swap(reread(SITE), running.rules)
    assert after.generation == 2
    assert after.program.server.routes[0] is before.program.server.routes[0]
    assert all(after.pools[name] is before.pools[name] for name in before.pools)


def test_a_weight_edit_keeps_counters_and_gives_the_new_shares_at_once() -> None:
    running = Running(SITE)
    assert elected(running.rules, 3) == "aba"
    state = running.registry.member(MemberKey("p", "a"))
    state.elected, state.busy = 7, 2
    failed(running.registry.member(MemberKey("", "http://one:81")), 100.0, "refused")
    before = running.rules
    after = running.swap(with_member(SITE, "a", Member(url="http://one", weight=3)), before)
    assert after.program.server.routes[0] is before.program.server.routes[0]
    assert elected(after, 8) == "aabaaaba"
    assert (state.elected, state.busy) == (7, 2)
    assert running.registry.member(MemberKey("", "http://one:81")).error_at == 100.0


@pytest.mark.parametrize(
    ("edit", "order"),
    [
        (lambda s: s, "abab"),
        (lambda s: with_member(s, "a", Member(url="http://elsewhere")), "abab"),
        (lambda s: with_member(s, "a", Member(url="http://one", status="draining")), "bbbb"),
        (lambda s: with_member(s, "c", Member(url="http://three")), "abca"),
    ],
)
def test_turns_start_anew_only_where_shares_change(edit: Callable[[Site], Site], order: str) -> None:
    running = Running(SITE)
    assert elected(running.rules, 2) == "ab"
    assert elected(running.swap(edit(SITE), running.rules), 4) == order


def test_turns_start_anew_when_a_drained_member_comes_back() -> None:
    running = Running(SITE)
    assert elected(running.rules, 1) == "a"
    running.swap(with_member(SITE, "b", Member(url="http://two", status="draining")), running.rules)
    assert elected(running.rules, 2) == "aa"
    running.registry.member(MemberKey("p", "b")).lbstatus = 100
    assert elected(running.swap(SITE, running.rules), 4) == "abab"


def test_a_member_that_points_elsewhere_is_tried_at_once() -> None:
    running = Running(SITE)
    state = running.rules.pools["p"].members[0].state
    failed(state, 100.0, "refused")
    running.swap(with_member(SITE, "a", Member(url="http://one/base", retry=30)), running.rules)
    assert state.error_at == 100.0
    running.swap(with_member(SITE, "a", Member(url="http://one:8080")), running.rules)
    assert (state.error_at, state.last_error) == (0.0, "")


def test_turns_go_on_where_an_edit_is_about_something_else() -> None:
    running = Running(SITE)
    assert elected(running.rules, 1) == "a"
    edited = replace(SITE, balancers={**SITE.balancers, "q": members(a=("http://one", 9))})
    assert elected(running.swap(edited, running.rules), 3) == "bab"


def test_what_a_site_no_longer_mentions_is_retired_and_back_with_its_numbers_when_undone() -> None:
    running = Running(SITE)
    state, hits = running.registry.member(MemberKey("p", "b")), running.registry.rule("routes", "r0")
    state.elected, hits.hits = 5, 9
    fewer = replace(SITE, routes=SITE.routes[1:], balancers={"p": members(a="http://one"), "q": SITE.balancers["q"]})
    running.swap(fewer, running.rules)
    assert set(running.registry.retired_members) == {MemberKey("p", "b")}
    assert set(running.registry.retired_rules) == {("routes", "r0")}
    undone = running.swap(SITE, running.rules)
    assert not running.registry.retired_members
    assert not running.registry.retired_rules
    assert undone.pools["p"].members[1].state is state
    assert undone.program.routes[0].state is hits


def test_a_preview_with_a_registry_of_its_own_touches_nothing() -> None:
    running = Running(SITE)
    before = running.rules
    preview = compile_site(SITE, Registry(), 2, before)
    elected(preview, 5)
    assert [member.state.lbstatus for member in before.pools["p"].members] == [0, 0]
    assert preview.program.routes[0].state is not before.program.routes[0].state


def test_a_site_with_no_part_compiles() -> None:
    assert compile_site(Site(), Registry(), 1).pools == {}
    assert compile_site(Site(balancers={"p": Balancer()}), Registry(), 1).pools["p"].members == ()


def test_an_edit_of_two_thousand_routes_costs_a_fifth_of_compiling_them() -> None:
    rows = ((f"/app{n % 100}/part{n}", f"http://one/{n}" if n % 2 else f"balancer://p/{n}") for n in range(2_000))
    large = site(*rows, p=SITE.balancers["p"])
    running = Running(SITE)
    compiling = steps(lambda: running.swap(large, None))
    before = running.rules
    heavier = with_member(reread(large), "a", Member(url="http://one", weight=3))
    assert steps(lambda: running.swap(heavier, before)) < compiling / 5
    after = running.rules
    routes: tuple[BoundRoute, ...] = after.program.routes
    assert routes == before.program.routes
