"""Pools for tests: members m0, m1, … of the given weights."""

from __future__ import annotations

from proxy_core.balance.bind import compile_pools
from proxy_core.balance.state import MemberState, Pool
from proxy_core.config.model import Balancer, Member, MemberStatus, Site


def pool(*weights: float, status: tuple[MemberStatus, ...] = (), retry: float = 60.0) -> Pool:
    statuses = status or ("enabled",) * len(weights)
    members = {
        f"m{number}": Member(url=f"http://127.0.0.1:{9000 + number}", weight=weight, status=its_status, retry=retry)
        for number, (weight, its_status) in enumerate(zip(weights, statuses, strict=True))
    }
    return compile_pools(Site(balancers={"p": Balancer(members=members)}), MemberState)["p"]
