"""Validates kept answers while they are served stale (stale-while-revalidate, RFC 5861 §3).

It asks as a request would: the same pools, choice, connections and reading of answers, and what comes of it counts for
the member. No client waits for it, so whatever goes wrong leaves what is kept as it is.
"""

from __future__ import annotations

import asyncio
from time import monotonic, time

from proxy_core.balance import passive_checks
from proxy_core.balance.choosing import Full, choose
from proxy_core.balance.pool import BoundMember, Pool
from proxy_core.cache.bodies import Growing
from proxy_core.cache.freshness import Asked, Lifetime, judged
from proxy_core.cache.store import Kept
from proxy_core.rules.decision import Forward
from proxy_core.runtime.exchange import Exchange
from proxy_core.runtime.member_asking import MemberAsk
from proxy_core.runtime.upstreams.connector import Unreachable
from proxy_core.runtime.upstreams.response_head import Answer
from proxy_core.runtime.upstreams.whole_answer import Unheard, WholeAnswer
from proxy_core.serve.answer_cache import AnswerCache
from proxy_core.serve.builtin_pages import date
from proxy_core.serve.keeping import made_kept, renewed, stripped
from proxy_core.serve.member_tls import secured_key
from proxy_core.serve.request_fields import RequestFields
from proxy_core.serve.server_state import ServerState
from proxy_core.serve.way import outgoing


async def refreshed(
    state: ServerState, exchange: Exchange, decision: Forward, fields: RequestFields, old: tuple[Kept, bytes]
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
    state: ServerState, exchange: Exchange, decision: Forward, fields: RequestFields, old: tuple[Kept, bytes]
) -> None:
    pool = exchange.rules.pools[decision.route.pool or ""]
    member = choose(pool, monotonic(), (), exchange.session, b"")
    if member is None:
        return
    member.state.busy += 1
    member.state.elected += 1
    try:
        async with asyncio.timeout(member.member.timeout or decision.route.timeout):
            began = monotonic()
            ear = _Ear(state.cache)
            answer = await _heard(state, exchange, decision, fields, (pool, member, ear))
            _kept(state.cache, answer, ear, old, monotonic() - began)
    finally:
        member.state.busy -= 1
        state.lines.freed(pool.name)


async def _heard(
    state: ServerState, exchange: Exchange, decision: Forward, fields: RequestFields,
    who: tuple[Pool, BoundMember, _Ear],
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


class _Ear(WholeAnswer):
    """Hears an answer out whose body is to be kept."""

    def __init__(self, cache: AnswerCache) -> None:
        super().__init__(cache.config.largest, waits=False)
        self.growing: Growing | None = cache.growing(-1)

    def keep(self, data: bytes) -> None:
        if self.growing is not None and not self.growing.add(data):
            self.growing = None


def _kept(cache: AnswerCache, answer: Answer, ear: _Ear, old: tuple[Kept, bytes], delay: float) -> None:
    kept, lines = old
    if kept.gone:
        return  # it was thrown out meanwhile
    if answer.status == 304:
        made = renewed(cache.config, kept, answer, delay)
        if made is not None:
            cache.keep(made, lines)
        return
    said = answer.lines if answer.dated else [*answer.lines, date()]
    lifetime = judged(cache.config, Asked(), answer.status, said[1:], time(), delay)
    if answer.status >= 500 or ear.growing is None or ear.longer:
        return
    if not isinstance(lifetime, Lifetime):
        cache.store.drop(kept)
        return
    new = made_kept(kept.primary, kept.rest, lifetime, (answer.raw, answer.status, stripped(cache.config, said)))
    new.body, new.url = ear.growing.whole(), kept.url
    new.size += ear.growing.length
    cache.keep(new, lines)
