"""Sends copies of requests to the shadow pool of their route, and tells in what the answers differ.

A copy is made when the real answer has ended, by a task of its own: whatever becomes of it, the real request is over,
so it cannot be delayed and cannot fail. A copy goes where a request of its pool would go, by the same choice,
connections and reading of answers, with what the real member got and ``X-Shadow: 1``. It is sent once. It counts as
load of its member and nowhere else: it is in no record, no log and no figure of the site or its route.

Bounded: so many copies are under way for a route, so many in all; one is given up after the pool's or the route's
``timeout``, and when its body is longer than the real one. What there is no room for is dropped and counted, as is a
copy whose idle connection turned out to be closed, for that says nothing about the member.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Final

from msgspec import Struct

from proxy_core.balance import passive_checks, sticky
from proxy_core.balance.choosing import Full, choose
from proxy_core.balance.pool import BoundMember, Pool
from proxy_core.errors import Problem
from proxy_core.rules.decision import Forward, Shadow
from proxy_core.rules.facts import Facts, Unknown
from proxy_core.rules.hash_key import hash_key
from proxy_core.runtime.exchange import Exchange
from proxy_core.runtime.fact_lookups import Outside
from proxy_core.runtime.member_asking import MemberAsk
from proxy_core.runtime.path_shapes import shape_of
from proxy_core.runtime.rule_set import RuleSet
from proxy_core.runtime.shadow_comparison import (
    Body,
    Difference,
    Said,
    ShadowKey,
    ShadowTally,
    differences,
    no_answer,
    said,
)
from proxy_core.runtime.upstreams.connector import Unreachable, Upstreams
from proxy_core.runtime.upstreams.whole_answer import Unheard, WholeAnswer
from proxy_core.serve.member_answer import own_base
from proxy_core.serve.member_tls import secured_key
from proxy_core.serve.request_fields import RequestFields
from proxy_core.serve.waiting_lines import Lines
from proxy_core.serve.way import outgoing

OF_A_ROUTE: Final = 16
"""Copies of one route that are under way at a time."""
IN_ALL: Final = 64
"""Copies of all routes that are under way at a time."""
MARK: Final = b"X-Shadow: 1\r\n"
"""What tells a member that it has a copy."""


class Copy(Struct, frozen=True, gc=False):
    """A request whose answer is known, to be asked of somebody else too."""

    exchange: Exchange
    """The request, finished."""
    decision: Forward
    """Where it went."""
    fields: RequestFields
    """Its fields as they went upstream."""
    shadow: Shadow
    """Where the copy goes."""
    real: Said
    """What was answered."""


class Dropped(Exception):
    """The copy came to nothing, for no reason that says anything about the answer."""


class Shadows:
    """The copies of all routes. ``attempts`` counts the members that some were given to."""

    def __init__(
        self, upstreams: Upstreams, outside: Outside, lines: Lines, log: Callable[[Problem, Exception | None], None]
    ) -> None:
        self.tallies: dict[ShadowKey, ShadowTally] = {}
        self.attempts = 0
        self._upstreams = upstreams
        self._outside = outside
        self._lines = lines
        self._log = log
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, copy: Copy) -> None:
        """Send a copy, if there is room for one more."""
        tally = self.tallies.setdefault((copy.decision.route.id, copy.shadow.pool), ShadowTally())
        if tally.in_flight >= OF_A_ROUTE or len(self._tasks) >= IN_ALL:
            tally.dropped += 1
            return
        tally.in_flight += 1
        task = asyncio.get_running_loop().create_task(self._sent(copy, tally))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def adopt(self, rules: RuleSet) -> None:
        """Another site is in force: forget what is known of shadows that are gone."""
        there = {(row.id, row.shadow.pool) for row in rules.program.routes if row.shadow is not None}
        self.tallies = {key: tally for key, tally in self.tallies.items() if key in there}

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _sent(self, copy: Copy, tally: ShadowTally) -> None:
        exchange = copy.exchange
        try:
            unlike = await self._compared(copy)
        except Dropped:
            tally.dropped += 1
        except Exception as error:
            what = f"comparing a copy of a request to route {copy.decision.route.id} failed: {error}"
            self._log(Problem(what=what, todo="no client noticed; please report this", severity="warning"), error)
            tally.dropped += 1
        else:
            shape = shape_of(exchange.view.method, exchange.view.target)
            tally.compared(unlike, shape, exchange.at, exchange.number)
        finally:
            tally.in_flight -= 1

    async def _compared(self, copy: Copy) -> tuple[Difference, ...]:
        """In what the answer to the copy differs. Raises Dropped."""
        pool = copy.exchange.rules.pools[copy.shadow.pool]
        member = await self._elected(copy, pool)
        if member is None:
            return no_answer(copy.real, f"no member of {pool.name} takes requests")
        state = member.state
        state.busy += 1
        state.elected += 1
        self.attempts += 1
        seconds = member.member.timeout or copy.decision.route.timeout
        try:
            async with asyncio.timeout(seconds):
                return await self._of(copy, pool, member)
        except TimeoutError:
            return no_answer(copy.real, f"no whole answer came within {seconds:g} s")
        except Unreachable as error:
            if error.ours:
                raise Dropped from error
            state.errors += 1
            passive_checks.unreachable(pool, member, monotonic(), error.why, error.unresolved)
            return no_answer(copy.real, error.why)
        except Unheard as error:
            return no_answer(copy.real, error.why)
        finally:
            state.busy -= 1
            self._lines.freed(pool.name)

    async def _elected(self, copy: Copy, pool: Pool) -> BoundMember | None:
        """Whose turn it is; nobody's where no member takes requests. Raises Dropped."""
        exchange, session, key = copy.exchange, "", b""
        if pool.balancer.sticky is not None:
            session = sticky.session_route(pool.balancer.sticky, copy.decision.target, exchange.head)
        if pool.balancer.method == "hash":
            key = await self._key(copy, pool)
        try:
            return choose(pool, monotonic(), route=session, key=key)
        except Full:
            raise Dropped from None

    async def _key(self, copy: Copy, pool: Pool) -> bytes:
        """What a balancer by hash goes by."""
        exchange, facts = copy.exchange, Facts(ask=self._outside.ask)
        view, rules, name = exchange.view, exchange.rules, exchange.rules.site.site.server_name
        while True:
            try:
                return hash_key(pool.balancer.key, view, facts, exchange.extras, name)
            except Unknown as unknown:
                facts.answers[unknown.key] = await self._outside.answer(unknown.key, rules, view.client)

    async def _of(self, copy: Copy, pool: Pool, member: BoundMember) -> tuple[Difference, ...]:
        """In what this member's answer differs. Raises Dropped, Unreachable and Unheard."""
        exchange, route, site = copy.exchange, copy.decision.route, copy.exchange.rules.site.site
        head, _, alone = outgoing(exchange.view, copy.decision, copy.fields, member)
        asking = MemberAsk(self._upstreams, pool, member, keeps=not alone)
        key = member.upstream
        if key.tls is not None:
            key = secured_key(member, route, copy.fields.host)
        idle = self._upstreams.take(key)
        connection = idle
        if connection is None:
            seconds = member.member.connect_timeout or site.connect_timeout
            connection = await self._upstreams.connect(key, seconds, member.member.keepalive)
        ear = _Ear(copy.real.length)
        try:
            head_only = exchange.view.method == b"HEAD"
            answer = await asking.over(connection, head[:-2] + MARK + b"\r\n", ear, head_only=head_only)
        except Unheard as error:
            if idle is not None and error.unanswered:
                raise Dropped from error
            asking.broke()
            raise
        back = copy.shadow.reverse, own_base(exchange.view, route, site.server_name)
        names = copy.shadow.fields
        return differences(names, copy.real, said(answer, ear.whole, names, back, longer=ear.longer))


class _Ear(WholeAnswer):
    """Hears an answer out whose body is not kept."""

    def __init__(self, most: int) -> None:
        super().__init__(most, waits=False)
        self.whole = Body()

    def keep(self, data: bytes) -> None:
        self.whole.add(data)
