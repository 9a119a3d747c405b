"""The way of a request through the cache, between ``decided`` and ``elected``: what is kept answers it, or it goes on to
a member and what comes of that is kept.

A CacheWay stands before a Forwarding, which it lets begin where a member has to be asked. All rules have had their say by
then: bans, access, passwords, services that are asked first. So what is kept is never shown to who may not see it. Its
key is made of the request as it goes to the member. Nothing here reads a field of an answer: ``cache.freshness`` does,
once.
"""

from __future__ import annotations

from time import monotonic, time
from typing import Final

from proxy_core.balance.pool import Pool
from proxy_core.cache.bodies import Growing
from proxy_core.cache.conditions import WHOLE
from proxy_core.cache.freshness import ERRORS, Asked, Lifetime, judged
from proxy_core.cache.reuse import Use, rescues, use
from proxy_core.cache.store import Kept
from proxy_core.rules.decision import Forward
from proxy_core.runtime.upstreams.response_head import Answer
from proxy_core.serve.answer_cache import Fetch
from proxy_core.serve.builtin_pages import date
from proxy_core.serve.cache_key import invalidated, personal, validating
from proxy_core.serve.cache_lookup import Found, look
from proxy_core.serve.cache_refresh import refreshed
from proxy_core.serve.deadlines import SHARED
from proxy_core.serve.keeping import made_kept, renewed, stripped
from proxy_core.serve.kept_answer import NO_POOL, chosen, say
from proxy_core.serve.open_request import OpenRequest
from proxy_core.serve.request_fields import RequestFields
from proxy_core.serve.sides import ForwardingSide

_SAFE: Final = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE"))


