"""A request over a connection to a member whose answer is kept, or tells whether what is kept is still good.

It does what an UpstreamRequest does, and its CacheWay looks at what passes. A request of a route without a cache is
none of these, and costs nothing.
"""

from __future__ import annotations

from time import monotonic
from typing import cast

from proxy_core.balance import passive_checks
from proxy_core.rules.decision import BoundRoute
from proxy_core.runtime.upstreams.connector import IDLE_SECONDS
from proxy_core.runtime.upstreams.response_head import Answer
from proxy_core.serve.cached_way import CacheWay
from proxy_core.serve.open_request import OpenRequest
from proxy_core.serve.shadowed_request import ShadowedRequest, upstream_request
from proxy_core.serve.upstream_request import UpstreamRequest


class _Caching(UpstreamRequest):
    __slots__ = ()

    @property
    def _way(self) -> CacheWay:
        return cast(CacheWay, self._flight.forwarding)

    def answered(self, answer: Answer, data: bytes) -> None:
        way = self._way
        if not way.takes(answer):
            way.comes(answer, data)
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
        self._way.grows(data)
        super().body(data)

    def ended(self, reusable: bool) -> None:
        way, flight, member = self._way, self._flight, self._member.member
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


def request_kind(flight: OpenRequest, route: BoundRoute) -> type[UpstreamRequest]:
    """What a request is to be over its connection, where its route has a shadow or a cache."""
    kind = UpstreamRequest if route.shadow is None else upstream_request(flight, route.shadow)
    if not isinstance(flight.forwarding, CacheWay):
        return kind
    return CachingRequest if kind is UpstreamRequest else ShadowedCachingRequest
