"""What is wrong with members, worded for people: connections that fail, checks that fail, names without an answer.

Read from the members' states when somebody looks; nothing here decides who is tried. Local members that are away are
looked for once at the start, so that a person learns of them before the first request does; that puts none in error.
"""

from __future__ import annotations

from collections.abc import Mapping

from proxy_core.balance.member_state import MemberKey
from proxy_core.balance.pool import Pool
from proxy_core.config.model import Site
from proxy_core.control.demo import members
from proxy_core.errors import Problem
from proxy_core.runtime.upstreams.resolver import Resolver


def member_problems(pools: Mapping[str, Pool], resolver: Resolver) -> list[Problem]:
    """A warning for every member in force whose last connection failed, whose checks fail, or whose name does not
    resolve any more."""
    found = []
    for pool in pools.values():
        for member in pool.members:
            state = member.state
            if state.failing and state.check is not None:
                todo = "start it, or drain it; it gets requests again when its checks pass"
                found.append(_problem(member.key, f"its checks fail: {state.check.result}", todo))
            elif state.last_error:
                retry = (
                    f"{member.member.retry:.0f} s after its last failure" if state.error_at else "by the next request"
                )
                todo = f"start it, or drain it; it is tried again {retry}"
                found.append(_problem(member.key, state.last_error, todo))
            name = resolver.names.get(member.upstream.host)
            if name is not None and name.addresses and name.trouble:
                todo = f"mend the name; it is still reached at {name.addresses[0]}"
                found.append(_problem(member.key, name.trouble, todo))
    return found


async def look_for_members(pools: Mapping[str, Pool], site: Site) -> None:
    """Note the local members that refuse connections and have not been asked by a request yet."""
    away = set(await members.refusing(site))
    for pool in pools.values():
        for member in pool.members:
            place = (member.upstream.host, member.upstream.port)
            if place in away and not member.state.elected:
                member.state.last_error = f"{place[0]}:{place[1]} refused the connection"


def _problem(key: MemberKey, what: str, todo: str) -> Problem:
    name = f"member {key.balancer}/{key.member}" if key.balancer else f"upstream {key.member}"
    address = ("balancers", key.balancer, "members", key.member) if key.balancer else ()
    return Problem(what=f"{name}: {what}", todo=todo, severity="warning", address=address)