class CacheWay:
    """A ForwardingSide: one request's way through the cache."""

    __slots__ = (
        "_began", "_cache", "_decision", "_fetch", "_flight", "_forwarding", "_found", "_growing", "_kept", "_made",
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
    _kept: Kept | None
    """What is kept for it, and stale."""
    _fetch: Fetch | None
    """What others wait for."""
    _made: Kept | None
    """What the member's answer is kept as, when it has come."""
    _growing: Growing | None
    """The body of that."""

    def __init__(self, flight: OpenRequest, forwarding: ForwardingSide, decision: Forward, found: Found) -> None:
        self._flight = flight
        self._found = found
        self._forwarding = forwarding
        self._decision = decision
        self._cache = flight.state.cache
        self.fields = flight.fields
        self.instead = ""
        self._began = False
        self._until = 0.0
        self._kept = self._fetch = self._made = self._growing = None

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
        if self._growing is not None:
            self._ungrow()
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

    def _serve(self, kept: Kept, now: float, verdict: Use) -> None:
        tally, exchange = self._cache.tally, self._flight.exchange
        if kept.uses < 3:
            kept.uses += 1
        age = int(now - kept.born)
        exchange.age = age
        if verdict is Use.FRESH:
            word = "collapsed" if self._until else "hit"
        else:
            word = "stale"
        exchange.cache = word
        if word == "hit":
            tally.hits += 1
        elif word == "stale":
            tally.stale += 1
            if verdict is Use.REFRESH:
                self._refresh(kept)
        else:
            tally.shared += 1
        self._send(kept, now, age)

    def _send(self, kept: Kept, now: float, age: int) -> None:
        flight, wishes = self._flight, self._found.wishes
        self._cache.tally.saved += kept.length
        word = flight.exchange.cache
        if wishes.plain and (word == "hit" and kept.shown_at == age):
            answer, part = kept.shown, WHOLE
        else:
            answer, part = chosen(kept, wishes, age, self._said(kept, now))
            if wishes.plain and word == "hit":
                kept.shown, kept.shown_at = answer, age
        assert isinstance(answer, Answer)
        flight.fields = self.fields
        say(flight, self, answer, kept.body, part if flight.exchange.view.method != b"HEAD" else (0, 0))

    def _said(self, kept: Kept, now: float) -> bytes:
        """The Cache-Status of an answer that is kept (RFC 9211), b"" for none."""
        word, which = self._flight.exchange.cache, self._cache.config.status
        if which == "off":
            return b""
        ttl = int(kept.lifetime.fresh - (now - kept.born))
        if word in ("hit", "stale") and not self.instead:
            return b"Cache-Status: rproxy; hit; ttl=%d" % ttl
        if word == "collapsed":
            return b"Cache-Status: rproxy; fwd=uri-miss; collapsed; ttl=%d" % ttl
        return b"Cache-Status: rproxy; fwd=stale; %b; ttl=%d" % (self.instead.encode(), ttl)

    def _refresh(self, kept: Kept) -> None:
        exchange, decision = self._flight.exchange, self._decision
        validating = validating(self.fields, kept)
        self._cache.refresh(
            self._found.key,
            lambda: refreshed(self._flight.state, exchange, decision, validating, (kept, self.fields.lines)),
        )

    # -- a member is asked

    def _miss(self, kept: Kept | None, now: float) -> None:
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
            exchange.cause = ""
            flight.wait(SHARED, self._until - now, now)
            return
        exchange.cache = "miss"
        if kept is not None and (kept.lifetime.etag or kept.lifetime.modified):
            self._kept = kept
            flight.fields = validating(self.fields, kept)
            self._begin("stale" if kept.lifetime.fresh <= now - kept.born else "request")
        else:
            self._kept = kept
            self._begin("stale" if kept is not None else "vary-miss" if self._found.seen else "uri-miss")

    def _pass(self, why: str) -> None:
        """It goes to a member, and what comes is not kept."""
        self._flight.exchange.cache = "bypass"
        self._cache.tally.passed += 1
        self._begin(why)

    def _begin(self, why: str) -> None:
        self._began = True
        flight = self._flight
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

    def _validated(self, kept: Kept, answer: Answer, now: float) -> None:
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
        kept, now, exchange = self._kept, monotonic(), self._flight.exchange
        assert kept is not None
        validated = self.instead == "fwd-status=304"
        exchange.cache = "revalidated" if validated else "stale"
        exchange.age = age = max(0, int(now - kept.born))
        if validated:
            self._cache.tally.validated += 1
        else:
            self._cache.tally.stale += 1
        if self._cache.config.status == "all":
            self._flight.own_fields = tuple(
                line for line in self._flight.own_fields if not line.startswith(b"Cache-Status: rproxy; fwd=")
            )
        self._leave()
        self._send(kept, now, age)

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
        flight, cache = self._flight, self._cache
        exchange = flight.exchange
        method = exchange.view.method
        if method not in _SAFE and answer.status < 400:
            invalidated(cache, self._found.key[0], answer)
        if self._fetch is None:
            return
        cache.tally.misses += 1
        asked = Asked(personal(exchange, self._found.wishes), self._found.wishes.no_store)
        now = monotonic()
        lines = answer.lines if answer.dated else [*answer.lines, date()]
        lifetime = judged(cache.config, asked, answer.status, lines[1:], time(), now - exchange.connected)
        growing = cache.growing(answer.length) if isinstance(lifetime, Lifetime) else None
        if not isinstance(lifetime, Lifetime) or growing is None:
            cache.tally.unkept += 1
            if answer.status not in (304, 206) and answer.status not in ERRORS:
                cache.not_kept(self._fetch.key, now)
            self._leave()
            return
        self._made = made_kept(*self._fetch.key, lifetime, (answer.raw, answer.status, stripped(cache.config, lines)))
        self._made.url = (
            f"{exchange.view.scheme}://{self.fields.host.decode('latin-1')}{exchange.view.target.decode('latin-1')}"
        )
        self._growing = growing
        self.grows(data)

    def grows(self, data: bytes) -> None:
        growing = self._growing
        if growing is None or not data:
            return
        before = growing.in_memory
        try:
            good = growing.add(data) and self._cache.fits(growing)
        except OSError as error:
            self._flight.state.crashed("writing a kept answer to its file", error)
            good = False
        self._cache.pending += growing.in_memory - before
        if not good:
            assert self._fetch is not None
            self._ungrow()
            self._cache.tally.unkept += 1
            self._cache.not_kept(self._fetch.key, monotonic())
            self._leave()

    def _ungrow(self) -> None:
        assert self._growing is not None
        self._cache.pending -= self._growing.in_memory
        self._growing = None

    def whole(self) -> None:
        """The answer has come to its end."""
        growing, made, fetch = self._growing, self._made, self._fetch
        if growing is None or made is None or fetch is None:
            return
        self._ungrow()
        made.body = growing.whole()
        made.size += growing.length
        if not fetch.spoiled:
            self._cache.keep(made, self.fields.lines)
            if made.lifetime.fresh <= made.lifetime.initial:
                self._cache.not_kept(fetch.key, monotonic())
        self._leave()
