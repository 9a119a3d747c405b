"""What is wrong, worded for people: what went wrong while serving and was nobody's answer, and members in trouble.

A mistake of ours in a request, in a protocol's callback or in one of the engine's own clocks is shown for a while, told
once, and its trace logged. It must never print by itself: a console may have the terminal. What is repeated with every
request is told and logged once, as long as it is shown.

What is wrong with members is read from their states when somebody looks; nothing here decides who is tried. Local
members that are away are looked for once at the start, so that a person learns of them before the first request does;
that puts none in error.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Mapping
from time import monotonic
from typing import Any

from proxy_core.balance.member_state import MemberKey
from proxy_core.balance.pool import Pool
from proxy_core.config.model import Site
from proxy_core.control.demo import members
from proxy_core.errors import Problem
from proxy_core.runtime.upstreams.resolver import Resolver

SHOWN = 600.0
"""Seconds for which a notice stays among the problems after it came last."""
MOST = 50

_logger = logging.getLogger(__name__)


class RecentProblems:
    """What is shown for a while."""

    def __init__(self) -> None:
        self._shown: dict[str, tuple[float, Problem]] = {}

    def add(self, problem: Problem, error: BaseException | None = None) -> None:
        """Show ``problem``, and log the trace of the ``error`` that it tells of where it is not shown already."""
        already = {shown.what for shown in self.current()}
        self._shown.pop(problem.what, None)
        self._shown[problem.what] = (monotonic() + SHOWN, problem)
        if problem.what in already:
            return
        if len(self._shown) > MOST:
            del self._shown[next(iter(self._shown))]
        if error is not None:
            _logger.error("%s", problem.what, exc_info=error)

    def current(self) -> list[Problem]:
        """What is shown now, oldest first."""
        now = monotonic()
        self._shown = {what: entry for what, entry in self._shown.items() if entry[0] > now}
        return [problem for _, problem in self._shown.values()]

    def crashed(self, where: str, error: BaseException, outcome: str) -> None:
        """A mistake of ours; ``outcome`` says what became of it."""
        self.add(Problem(what=f"{where} failed: {in_a_line(error)}", todo=f"{outcome}; please report this"), error)

    def from_loop(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """The loop's exception handler: what a callback raised, and no code of ours caught."""
        error = context.get("exception")
        what = str(context.get("message") or "the event loop failed")
        if error is None:
            self.add(Problem(what=what, todo="serving goes on; please report this"))
        else:
            self.crashed(what[:1].lower() + what[1:].removesuffix("."), error, "serving goes on")


def in_a_line(error: BaseException) -> str:
    """An exception in a line: its kind, its words, and where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{where}"


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
