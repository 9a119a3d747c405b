"""From an Exchange to what people read of it.

An Exchange in the recorder's ring holds bytes and monotonic times, as the data path left them. A Record is the same
request as plain data: text that any wire can carry, and durations. It is worked out only for those requests that
somebody looks at or writes down, never on the request path.
"""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from proxy_core.runtime.exchange import Exchange
from proxy_core.runtime.failed_requests import failed, is_slow
from proxy_core.secret_values import masked, masked_target


class Record(Struct, frozen=True, kw_only=True):
    """A finished request, as the log shows it. Durations are -1 where it never came to that."""

    number: int
    """It grows by one a request and never comes back."""
    at: float
    """When the request came, in seconds since the epoch."""
    client: str
    """Its address."""
    method: str
    """As it stands in the request line."""
    target: str
    """As it came: path and query, or a whole URL."""
    host: str
    """The Host field, "" for none."""
    version: str
    """Of HTTP, "1.1" or "1.0"."""
    status: int
    """That of the answer; 499 means that the client left before it."""
    received: int
    """Body bytes from the client."""
    sent: int
    """Body bytes to the client."""
    route: str
    """Id of the row that took it, "" for none."""
    balancer: str
    """Empty also where the route names a server by its URL."""
    member: str
    """The last that got it, "" for none."""
    attempts: int
    """Members that were chosen for it."""
    generation: int
    """Of the rule set that it ran under."""
    waited: float
    """Seconds until a connection upstream was there."""
    first: float
    """Seconds until the head of the answer came."""
    total: float
    """Seconds until all was sent."""
    cause: str
    """What went wrong, in words; "" for nothing."""
    referer: str
    """The Referer field, "" for none."""
    user_agent: str
    """The User-Agent field, "" for none."""
    retries: int = 0
    """How often it was sent again because a connection broke."""
    queued: float = 0.0
    """Seconds that it waited in line."""
    rule: str = ""
    """Id of the rewrite rule that decided, else of the last that matched; "" for none."""
    cut: int = 0
    """The status of what cut the answer after it had begun, 0 for nothing."""
    cache: str = ""
    """How the shared cache served it: hit, stale, revalidated, collapsed, miss, bypass; "" where its route has none."""
    age: int = 0
    """Seconds that the kept answer was old that it got."""
    weight: int = 1
    """How many requests it stands for: more than one in a recording, where those that went well are sampled."""

    @property
    def went_wrong(self) -> bool:
        """It failed, or was slow: it is kept for longer than others."""
        return failed(self.status, self.cut) or is_slow(self.status, self.total)


def record(exchange: Exchange) -> Record:
    """The Record of a finished exchange. Bytes that are not UTF-8 are written as ``\\xNN``."""
    route, member, rule = exchange.route, exchange.member, exchange.rule
    return Record(
        number=exchange.number,
        at=exchange.at,
        client=exchange.view.client,
        method=_text(exchange.view.method),
        target=_text(exchange.view.target),
        host=_text(exchange.view.host),
        version=exchange.version,
        status=exchange.status,
        received=exchange.received,
        sent=exchange.sent,
        route=route.id if route else "",
        balancer=member.key.balancer if member else "",
        member=member.key.member if member else "",
        attempts=exchange.attempts,
        retries=exchange.retries,
        queued=exchange.queued,
        generation=exchange.rules.generation,
        waited=_since(exchange.started, exchange.connected),
        first=_since(exchange.started, exchange.answered),
        total=_since(exchange.started, exchange.finished),
        cause=exchange.cause,
        referer=_text(field("Referer", exchange.head)),
        user_agent=_text(field("User-Agent", exchange.head)),
        rule=rule.key[1] if rule else "",
        cut=exchange.cut,
        cache=exchange.cache,
        age=exchange.age,
    )


def public(seen: Record) -> Record:
    """The same without what is secret in it: for whatever leaves the console or the service to be kept or sent on."""
    return replace(
        seen,
        target=masked_target(seen.target),
        referer=masked_target(seen.referer),
        user_agent=masked(seen.user_agent),
        cause=masked(masked_target(seen.cause)),
    )


@lru_cache(maxsize=256)
def _finder(name: str) -> re.Pattern[bytes]:
    return re.compile(rb"\n%b[ \t]*:[ \t]*([^\r\n]*)" % re.escape(name.encode()), re.IGNORECASE)


def field(name: str, head: bytes, missing: bytes = b"") -> bytes:
    """The lines of a field of a raw head, joined by ", " as httpd joins them."""
    found = _finder(name).findall(head)
    return b", ".join([value.rstrip(b" \t") for value in found]) if found else missing


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def _since(started: float, then: float) -> float:
    return then - started if then else -1.0
