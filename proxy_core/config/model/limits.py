"""[limits] and [[bans]]: how much a client may send, how long it may take, how often it may come, and who may not.

Every wait has an end and every buffer a size. The figures are httpd's defaults where it has them; 0 switches a bound
off where a site can do without. A listener may have bounds of its own; what a host, route or location says of bodies
stands there. Nothing here acts: ``serve`` reads it.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import asdict, replace

from proxy_core.config.model.types import RowId, Seconds

Bytes = Annotated[int, Meta(ge=64, le=1 << 20)]
Rate = Annotated[int, Meta(ge=0, le=1 << 30)]


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """[limits]: bounds of what clients may send and of how long they may take, for all listeners."""

    request_line: Annotated[
        Bytes, Meta(description="Bytes of a request line; a longer one gets 414. Apache: LimitRequestLine.")
    ] = 8190
    field: Annotated[
        Bytes, Meta(description="Bytes of one header field; a longer one gets 431. Apache: LimitRequestFieldSize.")
    ] = 8190
    fields: Annotated[
        int, Meta(ge=1, le=1000, description="Header fields; more get 431. Apache: LimitRequestFields.")
    ] = 100
    head: Annotated[Bytes, Meta(description="Bytes of a whole request head; a longer one gets 431.")] = 32_768
    body: Annotated[
        int,
        Meta(
            ge=0,
            le=1 << 50,
            description="Bytes of a request body; a longer one gets 413. 0 sets no bound. Apache: LimitRequestBody.",
        ),
    ] = 1 << 30
    head_time: Annotated[
        Seconds,
        Meta(
            description="Seconds from the first byte of a request head to its last, after which 408 is answered; "
            "head_rate earns as many again. Apache: RequestReadTimeout header.",
        ),
    ] = 20.0
    head_rate: Annotated[
        Rate,
        Meta(
            description="Bytes of a head that earn it one more second; 0: none do. Apache: RequestReadTimeout MinRate."
        ),
    ] = 500
    body_time: Annotated[
        Seconds,
        Meta(
            description="Seconds that a request body may stand still before 408 is answered. "
            "Apache: RequestReadTimeout body.",
        ),
    ] = 20.0
    body_rate: Annotated[
        Rate,
        Meta(
            description="Bytes a second that a body must bring on average, so that it cannot trickle for ever; 0 asks "
            "for none. Apache: RequestReadTimeout MinRate.",
        ),
    ] = 500
    idle_time: Annotated[
        Seconds,
        Meta(description="Seconds that a connection may rest between two requests. Apache: KeepAliveTimeout."),
    ] = 15.0
    connections: Annotated[
        int,
        Meta(
            ge=0,
            le=1 << 20,
            description="Open client connections; one more is closed at once. 0: as many as there are file "
            "descriptors for; half of them, at most 4096, are kept for members. Apache: MaxRequestWorkers.",
        ),
    ] = 0
    client_connections: Annotated[
        int,
        Meta(
            ge=0,
            le=1 << 20,
            description="Open connections of one client address (of one /64 for IPv6); one more gets 429. Peers in "
            "trusted_proxies may open any number. 0 sets no bound.",
        ),
    ] = 0
    client_rate: Annotated[
        float,
        Meta(
            ge=0,
            le=1e6,
            description="Requests a second of one client address (of one /64 for IPv6), once client_burst is used "
            "up; more get 429 with Retry-After. Peers in trusted_proxies may send any number. 0 sets no bound.",
        ),
    ] = 0.0
    client_burst: Annotated[
        int,
        Meta(ge=1, le=1 << 20, description="Requests that a client may send at once before client_rate holds it back."),
    ] = 20
    in_flight: Annotated[
        int,
        Meta(
            ge=0,
            le=1 << 20,
            description="Requests that the site works on at the same time; others wait in the queue. 0 sets no bound.",
        ),
    ] = 0
    queue: Annotated[
        int,
        Meta(
            ge=0,
            le=100_000,
            description="Requests that may wait because in_flight others are being worked on; one more gets 503 with "
            "Retry-After at once, which is better than being slow for all.",
        ),
    ] = 100
    queue_time: Annotated[
        Seconds, Meta(description="Seconds that a request may wait in the queue before it gets 503.")
    ] = 1.0


class ListenerLimits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """[listeners.NAME.limits]: bounds of its own for what comes in here, instead of those in [limits]."""

    request_line: Annotated[Bytes | None, Meta(description="Bytes of a request line.")] = None
    field: Annotated[Bytes | None, Meta(description="Bytes of one header field.")] = None
    fields: Annotated[Annotated[int, Meta(ge=1, le=1000)] | None, Meta(description="Header fields of a request.")] = (
        None
    )
    head: Annotated[Bytes | None, Meta(description="Bytes of a whole request head.")] = None
    body: Annotated[
        Annotated[int, Meta(ge=0, le=1 << 50)] | None,
        Meta(description="Bytes of a request body, where neither host, route nor location sets max_body."),
    ] = None
    head_time: Annotated[Seconds | None, Meta(description="Seconds that a request head may take.")] = None
    head_rate: Annotated[Rate | None, Meta(description="Bytes of a head that earn it one more second; 0: none do.")] = (
        None
    )
    body_time: Annotated[Seconds | None, Meta(description="Seconds that a request body may stand still.")] = None
    body_rate: Annotated[
        Rate | None, Meta(description="Bytes a second that a body must bring on average; 0 asks for none.")
    ] = None
    idle_time: Annotated[
        Seconds | None, Meta(description="Seconds that a connection may rest between two requests.")
    ] = None

    def over(self, whole: Limits) -> Limits:
        """The site's limits with what is said here laid over them."""
        return replace(whole, **{name: value for name, value in asdict(self).items() if value is not None})


class Ban(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """[[bans]]: addresses whose requests get 403 for a while."""

    id: RowId = ""
    network: Annotated[
        str,
        Meta(
            min_length=1,
            extra={"example": "203.0.113.7"},
            description='The address, or the network (CIDR), that is banned: "203.0.113.7", "2001:db8::/64".',
        ),
    ]
    until: Annotated[
        str,
        Meta(
            extra={"example": "2026-01-31T18:00:00Z"},
            description='When the ban ends, as date and time with their zone: "2026-01-31T18:00:00Z". Without it the '
            "ban has no end.",
        ),
    ] = ""
    note: Annotated[str, Meta(description="Why, for those who come after you.")] = ""
