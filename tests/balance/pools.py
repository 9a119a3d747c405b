"""Pools for tests: members m0, m1, … of the given weights, with whatever else is said of all of them."""

from __future__ import annotations

from typing import Any

from proxy_core.balance import passive_checks
from proxy_core.balance.choosing import Full, choose
from proxy_core.balance.compile_pools import compile_pools
from proxy_core.balance.member_health import usable
from proxy_core.balance.member_state import MemberState
from proxy_core.balance.pool import BoundMember, Pool
from proxy_core.config.model import Balancer, Member, MemberStatus, Site

NOW = 1000.0


def pool(*weights: float, status: tuple[MemberStatus, ...] = (), retry: float = 60.0, **balancer: Any) -> Pool:
    statuses = status or ("enabled",) * len(weights)
    members = {
        f"m{number}": member(number, weight=weight, status=its_status, retry=retry)
        for number, (weight, its_status) in enumerate(zip(weights, statuses, strict=True))
    }
    return pool_of(members, **balancer)


def member(number: int, **settings: Any) -> Member:
    return Member(url=f"http://127.0.0.1:{9000 + number}", **settings)


def pool_of(members: dict[str, Member], **balancer: Any) -> Pool:
    return compile_pools(Site(balancers={"p": Balancer(members=members, **balancer)}), MemberState)["p"]


def roles(text: str, **balancer: Any) -> Pool:
    """Members in words: ``a b:standby c:spare,lbset=1 d:draining e:weight=0``."""
    members = {}
    for number, word in enumerate(text.split()):
        name, _, rest = word.partition(":")
        settings: dict[str, Any] = {"route": name}
        for each in filter(None, rest.split(",")):
            key, given, value = each.partition("=")
            if given:
                settings[key] = value if key in ("route", "redirect") else int(value)
            else:
                settings["role" if each in ("standby", "spare") else "status"] = each
        members[name] = member(number, **settings)
    return pool_of(members, **balancer)


def named(pool: Pool, name: str) -> BoundMember:
    return next(member for member in pool.members if member.key.member == name)


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


def answer(given: Pool, number: int, *statuses: int, now: float = NOW) -> None:
    for status in statuses:
        passive_checks.answered(given, given.members[number], now, status, 0.01)


def up(given: Pool, now: float = NOW) -> list[bool]:
    return [usable(member, now) for member in given.members]
