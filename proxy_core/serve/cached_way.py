"""The way of a request through the cache, between ``decided`` and ``elected``: what is kept answers it, or it goes on
to a member and what comes of that is kept.

A CacheWay stands before a Forwarding, which it lets begin where a member has to be asked. All rules have had their say
by then: bans, access, passwords, services that are asked first. So what is kept is never shown to who may not see it.
Its key is made of the request as it goes to the member. Nothing here reads a field of an answer: ``cache.freshness``
does, once.
"""

from __future__ import annotations

from time import monotonic
from typing import Final

from proxy_core.balance.pool import Pool
from proxy_core.cache.conditions import WHOLE
from proxy_core.cache.eviction import MOST_USES
from proxy_core.cache.freshness import ERRORS, AskedBy
from proxy_core.cache.reuse import Use, rescues, use
from proxy_core.cache.store import KeptAnswer
from proxy_core.rules.decision import Forward
from proxy_core.runtime.upstreams.response_head import Answer
from proxy_core.serve.answer_cache import Fetch
from proxy_core.serve.cache_key import invalidated, personal, validating
from proxy_core.serve.cache_lookup import Lookup, look
from proxy_core.serve.cache_refresh import refreshed
from proxy_core.serve.deadlines import SHARED
from proxy_core.serve.keeping import Deposit, begun, renewed
from proxy_core.serve.kept_answer import NO_POOL, chosen, say
from proxy_core.serve.open_request import OpenRequest
from proxy_core.serve.request_fields import RequestFields
from proxy_core.serve.sides import ForwardingSide

_SAFE: Final = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE"))
_PASSING: Final = ERRORS | {206, 304}
"""Statuses of answers that say nothing of the next one."""


