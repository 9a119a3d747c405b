"""[limits] and [[bans]]: how much a client may send, how long it may take, how often it may come, and who may not.

Every wait has an end and every buffer a size. The figures are httpd's defaults where it has them; 0 switches a bound
off where a site can do without. A listener may have bounds of its own. How long a body may be is also said by hosts,
routes and locations (``types.MaxBody``).
"""

from typing import Annotated

from msgspec import Meta
from msgspec.structs import asdict, replace

from proxy_core.config.model.site_table import SiteRow, SiteTable
from proxy_core.config.model.types import BodySize, Count, NonEmpty, Seconds, example

Bytes = Annotated[int, Meta(ge=64, le=1 << 20)]
Rate = Annotated[int, Meta(ge=0, le=1 << 30)]
FieldCount = Annotated[int, Meta(ge=1, le=1000)]


class Limits(SiteTable, frozen=True, kw_only=True):
    """[limits]: bounds of what clients may send and of how long they may take, for all listeners.

    [limits]
    client_rate = 20        # requests a second of one client, when 50 at once are used up
    client_burst = 50
    in_flight = 500
    """

    request_line: Bytes = 8190
    """Bytes of a request line; a longer one gets 414. Apache: LimitRequestLine."""

    field: Bytes = 8190
    """Bytes of one header field; a longer one gets 431. Apache: LimitRequestFieldSize."""

    fields: FieldCount = 100
    """Header fields; more get 431. Apache: LimitRequestFields."""

    head: Bytes = 32_768
    """Bytes of a whole request head; a longer one gets 431."""

    body: BodySize = 1 << 30
    """Bytes of a request body; a longer one gets 413. 0 sets no bound. Apache: LimitRequestBody."""

    head_time: Seconds = 20.0
    """Seconds from the first byte of a request head to its last, after which 408 is answered; head_rate earns as many
    again. Apache: RequestReadTimeout header."""

    head_rate: Rate = 500
    """Bytes of a head that earn it one more second; 0: none do. Apache: RequestReadTimeout MinRate."""

    body_time: Seconds = 20.0
    """Seconds that a request body may stand still before 408 is answered. Apache: RequestReadTimeout body."""

    body_rate: Rate = 500
    """Bytes a second that a body must bring on average, so that it cannot trickle for ever; 0 asks for none. Apache:
    RequestReadTimeout MinRate."""

    idle_time: Seconds = 15.0
    """Seconds that a connection may rest between two requests. Apache: KeepAliveTimeout."""

    connections: Count = 0
    """Open client connections; one more is closed at once. 0: as many as there are file descriptors for; half of them,
    at most 4096, are kept for members. Apache: MaxRequestWorkers."""

    client_connections: Count = 0
    """Open connections of one client address (of one /64 for IPv6); one more gets 429. Peers in trusted_proxies may
    open any number. 0 sets no bound."""

    client_rate: Annotated[float, Meta(ge=0, le=1e6)] = 0.0
    """Requests a second of one client address (of one /64 for IPv6), once client_burst is used up; more get 429 with
    Retry-After. Peers in trusted_proxies may send any number. 0 sets no bound."""

    client_burst: Annotated[int, Meta(ge=1, le=1 << 20)] = 20
    """Requests that a client may send at once before client_rate holds it back."""

    in_flight: Count = 0
    """Requests that the site works on at the same time; others wait in the queue. 0 sets no bound."""

    queue: Annotated[int, Meta(ge=0, le=100_000)] = 100
    """Requests that may wait because in_flight others are being worked on; one more gets 503 with Retry-After at once,
    which is better than being slow for all."""

    queue_time: Seconds = 1.0
    """Seconds that a request may wait in the queue before it gets 503."""


class ListenerLimits(SiteTable, frozen=True, kw_only=True):
    """[listeners.NAME.limits]: bounds of its own for what comes in here, instead of those in [limits].

    [listeners.http.limits]
    body = 1048576
    idle_time = 5
    """

    request_line: Bytes | None = None
    """Bytes of a request line."""

    field: Bytes | None = None
    """Bytes of one header field."""

    fields: FieldCount | None = None
    """Header fields of a request."""

    head: Bytes | None = None
    """Bytes of a whole request head."""

    body: BodySize | None = None
    """Bytes of a request body, where neither host, route nor location sets max_body."""

    head_time: Seconds | None = None
    """Seconds that a request head may take."""

    head_rate: Rate | None = None
    """Bytes of a head that earn it one more second; 0: none do."""

    body_time: Seconds | None = None
    """Seconds that a request body may stand still."""

    body_rate: Rate | None = None
    """Bytes a second that a body must bring on average; 0 asks for none."""

    idle_time: Seconds | None = None
    """Seconds that a connection may rest between two requests."""

    def over(self, whole: Limits) -> Limits:
        """The site's limits with what is said here laid over them."""
        return replace(whole, **{name: value for name, value in asdict(self).items() if value is not None})


class Ban(SiteRow, frozen=True, kw_only=True):
    """[[bans]]: addresses whose requests get 403 for a while.

    [[bans]]
    network = "203.0.113.0/24"
    until = "2030-12-01T18:00:00Z"
    note = "tries passwords"
    """

    network: Annotated[NonEmpty, example("203.0.113.7")]
    """The address, or the network (CIDR), that is banned: "203.0.113.7", "2001:db8::/64"."""

    until: Annotated[str, example("2026-01-31T18:00:00Z")] = ""
    """When the ban ends, as date and time with their zone: "2026-01-31T18:00:00Z". Without it the ban has no end."""

    note: str = ""
    """Why, for those who come after you."""
