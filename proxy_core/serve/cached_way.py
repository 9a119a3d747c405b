"""The way of a request through the cache, between ``decided`` and ``elected``: what is kept answers it, or it goes on
to a member and what comes of that is kept.

A CacheWay is a Forwarding that looks into the cache before it elects a member. All rules have had their say
by then: bans, access, passwords, services that are asked first. So what is kept is never shown to who may not see it.
Its key is made of the request as it goes to the member. Nothing here reads a field of an answer: ``cache.freshness``
does, once.
"""

from __future__ import annotations

from time import monotonic
from typing import Final

from proxy_core.cache.conditions import WHOLE
from proxy_core.cache.eviction import MOST_USES
from proxy_core.cache.freshness import ANYBODY, ERRORS, AskedBy
from proxy_core.cache.reuse import Use, rescues, use
from proxy_core.cache.store import KeptAnswer
from proxy_core.rules.decision import Forward
from proxy_core.runtime.upstreams.response_head import Answer
from proxy_core.serve.answer_cache import CacheKey, Sharer
from proxy_core.serve.cache_key import invalidated, personal, validating
from proxy_core.serve.cache_lookup import Lookup, look
from proxy_core.serve.cache_refresh import refreshed
from proxy_core.serve.cache_status import asks_member, said
from proxy_core.serve.caching_request import CachingRequest, caching_request
from proxy_core.serve.deadlines import SHARED
from proxy_core.serve.forwarding import Forwarding
from proxy_core.serve.keeping import Deposit, renewed, taken
from proxy_core.serve.kept_answer import NO_POOL, chosen, say
from proxy_core.serve.open_request import OpenRequest
from proxy_core.serve.request_fields import RequestFields
from proxy_core.serve.upstream_request import UpstreamRequest

_SAFE: Final = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE"))
_PASSING: Final = ERRORS | {206, 304}
"""Statuses of answers that say nothing of the next one."""


def cached_forwarding(flight: OpenRequest, decision: Forward, found: Lookup) -> Forwarding:
    """How a request of a route with a cache comes to a member. Who goes past it and throws nothing out goes as without
    one, and so do most of those whose answers were not kept before (hit-for-miss, as Varnish calls it)."""
    cache, exchange, past = flight.state.cache, flight.exchange, found.past
    if past is not None:
        if exchange.view.method not in _SAFE:
            return CacheWay(flight, decision, found)
        asks_member(flight, past[0], "bypass")
        cache.tally.served["bypass"] += 1
    elif found.kept is None and found.wishes.plain and cache.goes_past(found.key, exchange.started):
        asks_member(flight, "vary-miss" if found.seen else "uri-miss", "miss")
        cache.tally.served["miss"] += 1
        cache.tally.unkept += 1
    else:
        return CacheWay(flight, decision, found)
    return Forwarding(flight, decision)


