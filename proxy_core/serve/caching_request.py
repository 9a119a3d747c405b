"""A request over a connection to a member whose answer is kept, or tells whether what is kept is still good.

It does what an UpstreamRequest does, and its CacheWay looks at what passes. A request of a route without a cache is
none of these, and costs nothing.
"""

from __future__ import annotations

from time import monotonic
from typing import Protocol

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


class CachingRequest(UpstreamRequest):
    """Its answer may be kept."""

    __slots__ = ()

    def answered(self, answer: Answer, data: bytes) -> None:
        if _passes(self, answer, data):
            UpstreamRequest.answered(self, answer, data)  # by its name: super() costs each miss

    def body(self, data: bytes) -> None:
        _side(self).grows(data)
        UpstreamRequest.body(self, data)

    def ended(self, reusable: bool) -> None:
        if _passed(self, reusable):
            UpstreamRequest.ended(self, reusable)


class ShadowedCachingRequest(ShadowedRequest):
    """The same, and a copy of it follows."""

    __slots__ = ()

    def answered(self, answer: Answer, data: bytes) -> None:
        if _passes(self, answer, data):
            super().answered(answer, data)

    def body(self, data: bytes) -> None:
        _side(self).grows(data)
        super().body(data)

    def ended(self, reusable: bool) -> None:
        if _passed(self, reusable):
            super().ended(reusable)


def _side(request: UpstreamRequest) -> CacheSide:
    return request._forwarding  # type: ignore[return-value]  # only a CacheWay makes such a request


def _passes(request: UpstreamRequest, answer: Answer, data: bytes) -> bool:
    """The head of an answer is there: whether the client gets it, and not what is kept."""
    way = _side(request)
    if way.comes(answer, data):
        return True
    flight, member, pool = request._flight, request._member, request._forwarding.pool
    exchange, state = flight.exchange, member.state
    exchange.answered = now = monotonic()
    exchange.answer = answer.raw
    state.answered += 1
    request._count_head(answer)
    if pool.watched:
        passive_checks.answered(pool, member, now, answer.status, now - exchange.connected)
    if answer.status != 304:  # nobody waits for the page of an error
        flight.drop_upstream()
        way.send_kept()
    return False


def _passed(request: UpstreamRequest, reusable: bool) -> bool:
    """The answer has come to its end: whether the client got it."""
    way = _side(request)
    if not way.instead:
        way.whole()
        return True
    flight, member, connection = request._flight, request._member.member, request._connection
    flight.upstream = None
    if reusable and not (member.disablereuse or request._alone):
        flight.state.upstreams.give_back(connection, monotonic(), member.ttl or IDLE_SECONDS)
    else:
        connection.drop()
    way.send_kept()
    return False


def caching_request(kind: type[UpstreamRequest]) -> type[UpstreamRequest]:
    """The kind of request over a connection, where its answer may be kept."""
    return CachingRequest if kind is UpstreamRequest else ShadowedCachingRequest
