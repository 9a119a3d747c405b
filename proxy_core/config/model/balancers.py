"""The part of the model that says who shares a balancer's requests: balancers, members, stickiness, ejection.

Names and meanings are those of Apache httpd's mod_proxy_balancer wherever it has them (docs/semantics.md says where
ours differ). As in ``model``, every field carries its manual; what needs more than one field is ``rules.lint.site``'s.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from proxy_core.config.model.health import HealthCheck
from proxy_core.config.model.tls import MemberTls
from proxy_core.config.model.types import Name, Seconds, Upgrade

MemberStatus = Literal["enabled", "draining", "disabled", "stopped"]
MemberRole = Literal["regular", "standby", "spare"]
Method = Literal["byrequests", "bytraffic", "bybusyness", "heartbeat", "latency", "hash"]

_Span = Annotated[float, Meta(ge=0, le=86_400)]
_Statuses = Annotated[
    tuple[str, ...],
    Meta(
        extra={"example": ["500", "503"]},
        description="Statuses of answers that put the member into the error state, as a failed connection does; "
        'each is one ("503") or a range ("500-599"). The answer itself is passed on. Apache: failonstatus.',
    ),
]


class Member(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """[balancers.NAME.members.NAME]: one upstream server of a balancer."""

    url: Annotated[
        str,
        Meta(
            min_length=1,
            extra={"example": "http://127.0.0.1:8000"},
            description="Origin of the member, with an optional path that is put before each request's own: "
            '"http://127.0.0.1:8000", or "unix:/run/app.sock|http://app" for a socket in the file system. '
            "Apache: BalancerMember.",
        ),
    ]
    weight: Annotated[
        float,
        Meta(
            ge=0,
            le=100,
            description="Share of requests in proportion to the other members' weights; 0 leaves it only the "
            "requests of its own sessions. Apache: loadfactor.",
        ),
    ] = 1.0
    status: Annotated[
        MemberStatus,
        Meta(
            description="enabled; draining: only requests of its own sessions, those in flight finish; disabled and "
            "stopped: no requests, not even when every other member is down; a stopped member is not checked "
            "either. Apache: status=+N, +D, +S.",
        ),
    ] = "enabled"
    role: Annotated[
        MemberRole,
        Meta(
            description="regular; spare: takes the place of a regular member of its set that is out; standby: takes "
            "requests only when nobody else of its set can. Apache: status=+R, +H.",
        ),
    ] = "regular"
    lbset: Annotated[
        int,
        Meta(
            ge=0,
            le=99,
            description="Sets are used from the lowest on: the next one only when nobody of this one can take "
            "requests. Apache: lbset.",
        ),
    ] = 0
    route: Annotated[
        str,
        Meta(
            pattern=r"^[!-:<-~]*\Z",
            extra={"wanted": "visible characters without a semicolon", "example": "app-1"},
            description="What a session's cookie or parameter calls this member; without it the member's own name "
            "where sticky issues cookies, and none otherwise. Apache: route.",
        ),
    ] = ""
    redirect: Annotated[
        str,
        Meta(
            extra={"example": "app-2"},
            description="Route of the member that gets this one's sessions while this one cannot. Apache: redirect.",
        ),
    ] = ""
    retry: Annotated[
        _Span,
        Meta(
            description="Seconds that a member which refused a connection is left alone before it is tried again; "
            "0 tries it at every request. Apache: retry.",
        ),
    ] = 60.0
    ignore_errors: Annotated[
        bool, Meta(description="Never put into the error state, whatever fails. Apache: status=+I.")
    ] = False
    max_connections: Annotated[
        int,
        Meta(
            ge=0,
            le=1_000_000,
            description="Requests that it may have in flight at once; what is more waits as the balancer's queue "
            "says. 0: no limit. Apache: max.",
        ),
    ] = 0
    timeout: Annotated[
        Seconds | None,
        Meta(description="Seconds of silence for this member, instead of the route's timeout. Apache: timeout."),
    ] = None
    connect_timeout: Annotated[
        Seconds | None,
        Meta(
            description="Seconds that opening a connection to it may take, instead of the site's. Apache: "
            "connectiontimeout.",
        ),
    ] = None
    ttl: Annotated[
        Seconds | None,
        Meta(description="Seconds that an idle connection to it is kept; 15 without it. Apache: ttl."),
    ] = None
    keepalive: Annotated[bool, Meta(description="TCP keep-alive probes on its connections. Apache: keepalive.")] = False
    disablereuse: Annotated[bool, Meta(description="A connection for each request. Apache: disablereuse.")] = False
    upgrade: Upgrade = ()
    tls: MemberTls = None


class Sticky(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """[balancers.NAME.sticky]: a session stays with its member. Apache: stickysession."""

    cookie: Annotated[
        str,
        Meta(
            pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]*\Z",
            extra={"wanted": "the name of a cookie", "example": "ROUTEID"},
            description="Cookie whose value ends with the member's route.",
        ),
    ] = ""
    param: Annotated[
        str,
        Meta(
            extra={"example": "jsessionid"},
            description="Parameter in the path or query whose value ends with the route; looked for before the "
            "cookie. Apache: what stands behind the | of stickysession.",
        ),
    ] = ""
    separator: Annotated[
        str,
        Meta(
            max_length=1,
            extra={"example": "."},
            description="The route is what stands behind the first of these in the value; empty: the whole value is "
            "the route. Apache: stickysessionsep.",
        ),
    ] = "."
    scolonpathdelim: Annotated[
        bool, Meta(description="A semicolon ends the parameter's value too. Apache: scolonpathdelim.")
    ] = False
    nofailover: Annotated[
        bool,
        Meta(
            description="A session whose member cannot take it is answered 503, instead of going to another. Apache: "
            "nofailover.",
        ),
    ] = False
    issue: Annotated[
        bool,
        Meta(
            description="Set the cookie on answers to clients that have none, or that changed their member. Apache: "
            "Header add Set-Cookie with BALANCER_WORKER_ROUTE.",
        ),
    ] = False
    path: Annotated[
        str,
        Meta(
            pattern=r"^/[!-:<-~]*\Z",
            extra={"wanted": "a path that begins with a slash", "example": "/"},
            description="Path of the cookie that is issued.",
        ),
    ] = "/"
    secure: Annotated[bool, Meta(description="The cookie goes over https only.")] = False
    http_only: Annotated[bool, Meta(description="Scripts of pages cannot read the cookie.")] = True
    same_site: Annotated[
        Literal["Strict", "Lax", "None"], Meta(description="Whether other sites' requests carry the cookie.")
    ] = "Lax"


class Ejection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """[balancers.NAME.ejection]: members whose answers are bad are left alone for a while. (Envoy's outlier
    detection; Apache knows failonstatus alone.)"""

    consecutive: Annotated[
        int,
        Meta(
            ge=0,
            le=100_000,
            description="Failures in a row (answers of 500 and above, broken connections, silences) after which a "
            "member is ejected. 0: their number does not count.",
        ),
    ] = 5
    ratio: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="Part of a member's requests that may fail in a window before it is ejected. 0: it does not "
            "count.",
        ),
    ] = 0.0
    window: Annotated[Seconds, Meta(description="Seconds over which the ratio is taken.")] = 10.0
    minimum: Annotated[
        int, Meta(ge=1, le=1_000_000, description="Requests in a window below which the ratio says nothing.")
    ] = 20
    seconds: Annotated[
        Seconds,
        Meta(description="Seconds of an ejection; twice, three times as long when it is ejected again, up to ten."),
    ] = 30.0
    share: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="Part of the balancer's members that may be ejected at once, rounded down; never all of them.",
        ),
    ] = 0.5


class Balancer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """[balancers.NAME]: members that share the requests of ``balancer://NAME``."""

    method: Annotated[
        Method,
        Meta(
            description="How a member is chosen. byrequests: numbers of requests by weight; bytraffic: bytes by "
            "weight; bybusyness: the fewest requests in flight; heartbeat: the free slots that members report; "
            "latency: the shortest wait, as measured; hash: always the same member for the same key. Apache: "
            "lbmethod, for the first four.",
        ),
    ] = "byrequests"
    key: Annotated[
        str,
        Meta(
            min_length=1,
            extra={"example": "%{HTTP_COOKIE}"},
            description="For hash: text with %{VARIABLE} whose value chooses the member. When a member leaves, only "
            "its own keys move.",
        ),
    ] = "%{REMOTE_ADDR}"
    sticky: Annotated[Sticky | None, Meta(description="A session stays with its member.")] = None
    maxattempts: Annotated[
        Annotated[int, Meta(ge=0, le=100)] | None,
        Meta(
            description="Further members that a request is tried at when connecting fails; without it all of them. "
            "0: none. Apache: maxattempts.",
        ),
    ] = None
    failonstatus: _Statuses = ()
    failontimeout: Annotated[
        bool,
        Meta(description="A member that is silent for too long (504) is in error too. Apache: failontimeout."),
    ] = False
    forcerecovery: Annotated[
        bool,
        Meta(
            description="When every member is in error all are tried at once, instead of answering 503 until their "
            "retry time is over. Apache: forcerecovery.",
        ),
    ] = True
    timeout: Annotated[
        _Span,
        Meta(
            description="Seconds that a request waits for a member with a free place (max_connections) before it is "
            "answered 503. Apache: timeout of the balancer.",
        ),
    ] = 0.0
    queue: Annotated[
        int, Meta(ge=1, le=100_000, description="Requests that may wait so; more are answered 503 at once.")
    ] = 100
    slow_start: Annotated[
        _Span,
        Meta(
            description="Seconds over which a member that is new or has recovered gets from a tenth of its share to "
            "the whole.",
        ),
    ] = 0.0
    drain_timeout: Annotated[
        _Span,
        Meta(
            description="Seconds after which the requests that a draining, disabled or removed member still has are "
            "cut, and sessions of a draining one go elsewhere. 0: they may take as long as they like.",
        ),
    ] = 0.0
    ejection: Annotated[
        Ejection | None, Meta(description="Members whose answers are bad are left alone for a while.")
    ] = None
    health: Annotated[HealthCheck | None, Meta(description="Members are asked at intervals whether they are well.")] = (
        None
    )
    members: Annotated[dict[Name, Member], Meta(description="The members, by name.")] = {}


class Heartbeat(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """[heartbeat]: where members report how much they can take, for method heartbeat. Apache: HeartbeatListen."""

    address: Annotated[
        str,
        Meta(
            min_length=1,
            extra={"example": "127.0.0.1:27999"},
            description="Address and UDP port that reports come to (v=1&ready=5&busy=2); a multicast address is "
            "joined. A POST of the same text to the same TCP port does as well. Whoever reaches it is believed.",
        ),
    ]
