"""What is wrong with members, worded for people: every member in force whose last connection failed.

Read from the members' states when somebody looks; nothing here is kept, and nothing changes what serves.
"""

from __future__ import annotations

from collections.abc import Mapping

from proxy_core.balance.state import Pool
from proxy_core.errors import Problem


def member_problems(pools: Mapping[str, Pool]) -> list[Problem]:
    """A warning for every member in force whose last connection failed."""
    found = []
    for pool in pools.values():
        for member in pool.members:
            state = member.state
            if not (state.last_error or state.unresolved):
                continue
            key = member.key
            address = ("balancers", key.balancer, "members", key.member) if key.balancer else ()
            name = f"member {key.balancer}/{key.member}" if key.balancer else f"upstream {key.member}"
            found.append(
                Problem(
                    what=f"{name}: {state.last_error}",
                    todo=f"start it, or drain it; it is tried again after {member.member.retry:.0f} s",
                    severity="warning",
                    address=address,
                )
            )
    return found
