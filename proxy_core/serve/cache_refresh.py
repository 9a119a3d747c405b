"""Validates kept answers while they are served stale (stale-while-revalidate, RFC 5861 §3).

It asks as a request would: the same pools, choice, connections and reading of answers, and what comes of it counts for
the member. No client waits for it, so whatever goes wrong leaves what is kept as it is.
"""

from __future__ import annotations

import asyncio
from time import monotonic

from proxy_core.balance import passive_checks
from proxy_core.balance.choosing import Full, choose
from proxy_core.balance.pool import BoundMember, Pool
from proxy_core.cache.freshness import ERRORS, AskedBy
from proxy_core.cache.store import KeptAnswer
from proxy_core.rules.decision import Forward
from proxy_core.runtime.exchange import Exchange
from proxy_core.runtime.member_asking import MemberAsk
from proxy_core.runtime.upstreams.connector import Unreachable
from proxy_core.runtime.upstreams.response_head import Answer
from proxy_core.runtime.upstreams.whole_answer import Unheard, WholeAnswer
from proxy_core.serve.answer_cache import AnswerCache, CacheKey
from proxy_core.serve.keeping import Deposit, begun, renewed
from proxy_core.serve.member_tls import secured_key
from proxy_core.serve.request_fields import RequestFields
from proxy_core.serve.server_state import ServerState
from proxy_core.serve.way import outgoing


async def refreshed(
    state: ServerState, exchange: Exchange, decision: Forward, fields: RequestFields, old: tuple[KeptAnswer, bytes]
) -> None:
    """Ask whether a kept answer is still good, and keep what comes. ``fields`` ask so; ``old`` is the kept answer, and
    the lines of the request that it is for."""
    try:
        await _asked(state, exchange, decision, fields, old)
    except (Unreachable, Unheard, Full, TimeoutError):
        pass
    except Exception as error:
        state.crashed("validating a kept answer", error)


async def _asked(
    state: ServerState, exchange: Exchange, decision: Forward, fields: RequestFields, old: tuple[KeptAnswer, bytes]
) -> None:
    pool = exchange.rules.pools[decision.route.pool or ""]
    member = choose(pool, monotonic(), (), exchange.session, b"")
    if member is None:
        return
    member.state.busy += 1
    member.state.elected += 1
    state.cache.attempts += 1
    ear = _KeepingEar(state.cache, (old[0].primary, old[0].rest))
    try:
        async with asyncio.timeout(member.member.timeout or decision.route.timeout):
            began = monotonic()
            answer = await _heard(state, exchange, decision, fields, (pool, member, ear))
            _kept(state.cache, answer, ear, old, monotonic() - began)
    finally:
        if ear.deposit is not None:
            ear.deposit.given_up()
        member.state.busy -= 1
        state.lines.freed(pool.name)


async def _heard(
    state: ServerState, exchange: Exchange, decision: Forward, fields: RequestFields,
    who: tuple[Pool, BoundMember, _KeepingEar],
) -> Answer:  # fmt: skip
    """Raises Unreachable and Unheard."""
    pool, member, ear = who
    head, _, alone = outgoing(exchange.view, decision, fields, member)
    asking = MemberAsk(state.upstreams, pool, member, keeps=not alone)
    key = member.upstream if member.upstream.tls is None else secured_key(member, decision.route, fields.host)
    connection = state.upstreams.take(key)
    try:
        if connection is None:
            seconds = member.member.connect_timeout or exchange.rules.site.site.connect_timeout
            connection = await state.upstreams.connect(key, seconds, member.member.keepalive)
        return await asking.over(connection, head, ear)
    except Unreachable as error:
        if not error.ours:
            member.state.errors += 1
            passive_checks.unreachable(pool, member, monotonic(), error.why, error.unresolved)
        raise


class _KeepingEar(WholeAnswer):
    """Hears an answer out whose body is to be kept."""

    def __init__(self, cache: AnswerCache, key: CacheKey) -> None:
        super().__init__(cache.config.largest, waits=False)
        self.deposit: Deposit | None = None
        self.why = ""
        self._cache = cache
        self._key = key
        self._began = monotonic()

    def answered(self, answer: Answer, data: bytes) -> None:
        made = begun(self._cache, self._key, AskedBy(), answer, self._began)
        if isinstance(made, str):
            self.why = made
        else:
            self.deposit = made
        super().answered(answer, data)

    def keep(self, data: bytes) -> None:
        if self.deposit is not None and not self.deposit.grows(data):
            self.deposit.given_up()
            self.deposit = None


def _kept(cache: AnswerCache, answer: Answer, ear: _KeepingEar, old: tuple[KeptAnswer, bytes], delay: float) -> None:
    """What was heard takes the place of what is kept, or throws it out."""
    kept, lines = old
    deposit, ear.deposit = ear.deposit, None
    new = deposit.whole() if deposit is not None else None
    if kept.gone:
        return  # it was thrown out meanwhile
    if answer.status == 304:
        new = renewed(cache.config, kept, answer, delay)
    elif new is not None:
        new.asked = kept.asked
    if new is not None and answer.status not in ERRORS:
        cache.keep(new, lines)
    elif answer.status < 500:
        cache.store.drop(kept)
