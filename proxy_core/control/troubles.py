"""What is wrong with members, in words for people.

Read from their states; nothing here decides who is tried. Local members that are away are looked for once at the
start, so that a person learns of them before the first request does; that puts none of them in error.
"""

from __future__ import annotations

from proxy_core.balance.state import BoundMember
from proxy_core.control import demo
from proxy_core.errors import Problem
from proxy_core.runtime.current import RuleSet


def of_members(rules: RuleSet) -> list[Problem]:
    """A warning for every member in force whose last connection failed."""
    members = [member for pool in rules.pools.values() for member in pool.members]
    return [_problem(member) for member in members if member.state.last_error or member.state.unresolved]


def _problem(member: BoundMember) -> Problem:
    key, state = member.key, member.state
    name = f"member {key.balancer}/{key.member}" if key.balancer else f"upstream {key.member}"
    retry = "with the next request"
    if state.error_at:
        retry = f"{member.member.retry:.0f} s after its last failure"
    return Problem(
        what=f"{name}: {state.last_error}",
        todo=f"start it, or drain it; it is tried again {retry}",
        severity="warning",
        address=("balancers", key.balancer, "members", key.member) if key.balancer else (),
    )


async def look_for_members(rules: RuleSet) -> None:
    """Note the local members that refuse connections and have not been asked by a request yet."""
    away = set(await demo.refusing(rules.site))
    for pool in rules.pools.values():
        for member in pool.members:
            place = (member.upstream.host, member.upstream.port)
            if place in away and not member.state.elected:
                member.state.last_error = f"{place[0]}:{place[1]} refused the connection"
