"""Pools for tests: members m0, m1, … of the given weights, with whatever else is said of all of them."""

from __future__ import annotations

from typing import Any

from proxy_core.balance.bind import compile_pools
from proxy_core.balance.state import BoundMember, MemberState, Pool
from proxy_core.config.model import Balancer, Member, MemberStatus, Site


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
