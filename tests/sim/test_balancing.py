"""Balancing for hours in a moment: random members, faults, sessions and commands over a clock of our own.

A request here does what ``serve.flight`` does with members, and nothing else. After every step the books must
balance; seeds are fixed, so a failure can be looked at. The shares that methods promise are measured at the end.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from proxy_core.balance import lbmethods, passive_checks
from proxy_core.balance.choosing import Full, choose
from proxy_core.balance.member_state import Beat, MemberKey
from proxy_core.balance.pool import BoundMember, Pool
from proxy_core.balance.shares import serves, takes_sessions
from proxy_core.config.model import Balancer, Ejection, Member, Route, Site, Sticky
from proxy_core.runtime.compile_site import adopt, compile_site
from proxy_core.runtime.registry import Registry
from proxy_core.runtime.rule_set import RuleSet

ATTEMPTS = 10
METHODS = ("byrequests", "bytraffic", "bybusyness", "heartbeat", "latency", "hash")


@dataclass
class World:
    """``sick`` members refuse connections, ``bad`` ones answer 500; ``flights`` end at their time, with their bytes."""

    random: Random
    site: Site
    now: float = 1000.0
    registry: Registry = field(default_factory=Registry)
    sick: set[str] = field(default_factory=set)
    bad: set[str] = field(default_factory=set)
    flights: list[tuple[float, BoundMember, Pool]] = field(default_factory=list)
    attempts: int = 0
    answered: Counter[str] = field(default_factory=Counter)
    unanswered: int = 0
    rules: RuleSet = field(init=False)

    def __post_init__(self) -> None:
        self.rules = compile_site(self.site, self.registry, 1)
        adopt(self.rules, self.registry, self.now)

    def swap(self, group: Balancer) -> None:
        self.site = replace(self.site, balancers={"p": group})
        self.rules = compile_site(self.site, self.registry, self.rules.generation + 1, self.rules)
        adopt(self.rules, self.registry, self.now)

    def ask(self, route: str = "", key: bytes = b"") -> None:
        """A request: chosen, perhaps refused and chosen again, then in flight."""
        pool, tried = self.rules.pools["p"], ()
        while len(tried) < ATTEMPTS:
            try:
                member = choose(pool, self.now, tried, route, key)
            except Full:
                member = None
            if member is None:
                self.unanswered += 1
                return
            self.attempts += 1
            state = member.state
            state.busy += 1
            state.elected += 1
            assert state.busy <= member.limit
            assert serves(member) or (route == member.route and takes_sessions(member))
            assert not state.failing
            if member.key.member not in self.sick:
                passive_checks.worked(member, self.now)
                self.flights.append((self.now + self.random.expovariate(10), member, pool))
                return
            state.busy -= 1
            passive_checks.unreachable(pool, member, self.now, "refused")
            tried += (member.key,)

    def finish(self, until: float) -> None:
        due = [flight for flight in self.flights if flight[0] <= until]
        self.flights = [flight for flight in self.flights if flight[0] > until]
        for at, member, pool in due:
            if pool.watched:
                status = 500 if member.key.member in self.bad else 200
                passive_checks.answered(pool, member, at, status, self.random.random())
            member.state.busy -= 1
            member.state.read += self.random.randint(100, 3000)
            self.answered[member.key.member] += 1

    def books_balance(self) -> None:
        states = self.registry.members.values()
        in_flight = Counter(member.key for _, member, _ in self.flights)
        assert all(state.busy == in_flight[state.key] for state in states)
        assert sum(state.elected for state in states) == self.attempts
        pool = self.rules.pools["p"]
        assert sum(member.state.lbstatus for member in pool.members) == 0
        ejected = [member for member in pool.members if self.now < member.state.ejected_until]
        assert len(ejected) < max(2, len(pool.members))


def group_of(random: Random, method: str) -> Balancer:
    roles = ["regular"] * 4 + ["spare", "standby"]
    members = {
        f"m{number}": Member(
            url=f"http://127.0.0.1:{9000 + number}",
            weight=random.choice([0, 0.5, 1, 1, 2, 3]),
            route=f"r{number}",
            role=random.choice(roles),  # type: ignore[arg-type]
            lbset=random.choice([0, 0, 0, 1]),
            retry=random.choice([0.0, 1.0, 5.0]),
            max_connections=random.choice([0, 0, 3]),
            ignore_errors=random.random() < 0.1,
        )
        for number in range(random.randint(2, 7))
    }
    return Balancer(
        method=method,  # type: ignore[arg-type]
        members=members,
        sticky=Sticky(cookie="S", nofailover=random.random() < 0.3),
        slow_start=random.choice([0.0, 3.0]),
        ejection=random.choice([None, Ejection(consecutive=3, seconds=2.0)]),
        failonstatus=random.choice([(), ("500",)]),
        forcerecovery=random.random() < 0.8,
        drain_timeout=5.0,
    )


def command(random: Random, group: Balancer) -> Balancer:
    """Something that an operator does to one member."""
    name = random.choice(list(group.members))
    member = group.members[name]
    changes: list[dict[str, Any]] = [
        {"weight": random.choice([0, 1, 2, 5])},
        {"status": random.choice(["enabled", "enabled", "draining", "disabled", "stopped"])},
        {"role": random.choice(["regular", "spare", "standby"])},
        {"lbset": random.choice([0, 1])},
        {"max_connections": random.choice([0, 2])},
        {"url": f"http://127.0.0.1:{random.randint(9000, 9020)}"},
    ]
    members = {**group.members, name: replace(member, **random.choice(changes))}
    if random.random() < 0.1 and len(members) > 1:
        del members[name]
    elif random.random() < 0.1:
        members[f"n{random.randint(0, 3)}"] = Member(url="http://127.0.0.1:9100", route="r9")
    return replace(group, members=members)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", [*range(8), *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(8, 12))])
def test_the_books_balance_through_faults_sessions_and_commands(method: str, seed: int) -> None:
    random = Random(f"{method} {seed}")
    lbmethods.chance.seed(seed)
    group = group_of(random, method)
    site = Site(routes=(Route(id="a", path="/", proxy="balancer://p/"),), balancers={"p": group})
    world = World(random, site)
    for _ in range(1500):
        world.now += random.expovariate(20)
        world.finish(world.now)
        act = random.random()
        names = sorted({key.member for key in world.registry.members})
        if act < 0.80:
            route = f"r{random.randint(0, 9)}" if random.random() < 0.3 else ""
            world.ask(route, b"%d" % random.randint(0, 50))
        elif act < 0.86:
            world.sick ^= {random.choice(names)}
        elif act < 0.90:
            world.bad ^= {random.choice(names)}
        elif act < 0.94:
            for state in world.registry.members.values():
                state.beat = Beat(random.randint(0, 5), random.randint(0, 2), world.now)
        elif act < 0.96:
            state = world.registry.members[MemberKey("p", random.choice(names))]
            if state.failing:
                passive_checks.recovered(state, world.now)
            else:
                state.failing = True
        else:
            group = command(random, group)
            world.swap(group)
        world.books_balance()
    world.finish(world.now + 1000)
    world.books_balance()
    assert not world.flights
    assert all(state.busy == 0 for state in world.registry.members.values())
    assert sum(world.answered.values()) > 20


def steady(method: str, **balancer: Any) -> World:
    weights = {"a": 3, "b": 1, "c": 2}
    members = {
        name: Member(url=f"http://127.0.0.1:{9000 + n}", weight=weight)
        for n, (name, weight) in enumerate(weights.items())
    }
    site = Site(balancers={"p": Balancer(method=method, members=members, **balancer)})  # type: ignore[arg-type]
    return World(Random(method), site)


def run(world: World, count: int) -> None:
    for number in range(count):
        world.now += world.random.expovariate(20)
        world.finish(world.now)
        world.ask(key=b"%d" % number)
    world.finish(world.now + 1000)


def test_byrequests_is_exact_over_ten_thousand_requests() -> None:
    world = steady("byrequests")
    run(world, 9_996)
    assert world.answered == {"a": 4998, "b": 1666, "c": 3332}
    run(world, 4)
    assert world.answered == {"a": 5000, "b": 1667, "c": 3333}


def test_bytraffic_is_within_a_hundredth_over_ten_thousand_requests() -> None:
    world = steady("bytraffic")
    run(world, 10_000)
    bytes_of = {key.member: state.read for key, state in world.registry.members.items()}
    shares = [bytes_of[name] / sum(bytes_of.values()) for name in "abc"]
    assert shares == pytest.approx([1 / 2, 1 / 6, 1 / 3], abs=0.01)


def test_hash_moves_no_more_than_a_leavers_share() -> None:
    world = steady("hash")

    def owners() -> list[str]:
        pool = world.rules.pools["p"]
        found = (choose(pool, world.now, key=b"%d" % number) for number in range(3000))
        return [member.key.member for member in found if member is not None]

    before = owners()
    group = world.site.balancers["p"]
    world.swap(replace(group, members={name: member for name, member in group.members.items() if name != "b"}))
    moved = sum(one != other for one, other in zip(before, owners(), strict=True))
    assert moved == before.count("b")
    assert moved / 3000 == pytest.approx(1 / 6, abs=0.025)


def test_an_outage_costs_no_request_and_shares_are_right_again_after_it() -> None:
    world = steady("byrequests")
    run(world, 600)
    world.sick = {"a"}
    run(world, 600)
    world.sick = set()
    world.now += 61
    world.answered.clear()
    world.swap(replace(world.site.balancers["p"], timeout=1.0))
    run(world, 6)
    run(world, 6000)
    assert world.unanswered == 0
    assert [world.answered[name] / 6006 for name in "abc"] == pytest.approx([1 / 2, 1 / 6, 1 / 3], abs=0.002)
