"""What members remember over edits: each kind of state lasts as long as what it is about, and no longer."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from proxy_core.balance.member_health import ramp, usable
from proxy_core.balance.member_state import Beat, MemberKey, MemberState
from proxy_core.balance.passive_checks import unreachable
from proxy_core.balance.pool import Pool
from proxy_core.config.model import Balancer, Ejection, Member, Site, UpstreamTls
from proxy_core.runtime.compile_site import adopt, compile_site
from proxy_core.runtime.registry import KEEP_RETIRED, Registry
from proxy_core.runtime.rule_set import RuleSet

NOW = 1000.0


class Edited:
    """A balancer of three members whose member ``a`` has been through a lot, and edits of it."""

    def __init__(self) -> None:
        self.registry = Registry()
        members = {name: Member(url=f"http://{name}") for name in "abc"}
        self.group = Balancer(members=members, drain_timeout=30.0, ejection=Ejection())
        self.rules: RuleSet | None = None
        self.now = NOW
        self.swap(self.group)
        self.a = state = self.registry.members[MemberKey("p", "a")]
        state.elected, state.answered, state.busy, state.retries, state.ejections = 70, 60, 2, 3, 4
        state.histogram[5] = 60
        state.lbstatus, state.transferred, state.read = 100, 2000, 3000
        state.latency, state.latency_at = 0.5, NOW
        state.error_at, state.last_error = NOW, "refused"
        state.failing, state.ejected_until, state.ejection_step, state.streak = True, NOW + 9, 2, 3
        state.beat = Beat(1, 2, NOW)

    @property
    def pool(self) -> Pool:
        assert self.rules is not None
        return self.rules.pools["p"]

    def swap(self, group: Balancer) -> None:
        self.group = group
        self.rules = compile_site(Site(balancers={"p": group}), self.registry, 1, self.rules)
        adopt(self.rules, self.registry, self.now)

    def member(self, name: str, **settings: Any) -> None:
        there = self.group.members.get(name, Member(url=f"http://{name}"))
        self.swap(replace(self.group, members={**self.group.members, name: replace(there, **settings)}))

    def remove(self, name: str) -> None:
        self.swap(replace(self.group, members={k: v for k, v in self.group.members.items() if k != name}))


def counters(state: MemberState) -> tuple[int, ...]:
    return (state.elected, state.answered, state.busy, state.retries, state.ejections, state.histogram[5])


def turns(state: MemberState) -> tuple[int, int, int]:
    return (state.lbstatus, state.transferred, state.read)


def condition(state: MemberState) -> tuple[object, ...]:
    return (
        state.error_at, state.last_error, state.failing, state.ejected_until, state.ejection_step, state.streak,
        state.latency, state.beat,
    )  # fmt: skip


EDITS: dict[str, dict[str, Any]] = {
    "weight": {"weight": 3},
    "status": {"status": "draining"},
    "role": {"role": "spare"},
    "set": {"lbset": 2},
    "route": {"route": "r"},
    "limit": {"max_connections": 9},
    "retry": {"retry": 1},
    "path of the URL": {"url": "http://a/base"},
    "origin": {"url": "http://elsewhere"},
}


@pytest.mark.parametrize("edit", EDITS)
def test_counters_last_through_every_edit_because_history_is_not_configuration(edit: str) -> None:
    edited = Edited()
    before = counters(edited.a)
    edited.member("a", **EDITS[edit])
    assert counters(edited.a) == before
    assert edited.registry.members[MemberKey("p", "a")] is edited.a


@pytest.mark.parametrize("edit", EDITS)
def test_the_condition_lasts_until_the_member_is_somebody_else(edit: str) -> None:
    edited = Edited()
    before = condition(edited.a)
    edited.member("a", **EDITS[edit])
    well = (0.0, "", False, 0.0, 0, 0, 0.0, None)
    assert condition(edited.a) == (well if edit == "origin" else before)


@pytest.mark.parametrize("edit", EDITS)
def test_turns_last_until_what_they_are_worked_out_from_changes(edit: str) -> None:
    edited = Edited()
    before = turns(edited.a)
    edited.member("a", **EDITS[edit])
    assert turns(edited.a) == ((0, 0, 0) if edit in ("weight", "status") else before)


def test_turns_start_anew_with_another_method_and_another_member() -> None:
    for change in ("method", "added", "removed"):
        edited = Edited()
        if change == "method":
            edited.swap(replace(edited.group, method="bytraffic"))
        elif change == "added":
            edited.member("d")
        else:
            edited.remove("c")
        assert turns(edited.a) == (0, 0, 0)


def test_a_slow_start_begins_for_who_is_new_or_comes_back_and_for_nobody_at_the_start() -> None:
    edited = Edited()
    ramps = {key.member: state.ramp_at for key, state in edited.registry.members.items()}
    assert ramps == dict.fromkeys("abc", 0.0)
    edited.member("b", status="disabled")
    edited.now += 5
    edited.member("b", status="enabled")
    edited.member("d")
    edited.member("c", weight=5)
    ramps = {key.member: state.ramp_at for key, state in edited.registry.members.items()}
    assert ramps == {"a": 0.0, "b": NOW + 5, "c": 0.0, "d": NOW + 5}


def test_an_ejection_ends_in_a_slow_start_when_the_site_wants_none_any_more() -> None:
    edited = Edited()
    edited.a.error_at, edited.a.failing = 0.0, False
    member = next(each for each in edited.pool.members if each.state is edited.a)
    assert not usable(member, edited.now)
    edited.swap(replace(edited.group, ejection=None))
    assert usable(member, edited.now)
    assert ramp(edited.a, 10.0, edited.now + 5) == 0.5


def test_a_drain_is_counted_from_its_beginning_through_other_edits_and_a_removal() -> None:
    edited = Edited()
    edited.member("a", status="draining")
    edited.now += 10
    edited.member("a", status="disabled", weight=2)
    edited.remove("a")
    assert (edited.a.drain_at, edited.a.drain_timeout) == (NOW, 30.0)
    edited.member("a", status="enabled")
    assert edited.a.drain_at == 0.0
    assert edited.a.elected == 70


def test_the_state_of_a_removed_member_stays_for_undo_and_as_long_as_it_is_busy() -> None:
    edited = Edited()
    edited.remove("a")
    edited.registry.forget(NOW + KEEP_RETIRED + 1)
    assert MemberKey("p", "a") in edited.registry.members
    edited.a.busy = 0
    edited.registry.forget(NOW + KEEP_RETIRED - 1)
    assert MemberKey("p", "a") in edited.registry.members
    edited.registry.forget(NOW + KEEP_RETIRED + 1)
    assert MemberKey("p", "a") not in edited.registry.members


def test_an_origin_that_requests_make_known_again_after_an_edit_is_in_use_and_judged() -> None:
    registry, there = Registry(), "https://a.example"
    first = compile_site(Site(), registry, 1)
    before = first.pools[there].members[0]
    adopt(first, registry, NOW)
    second = compile_site(Site(upstream_tls=UpstreamTls(verify=False)), registry, 2, first)
    adopt(second, registry, NOW + 1)
    assert before.state.drain_at == NOW + 1
    pool = second.pools[there]
    (member,) = pool.members
    assert member.state is before.state
    assert member.upstream != before.upstream
    unreachable(pool, member, NOW + 2, "refused")
    assert (member.state.last_error, member.state.drain_at) == ("refused", 0.0)