class CacheWay:
    """A ForwardingSide: one request's way through the cache."""

    __slots__ = (
        "_began", "_cache", "_decision", "_deposit", "_fetch", "_flight", "_forwarding", "_found", "_kept",
        "_until", "fields", "instead",
    )  # fmt: skip

    instead: str
    """What is kept is sent in place of the member's answer, and why; "" where it is not."""
    fields: RequestFields
    """The request's fields as the site's rules left them."""
    _began: bool
    """The request has gone on to the members."""
    _until: float
    """Until when it waits for another one's answer (monotonic); 0.0 before it has waited."""
    _kept: KeptAnswer | None
    """What is kept for it, and stale."""
    _fetch: Fetch | None
    """What others wait for."""
    _deposit: Deposit | None
    """What is to be kept of the member's answer, as far as it has come."""

    def __init__(self, flight: OpenRequest, forwarding: ForwardingSide, decision: Forward, found: Lookup) -> None:
        self._flight = flight
        self._found = found
        self._forwarding = forwarding
        self._decision = decision
        self._cache = flight.state.cache
        self.fields = flight.fields
        self.instead = ""
        self._began = False
        self._until = 0.0
        self._kept = self._fetch = self._deposit = None

    # -- a ForwardingSide

    @property
    def pool(self) -> Pool:
        return self._forwarding.pool if self._began else NO_POOL

    @property
    def timeout(self) -> float:
        return self._forwarding.timeout

    def failed(self, why: str, unanswered: bool) -> None:
        self._forwarding.failed(why, unanswered)

    def silent(self) -> None:
        self._forwarding.silent()

    def release(self) -> None:
        """It is finished, or goes on without a member: whoever waits for it looks again."""
        if self._began:
            self._forwarding.release()
        if self._deposit is not None:
            self._deposit.given_up()
            self._deposit = None
        self._leave()

    def decided(self) -> None:
        """Look for an answer that is kept; where a member has been asked already, ask the next."""
        if self._began:
            self._forwarding.decided()
        else:
            self._look(monotonic())

    def _look(self, now: float) -> None:
        found = self._found
        if found.past is not None:
            self._pass(found.past[0])
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
        self._found = look(self._flight, self.fields, self._decision)
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
            answer, part = chosen(kept, wishes, age, self._said(kept, now))
            if wishes.plain and word == "hit":
                kept.shown, kept.shown_at = answer, age
        assert isinstance(answer, Answer)
        flight.fields = self.fields
        say(flight, self, answer, kept.body, part if exchange.view.method != b"HEAD" else (0, 0))

    def _said(self, kept: KeptAnswer, now: float) -> bytes:
        """The Cache-Status of an answer that is kept (RFC 9211), b"" for none."""
        word, which = self._flight.exchange.cache, self._cache.config.status
        if which == "off":
            return b""
        ttl = int(kept.lifetime.fresh) - int(now - kept.born)
        if word in ("hit", "stale") and not self.instead:
            return b"Cache-Status: rproxy; hit; ttl=%d" % ttl
        if word == "collapsed":
            return b"Cache-Status: rproxy; fwd=uri-miss; collapsed; ttl=%d" % ttl
        return b"Cache-Status: rproxy; fwd=stale; %b; ttl=%d" % (self.instead.encode(), ttl)

    def _refresh(self, kept: KeptAnswer) -> None:
        state, exchange, decision = self._flight.state, self._flight.exchange, self._decision
        asking, old = validating(self.fields, kept), (kept, self.fields.lines)
        self._cache.refresh(self._found.key, lambda: refreshed(state, exchange, decision, asking, old))

    # -- a member is asked

    def _miss(self, kept: KeptAnswer | None, now: float) -> None:
        flight, cache, wishes, config = self._flight, self._cache, self._found.wishes, self._cache.config
        exchange = flight.exchange
        if wishes.only_if_cached and not config.ignore_client:
            flight.respond(504, "the client wants only what is kept, and nothing is that may be used")
            return
        if exchange.view.method == b"HEAD" or (wishes.range and kept is None):
            self._pass("uri-miss")
            return
        conditional = bool(wishes.if_none_match or wishes.if_modified_since)
        waits = not (wishes.no_store or wishes.no_cache or (conditional and kept is None) or personal(exchange, wishes))
        self._until = self._until or now + config.wait
        self._fetch = cache.leads(self._found.key, now, self if waits and now < self._until else None)
        if self._fetch is None:
            flight.wait(SHARED, self._until - now, now)
            return
        if kept is not None and (kept.lifetime.etag or kept.lifetime.modified):
            self._kept = kept
            flight.fields = validating(self.fields, kept)
            self._begin("stale" if kept.lifetime.fresh <= now - kept.born else "request")
        else:
            self._kept = kept
            self._begin("stale" if kept is not None else "vary-miss" if self._found.seen else "uri-miss")

    def _pass(self, why: str) -> None:
        """It goes to a member, and what comes is not kept."""
        self._begin(why, "bypass")

    def _begin(self, why: str, word: str = "miss") -> None:
        self._began = True
        flight = self._flight
        flight.exchange.cache = word
        if self._cache.config.status == "all":
            flight.own_fields = (*flight.own_fields, b"Cache-Status: rproxy; fwd=" + why.encode())
        self._forwarding.decided()

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
        fetch, self._fetch = self._fetch, None
        if fetch is not None:
            self._cache.over(fetch)
        elif self._until and not self._began:
            self._cache.leaves(self._found.key, self)

    # -- what the member answers

    def takes(self, answer: Answer) -> bool:
        """Whether what is kept is sent in place of this answer: it says that it is still good, or it is an error."""
        kept, now = self._kept, monotonic()
        if kept is None:
            return False
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
            assert self._fetch is not None
            if not self._fetch.spoiled:
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
        self._forwarding.release()
        self._flight.exchange.member = None
        self.send_kept()
        return True

    def comes(self, answer: Answer, data: bytes) -> None:
        """The head of an answer that the client gets; it is kept if it may be."""
        flight, cache, found, fetch = self._flight, self._cache, self._found, self._fetch
        exchange = flight.exchange
        cache.tally.served[exchange.cache] += 1
        if exchange.view.method not in _SAFE and answer.status < 400:
            invalidated(cache, found.key[0], answer)
        if fetch is None:
            return
        asked = AskedBy(personal(exchange, found.wishes), found.wishes.no_store)
        made = begun(cache, fetch.key, asked, answer, exchange.connected)
        if isinstance(made, str):
            self._unkept(fetch, lasting=answer.status not in _PASSING)
            return
        made.kept.asked = exchange.view.scheme, self.fields.host, exchange.view.target
        self._deposit = made
        self.grows(data)

    def grows(self, data: bytes) -> None:
        deposit = self._deposit
        if deposit is None or not data:
            return
        try:
            good = deposit.grows(data)
        except OSError as error:
            self._flight.state.crashed("writing a kept answer to its file", error)
            good = False
        if not good:
            assert self._fetch is not None
            self._deposit = None
            deposit.given_up()
            self._unkept(self._fetch, lasting=True)

    def _unkept(self, fetch: Fetch, *, lasting: bool) -> None:
        """The answer is not kept; ``lasting``: nor will the next be, so nobody is to wait for it."""
        self._cache.tally.unkept += 1
        if lasting:
            self._cache.not_kept(fetch.key, monotonic())
        self._leave()

    def whole(self) -> None:
        """The answer has come to its end."""
        deposit, fetch = self._deposit, self._fetch
        if deposit is None or fetch is None:
            return
        self._deposit = None
        kept = deposit.whole()
        if not fetch.spoiled:
            self._cache.keep(kept, self.fields.lines)
            if kept.lifetime.fresh <= kept.lifetime.initial:
                self._cache.not_kept(fetch.key, monotonic())
        self._leave()
