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


class CachingRequest(UpstreamRequest):
    """Its answer may be kept."""

    __slots__ = ()

    def answered(self, answer: Answer, data: bytes) -> None:
        if cast(CacheSide, self._forwarding).comes(answer, data):
            super().answered(answer, data)
        else:
            _held_back(self, answer)

    def body(self, data: bytes) -> None:
        cast(CacheSide, self._forwarding).grows(data)
        super().body(data)

    def ended(self, reusable: bool) -> None:
        if not _replaced(self, reusable):
            super().ended(reusable)


class ShadowedCachingRequest(ShadowedRequest):
    """A copy of it follows, too. (As above: mypyc takes no class of two bases.)"""

    __slots__ = ()

    def answered(self, answer: Answer, data: bytes) -> None:
        if cast(CacheSide, self._forwarding).comes(answer, data):
            super().answered(answer, data)
        else:
            _held_back(self, answer)

    def body(self, data: bytes) -> None:
        cast(CacheSide, self._forwarding).grows(data)
        super().body(data)

    def ended(self, reusable: bool) -> None:
        if not _replaced(self, reusable):
            super().ended(reusable)


def _held_back(request: UpstreamRequest, answer: Answer) -> None:
    """What was asked for is given from what is kept; the member's answer counts and goes no further."""
    flight, member, pool = request._flight, request._member, request._forwarding.pool
    exchange = flight.exchange
    exchange.answered = now = monotonic()
    exchange.answer = answer.raw
    member.state.answered += 1
    request._count_head(answer)
    if pool.watched:
        passive_checks.answered(pool, member, now, answer.status, now - exchange.connected)
    if answer.status != 304:  # nobody waits for the page of an error
        flight.drop_upstream()
        cast(CacheSide, request._forwarding).send_kept()


def _replaced(request: UpstreamRequest, reusable: bool) -> bool:
    """The member's answer has come to its end; whether what is kept is given in its place."""
    way, flight, member = cast(CacheSide, request._forwarding), request._flight, request._member.member
    if not way.instead:
        way.whole()
        return False
    flight.upstream = None
    if reusable and not (member.disablereuse or request._alone):
        flight.state.upstreams.give_back(request._connection, monotonic(), member.ttl or IDLE_SECONDS)
    else:
        request._connection.drop()
    way.send_kept()
    return True


def caching_request(kind: type[UpstreamRequest]) -> type[UpstreamRequest]:
    """The kind of request over a connection, where its answer may be kept."""
    return CachingRequest if kind is UpstreamRequest else ShadowedCachingRequest
