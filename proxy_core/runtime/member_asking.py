"""Asks a member something beside the requests of clients: what services of [forward_auth] are asked, and copies.

An ask goes the way of a request: the same connections and reading of answers, and what comes of it counts for the
member as of any request. It has no body, and it is in no record: nothing here knows of clients. Who asks sets the time.
"""

from __future__ import annotations

import asyncio
from time import monotonic

from proxy_core.balance import passive_checks
from proxy_core.balance.latency_histogram import bucket_of
from proxy_core.balance.pool import BoundMember, Pool
from proxy_core.runtime.upstreams.connection import Upstream
from proxy_core.runtime.upstreams.connector import IDLE_SECONDS, Upstreams
from proxy_core.runtime.upstreams.response_head import Answer
from proxy_core.runtime.upstreams.whole_answer import WholeAnswer


class MemberAsk:
    """Asks one member of a pool. ``keeps``: its connection may serve others afterwards."""

    def __init__(self, upstreams: Upstreams, pool: Pool, member: BoundMember, *, keeps: bool = True) -> None:
        self._upstreams = upstreams
        self._pool = pool
        self._member = member
        self._keeps = keeps and not member.member.disablereuse

    async def over(self, connection: Upstream, head: bytes, ear: WholeAnswer, *, head_only: bool = False) -> Answer:
        """What comes over a connection, which is given back or closed then. Raises Unheard; cancelled, the member was
        too slow."""
        pool, member, state, began = self._pool, self._member, self._member.state, monotonic()
        if state.last_error:
            passive_checks.worked(member, began)
        state.transferred += len(head)
        state.sent += len(head)
        connection.ask(ear, head, head_only)
        try:
            answer = await ear.heard
        except asyncio.CancelledError:
            state.errors += 1
            passive_checks.silent(pool, member, monotonic(), monotonic() - began)
            raise
        finally:
            if ear.reusable and self._keeps:
                self._upstreams.give_back(connection, monotonic(), member.member.ttl or IDLE_SECONDS)
            else:
                connection.drop()
        taken = monotonic() - began
        state.answered += 1
        state.classes[answer.status // 100] += 1
        state.histogram[bucket_of(taken)] += 1
        state.seconds += taken
        state.read += len(answer.raw)
        state.received += len(answer.raw) + ear.length
        if pool.watched:
            passive_checks.answered(pool, member, monotonic(), answer.status, taken)
        return answer

    def broke(self) -> None:
        """The connection ended before its answer did, or what came over it was none."""
        self._member.state.errors += 1
        passive_checks.broke(self._pool, self._member, monotonic())
