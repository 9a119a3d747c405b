"""Active checks: members are asked at intervals whether they are well, beside the requests.

The meaning is that of httpd's mod_proxy_hcheck: a member whose checks fail is out until they pass again, whatever
happens to the others, and passing clears the error state that requests put it in. Here ``fails`` and ``passes`` count
results in a row. httpd never starts its count anew, so ten failures in a month are as bad there as ten in ten seconds.

A check goes the way of a request: the same names, connections and reading of answers, so that what it finds well is
well for requests too. Each member has a task of its own, which ends with the member: checks of one member never
overlap. They begin at random moments and keep a tenth of jitter, and at most ``AT_ONCE`` run at a time.
"""

from __future__ import annotations

import asyncio
from random import Random
from time import monotonic, time
from typing import Final

from msgspec import Struct

from proxy_core.balance.member_state import Checked, MemberKey, MemberState, UpstreamKey
from proxy_core.balance.passive_checks import recovered
from proxy_core.balance.pool import BoundMember
from proxy_core.config.model import HealthCheck
from proxy_core.http.statuses import status_ranges
from proxy_core.rules.expression.evaluation import ExprFailure, compile_expr
from proxy_core.rules.text.pattern import Runaway
from proxy_core.runtime.rule_set import RuleSet
from proxy_core.runtime.upstreams.connector import Unreachable, Upstreams
from proxy_core.runtime.upstreams.response_head import Answer
from proxy_core.runtime.upstreams.whole_answer import Unheard, WholeAnswer

AT_ONCE: Final = 64
"""Checks that run at a time; more wait for their turn."""
SPREAD: Final = 2.0
"""Seconds over which first checks are spread, at most."""
BODY: Final = 64 * 1024
"""Bytes of an answer's body that an expression sees. What follows is read and thrown away."""


class Target(Struct, frozen=True):
    """Whom a task asks, and how; a change of any of it makes another task."""

    check: HealthCheck
    upstream: UpstreamKey
    host: bytes
    base: bytes


class Checks:
    """The checks of the members in force."""

    def __init__(self, upstreams: Upstreams, random: Random | None = None) -> None:
        self._upstreams = upstreams
        self._random = random or Random()
        self._running: dict[MemberKey, tuple[Target, asyncio.Task[None]]] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)

    def adopt(self, rules: RuleSet) -> None:
        """Check the members of these rules from now on: those that are new begin, those that are gone end, those that
        are checked as before notice nothing. A member that is not checked any more is well as far as checks go."""
        wanted = {}
        for pool in rules.pools.values():
            check = pool.balancer.health
            for member in pool.members:
                if check is not None and check.method != "none" and member.member.status != "stopped":
                    wanted[member.key] = (target(check, member), member.state)
                elif member.state.check is not None:
                    member.state.failing, member.state.check = False, None
        for key, (asked, task) in list(self._running.items()):
            if key not in wanted or wanted[key][0] != asked:
                task.cancel()
                del self._running[key]
        for key, (whom, state) in wanted.items():
            state.check = state.check or Checked()
            if key not in self._running:
                self._running[key] = (whom, asyncio.create_task(self._checking(whom, state)))

    async def close(self) -> None:
        """End every check."""
        tasks = [task for _, task in self._running.values()]
        self._running.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _checking(self, whom: Target, state: MemberState) -> None:
        interval = whom.check.interval
        wait = self._random.uniform(0.0, min(interval, SPREAD))
        while True:
            if state.check is not None:
                state.check.next_at = monotonic() + wait
            await asyncio.sleep(wait)
            async with self._turns:
                began = monotonic()
                outcome = await ask(self._upstreams, whom)
            if outcome is not None:
                note(state, whom.check, *outcome, at=time())
            wait = max(0.0, began + interval * self._random.uniform(0.9, 1.1) - monotonic())


def target(check: HealthCheck, member: BoundMember) -> Target:
    return Target(check, member.upstream, member.host, member.base)


def note(state: MemberState, check: HealthCheck, passed: bool, result: str, at: float) -> None:
    """A check came out so. Enough in a row change whether the member gets requests; once is said enough."""
    seen = state.check = state.check or Checked()
    seen.streak = seen.streak + 1 if seen.at and seen.passed == passed else 1
    seen.at, seen.passed, seen.result = at, passed, result
    if passed and seen.streak >= check.passes:
        recovered(state, monotonic())
    elif not passed and seen.streak >= check.fails:
        state.failing = True


async def ask(upstreams: Upstreams, whom: Target) -> tuple[bool, str] | None:
    """Check once: whether it passed, and the outcome in words. None when it is our own fault that nobody was asked."""
    check = whom.check
    began = monotonic()
    try:
        async with asyncio.timeout(check.timeout):
            upstream = await upstreams.connect(whom.upstream, check.timeout)
            try:
                if check.method == "tcp":
                    return True, f"accepted within {_spent(began)}"
                ear = WholeAnswer(BODY)
                upstream.ask(ear, _request(whom), check.method == "head")
                answer = await ear.heard
            finally:
                upstream.drop()
    except Unreachable as error:
        return None if error.ours else (False, error.why)
    except TimeoutError:
        return False, f"no whole answer within {check.timeout:g} s"
    except Unheard as error:
        return False, error.why
    passed, result = judge(check, answer, bytes(ear.body_bytes))
    return passed, f"{result} within {_spent(began)}" if passed else result


def judge(check: HealthCheck, answer: Answer, body: bytes) -> tuple[bool, str]:
    """Whether an answer is a good one, and why."""
    if check.expr is None:
        good = answer.status in status_ranges(check.expect)
        return good, f"{answer.status}" if good else f"{answer.status} is not expected"
    try:
        holds = compile_expr(check.expr).truth(_Scope(answer, body))
    except (ExprFailure, Runaway) as error:
        return False, f"the expression cannot be evaluated: {error}"
    return holds, f"{answer.status}" if holds else f"{answer.status}, and the expression does not hold"


def _request(whom: Target) -> bytes:
    method, uri = whom.check.method.upper().encode("ascii"), whom.check.uri.encode("ascii")
    target = uri if uri == b"*" else whom.base.rstrip(b"/") + uri
    return b"%b %b HTTP/1.1\r\nHost: %b\r\nUser-Agent: rproxy-health\r\nAccept: */*\r\nConnection: close\r\n\r\n" % (
        method, target, whom.host,
    )  # fmt: skip


def _spent(began: float) -> str:
    return f"{(monotonic() - began) * 1000:.1f} ms"


class _Scope:
    """What an expression knows of a check's answer (``rules.expression.functions.ExpressionScope``)."""

    def __init__(self, answer: Answer, body: bytes) -> None:
        self._answer = answer
        self._body = body

    def variable(self, name: str) -> str:
        return str(self._answer.status) if name == "REQUEST_STATUS" else ""

    def field(self, name: str, which: str) -> str:
        if which == "hc":
            return self._body.decode("latin-1") if name.lower() == "body" else ""
        if which != "resp":
            return ""
        wanted = name.lower().encode("latin-1", "replace")
        fields = [line.partition(b":") for line in self._answer.raw.split(b"\r\n")[1:]]
        return b", ".join(value.strip(b" \t") for key, _, value in fields if key.lower() == wanted).decode("latin-1")

    def fact(self, kind: str, name: str, key: str) -> str | None:
        return None
