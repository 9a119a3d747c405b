"""A request over a connection to a member whose answer is kept, or tells whether what is kept is still good.

It does what an UpstreamRequest does, and its CacheWay looks at what passes. A request of a route without a cache is
none of these, and costs nothing.
"""

from __future__ import annotations

from time import monotonic
from typing import Protocol, cast

from proxy_core.balance import passive_checks
from proxy_core.runtime.upstreams.connector import IDLE_SECONDS
from proxy_core.runtime.upstreams.response_head import Answer
from proxy_core.serve.shadowed_request import ShadowedRequest
from proxy_core.serve.sides import ForwardingSide
from proxy_core.serve.upstream_request import UpstreamRequest


class CacheSide(ForwardingSide, Protocol):
    """A request's way through the cache, as its answer sees it (``cached_way``)."""

    instead: str
    """What is kept is sent in place of the member's answer, and why; "" where it is not."""

    def send_kept(self) -> None:
        """What is kept goes to the client in place of what the member said."""

    def comes(self, answer: Answer, data: bytes) -> bool:
        """The head of an answer, and what has come of its body: whether the client gets it, and not what is kept."""

    def grows(self, data: bytes) -> None:
        """A piece of its body."""

    def whole(self) -> None:
        """It has come to its end."""


class _Caching(UpstreamRequest):
    __slots__ = ()

    def answered(self, answer: Answer, data: bytes) -> None:
        way: CacheSide = self._forwarding  # type: ignore[assignment]  # only a CacheWay makes one
        if way.comes(answer, data):
            super().answered(answer, data)
            return
        exchange, state, pool = self._flight.exchange, self._member.state, self._forwarding.pool
        exchange.answered = now = monotonic()
        exchange.answer = answer.raw
        state.answered += 1
        self._count_head(answer)
        if pool.watched:
            passive_checks.answered(pool, self._member, now, answer.status, now - exchange.connected)
        if answer.status != 304:  # nobody waits for the page of an error
            self._flight.drop_upstream()
            way.send_kept()

    def body(self, data: bytes) -> None:
        cast(CacheSide, self._forwarding).grows(data)
        super().body(data)

    def ended(self, reusable: bool) -> None:
        way: CacheSide = self._forwarding  # type: ignore[assignment]  # as above
        flight, member = self._flight, self._member.member
        if not way.instead:
            way.whole()
            super().ended(reusable)
            return
        flight.upstream = None
        if reusable and not (member.disablereuse or self._alone):
            flight.state.upstreams.give_back(self._connection, monotonic(), member.ttl or IDLE_SECONDS)
        else:
            self._connection.drop()
        way.send_kept()


class CachingRequest(_Caching, UpstreamRequest):
    """Its answer may be kept."""

    __slots__ = ()


class ShadowedCachingRequest(_Caching, ShadowedRequest):
    """A copy of it follows, too."""

    __slots__ = ()


def caching_request(kind: type[UpstreamRequest]) -> type[UpstreamRequest]:
    """The kind of request over a connection, where its answer may be kept."""
    return CachingRequest if kind is UpstreamRequest else ShadowedCachingRequest