class CacheWay(Forwarding):
    """One request's way through the cache. It is a Sharer, and a CacheSide."""

    __slots__ = (
        "_began", "_cache", "_deposit", "_found", "_kept", "_leads", "_personal", "_until", "fields", "instead", "key",
        "spoiled", "waiters",
    )  # fmt: skip

    instead: str
    """What is kept is sent in place of the member's answer, and why; "" where it is not."""
    fields: RequestFields
    """The request's fields as the site's rules left them."""
    key: CacheKey
    """Of its answer."""
    waiters: list[Sharer] | None
    """Those who wait for its answer; None before the first."""
    spoiled: bool
    """What it asked for was thrown out before it came."""
    _began: bool
    """The request has gone on to the members."""
    _until: float
    """Until when it waits for another one's answer (monotonic); 0.0 before it has waited."""
    _kept: KeptAnswer | None
    """What is kept for it, and stale."""
    _leads: bool
    """Others may wait for its answer, which is kept if it may be."""
    _personal: str
    """What ties it to one user, in words; known once it leads."""
    _deposit: Deposit | None
    """What is to be kept of the member's answer, as far as it has come."""

    def __init__(self, flight: OpenRequest, decision: Forward, found: Lookup) -> None:
        Forwarding.__init__(self, flight, decision)  # by its name: super() costs each miss
        self.pool = NO_POOL
        self._found = found
        self._cache = flight.state.cache
        self.fields = flight.fields
        self.key = found.key
        self.waiters = None
        self.instead = self._personal = ""
        self._began = self._leads = self.spoiled = False
        self._until = 0.0
        self._kept = self._deposit = None

    # -- a Forwarding

    def release(self) -> None:
        """It is finished, or goes on without a member: whoever waits for it looks again."""
        Forwarding.release(self)
        if self._deposit is not None:
            self._deposit.given_up()
            self._deposit = None
        if self._leads or not self._began:
            self._leave()

    def decided(self) -> None:
        """Look for an answer that is kept; where a member has been asked already, ask the next."""
        if self._began:
            Forwarding.decided(self)
        elif self._found.kept is None and self._found.past is None:
            self._miss(None, monotonic())
        else:
            self._look(monotonic())

    def request_kind(self) -> type[UpstreamRequest]:
        if self._decision.route.shadow is None:
            return CachingRequest
        return caching_request(super().request_kind())

    def _look(self, now: float) -> None:
        found = self._found
        if found.past is not None:
            self._begin(found.past[0], "bypass")
            return
        kept = found.kept
        if kept is not None:
            ignores = self._cache.config.ignore_client
            verdict = use(kept.lifetime, now - kept.born, found.wishes, ignore_client=ignores)
            if verdict is not Use.VALIDATE:
                self._serve(kept, now, verdict)
                return
        self._miss(kept, now)

    def _look_again(self, now: float) -> None:
        self._found = found = look(self._flight, self.fields, self._decision)
        self.key = found.key
        self._look(now)

    # -- answered from what is kept

    def _serve(self, kept: KeptAnswer, now: float, verdict: Use) -> None:
        kept.uses = min(kept.uses + 1, MOST_USES)
        if verdict is Use.REFRESH:
            self._refresh(kept)
        self._send(kept, now, "stale" if verdict is not Use.FRESH else "collapsed" if self._until else "hit")

    def _send(self, kept: KeptAnswer, now: float, word: str) -> None:
        flight, wishes, tally = self._flight, self._found.wishes, self._cache.tally
        exchange, age = flight.exchange, max(0, int(now - kept.born))
        exchange.cache, exchange.age = word, age
        tally.served[word] += 1
        tally.saved += kept.length
        if wishes.plain and (word == "hit" and kept.shown_at == age):
            answer, part = kept.shown, WHOLE
        else:
            answer, part = chosen(kept, wishes, age, said(self._cache.config.status, word, self.instead, (kept, now)))
            if wishes.plain and word == "hit":
                kept.shown, kept.shown_at = answer, age
        assert isinstance(answer, Answer)
        flight.fields = self.fields
        say(flight, self, answer, kept, part if exchange.view.method != b"HEAD" else (0, 0))

    def _refresh(self, kept: KeptAnswer) -> None:
        state, exchange, decision = self._flight.state, self._flight.exchange, self._decision
        asking, old = validating(self.fields, kept), (kept, self.fields.lines)
        self._cache.refresh(self._found.key, lambda: refreshed(state, exchange, decision, asking, old))

    # -- a member is asked

    def _miss(self, kept: KeptAnswer | None, now: float) -> None:
        flight, wishes, config = self._flight, self._found.wishes, self._cache.config
        exchange = flight.exchange
        shares = True
        if not wishes.plain:
            if wishes.only_if_cached and not config.ignore_client:
                flight.respond(504, "the client wants only what is kept, and nothing is that may be used")
                return
            if wishes.range and kept is None:
                self._begin("uri-miss", "bypass")
                return
            conditional = bool(wishes.if_none_match or wishes.if_modified_since)
            shares = not (wishes.no_store or wishes.no_cache or (conditional and kept is None))
        if exchange.view.method == b"HEAD":
            self._begin("uri-miss", "bypass")
            return
        self._personal = user = personal(exchange, wishes)
        self._until = until = self._until or now + config.wait
        self._leads = self._cache.leads(self, shares and not user and now < until, now)
        if not self._leads:
            flight.wait(SHARED, until - now, now)
            return
        self._kept = kept
        if kept is None:
            if config.status == "all":
                self._begin("vary-miss" if self._found.seen else "uri-miss")
            else:  # _begin, some calls less for each miss
                self._began = True
                exchange.cache = "miss"
                Forwarding.decided(self)
        elif kept.lifetime.etag or kept.lifetime.modified:
            flight.fields = validating(self.fields, kept)
            self._begin("stale" if kept.lifetime.fresh <= now - kept.born else "request")
        else:
            self._begin("stale")

    def _begin(self, why: str, word: str = "miss") -> None:
        """It goes to a member; "bypass": what comes is not kept."""
        self._began = True
        asks_member(self._flight, why, word)
        Forwarding.decided(self)

    def arrived(self) -> None:
        """The answer that it waited for is there, or will not come."""
        flight = self._flight
        if not flight.over:
            try:
                self._look_again(monotonic())
            except Exception as error:
                flight.broke("serving what another request got", error)

    def expired(self) -> None:
        """It has waited for long enough for another one's answer."""
        self._leave()
        self._look_again(max(monotonic(), self._until))

    def _leave(self) -> None:
        if self._leads:
            self._leads = False
            self._cache.over(self)
        elif self._until and not self._began:
            self._cache.leaves(self)

    # -- what the member answers

    def _takes(self, kept: KeptAnswer, answer: Answer) -> bool:
        """Whether what is kept is sent in place of this answer: it says that it is still good, or it is an error."""
        now = monotonic()
        if answer.status == 304 and self._flight.fields is not self.fields:
            self._validated(kept, answer, now)
            self.instead = "fwd-status=304"
            return True
        if rescues(self._cache.config, kept.lifetime, now - kept.born, answer.status):
            self.instead = f"fwd-status={answer.status}"
            return True
        return False

    def _validated(self, kept: KeptAnswer, answer: Answer, now: float) -> None:
        """A 304 brings new fields, and a new age (RFC 9111 §4.3.4)."""
        cache, exchange = self._cache, self._flight.exchange
        made = renewed(cache.config, kept, answer, now - exchange.connected)
        if made is None:
            cache.store.drop(kept)
        else:
            if not self.spoiled:
                cache.keep(made, self.fields.lines)
            self._kept = made

    def send_kept(self) -> None:
        """What is kept goes to the client in place of what the member said."""
        kept = self._kept
        assert kept is not None
        if self._cache.config.status == "all":
            self._flight.own_fields = tuple(
                line for line in self._flight.own_fields if not line.startswith(b"Cache-Status: rproxy; fwd=")
            )
        self._leave()
        self._send(kept, monotonic(), "revalidated" if self.instead == "fwd-status=304" else "stale")

    def rescued(self, status: int) -> bool:
        """Whether what is kept was sent in place of an error of ours that a member is to blame for."""
        kept = self._kept
        if kept is None or not self._began or self._flight.started:
            return False
        if not rescues(self._cache.config, kept.lifetime, monotonic() - kept.born, status):
            return False
        self.instead = f"fwd-status={status}"
        super().release()
        self._flight.exchange.member = None
        self.send_kept()
        return True

    def comes(self, answer: Answer, data: bytes) -> bool:
        """The head of an answer, and what has come of its body: whether the client gets it, and not what is kept. Then
        it is kept if it may be."""
        if self._kept is not None and self._takes(self._kept, answer):
            return False
        flight, cache = self._flight, self._cache
        exchange = flight.exchange
        cache.tally.served[exchange.cache] += 1
        if not self._leads:
            if exchange.view.method not in _SAFE and answer.status < 400:
                invalidated(cache, self.key[0], answer)
            return True
        user, no_store = self._personal, self._found.wishes.no_store
        asked = AskedBy(user, no_store) if user or no_store else ANYBODY
        made = taken(cache, self.key, asked, (answer, data), exchange.connected)
        if isinstance(made, str):
            cache.tally.unkept += 1
            self._leads = False
            lasting = answer.status not in _PASSING
            if lasting and asked is ANYBODY:
                cache.never_kept(self.key, exchange.connected)
            cache.over(self, unkept=lasting)
            return True
        asked_by = exchange.view.scheme, self.fields.host, exchange.view.target
        if isinstance(made, KeptAnswer):
            made.asked = asked_by
            self._keep(made)
            return True
        made.kept.asked = asked_by
        self._deposit = made
        if data:
            self.grows(data)
        return True

    def grows(self, data: bytes) -> None:
        coming = self._deposit
        if coming is None or not data:
            return
        try:
            good = coming.grows(data)
        except OSError as error:
            self._flight.state.crashed("writing a kept answer to its file", error)
            good = False
        if not good:
            self._deposit = None
            coming.given_up()
            self._cache.tally.unkept += 1
            self._leads = False
            self._cache.over(self, unkept=True)

    def whole(self) -> None:
        """The answer has come to its end."""
        coming, self._deposit = self._deposit, None
        if coming is not None:
            self._keep(coming.whole())

    def _keep(self, kept: KeptAnswer) -> None:
        """It is all there."""
        if not self.spoiled:
            self._cache.keep(kept, self.fields.lines)
        self._leads = False
        self._cache.over(self, unkept=kept.lifetime.fresh <= kept.lifetime.initial)
