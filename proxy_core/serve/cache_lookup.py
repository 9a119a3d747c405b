"""Looks for a kept answer, and gives it at once where that takes nothing more: a GET that any fresh answer will do for,
of which the head is written already.

Most hits are of that kind, so they have a way of their own that makes no object and calls little. All others go by a
CacheWay (``cached_way``).
"""

from __future__ import annotations

from msgspec import Struct

from proxy_core.cache.eviction import MOST_USES
from proxy_core.cache.store import KeptAnswer
from proxy_core.cache.wishes import Wishes, selected
from proxy_core.rules.decision import Forward
from proxy_core.runtime.upstreams.response_head import Answer
from proxy_core.serve.answer_cache import CacheKey
from proxy_core.serve.cache_key import identity, key_target, personal
from proxy_core.serve.open_request import OpenRequest
from proxy_core.serve.request_fields import RequestFields

_NONE = Wishes()


class Lookup(Struct, frozen=True, gc=False):
    """What there is for a request."""

    key: CacheKey
    """Its key."""
    wishes: Wishes = _NONE
    """What it says to a cache."""
    kept: KeptAnswer | None = None
    """What is kept for it, and may be shown to it; fresh or not."""
    seen: bool = False
    """Something is kept of its resource."""
    past: tuple[str, str] | None = None
    """Why it goes past the cache: RFC 9211's word, and ours."""


def look(flight: OpenRequest, fields: RequestFields, decision: Forward) -> Lookup:
    """What there is for a request that goes to members with these fields."""
    cache, exchange, settings = flight.state.cache, flight.exchange, flight.settings
    view, target = exchange.view, decision.target
    primary = fields.host.lower(), target if cache.whole_targets else key_target(cache.config, target)
    if view.method != b"GET" and view.method != b"HEAD":
        return Lookup((primary, ()), past=("method", f"{view.method.decode('latin-1')} is not kept"))
    edits = settings.edits if settings is not None and (settings.edits.request or settings.edits.early) else None
    wishes = cache.wishes(fields.lines, edits)
    if wishes.past or fields.length or fields.upgrade:
        return Lookup((primary, ()), past=("bypass", wishes.past or "it has a body, or asks for another protocol"))
    resource = cache.store.find(primary)
    connection = view.connection
    rest = (
        connection.listener, view.scheme, decision.route.pool, fields.host, flight.client.reader.added,
        wishes.keyed, identity(view) if connection.tls else "",
        selected(fields.lines, resource.names) if resource is not None and resource.names else (),
    )  # fmt: skip
    if resource is None:
        return Lookup((primary, rest), wishes)
    kept = resource.variants.get(rest)
    if kept is not None and not kept.lifetime.shared and personal(exchange, wishes):
        kept = None  # it was never said to be for others than the one who asked
    return Lookup((primary, rest), wishes, kept, True)


def given(flight: OpenRequest, found: Lookup, kept: KeptAnswer, decision: Forward) -> bool:
    """Whether the request has been answered with what was found, head and body in one write."""
    if not found.wishes.plain or flight.own_fields:
        return False
    exchange, answer, body = flight.exchange, kept.shown, kept.body
    now = exchange.started
    age = now - kept.born
    if age >= kept.lifetime.fresh or kept.shown_at != int(age) or type(answer) is not Answer or type(body) is not bytes:
        return False
    route, settings = decision.route, flight.settings
    ready_for: object = route if route.cookies else None
    if settings is not None:
        ready_for = (route, settings)
    if (
        not answer.ready
        or answer.addresses
        or (answer.ready_for is not ready_for and answer.ready_for != ready_for)
        or (settings is not None and (settings.offer is not None or not settings.edits.steady_answer))
        or (answer.status >= 400 and route.hides(answer.status))
        or exchange.view.method != b"GET"
        or not (flight.fields.http11 and flight.may_keep())
    ):
        return False
    tally = flight.state.cache.tally
    if kept.uses < MOST_USES:
        kept.uses += 1
    tally.served["hit"] += 1
    size = len(body)
    tally.saved += size
    exchange.cache, exchange.age, exchange.answer, exchange.status = "hit", kept.shown_at, answer.raw, answer.status
    exchange.answered, exchange.sent = now, size
    flight.started = True
    flight.client.write(answer.ready + body)
    flight.done(now)
    return True
