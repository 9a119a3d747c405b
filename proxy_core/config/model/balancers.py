"""Who shares the requests of a balancer: [balancers.NAME] with its members, stickiness and ejection; [heartbeat].

Names and meanings are those of Apache httpd's mod_proxy_balancer wherever it has them; docs/semantics.md says where
ours differ.
"""

from typing import Annotated, Literal

from msgspec import Meta

from proxy_core.config.model.health import HealthCheck
from proxy_core.config.model.site_table import SiteTable
from proxy_core.config.model.tls import UpstreamTls
from proxy_core.config.model.types import (
    Name,
    NonEmpty,
    OwnNames,
    Seconds,
    SecondsOrNone,
    Share,
    Upgrade,
    example,
    fitting,
)

MemberStatus = Literal["enabled", "draining", "disabled", "stopped"]
MemberRole = Literal["regular", "standby", "spare"]
Method = Literal["byrequests", "bytraffic", "bybusyness", "heartbeat", "latency", "hash"]

RouteOfMember = Annotated[str, fitting(r"^[!-:<-~]*\Z", "visible characters without a semicolon")]
CookieName = Annotated[str, fitting(r"^[!#$%&'*+.^_`|~0-9A-Za-z-]*\Z", "the name of a cookie")]
CookiePath = Annotated[str, fitting(r"^/[!-:<-~]*\Z", "a path that begins with a slash")]


class Member(SiteTable, frozen=True, kw_only=True):
    """[balancers.NAME.members.NAME]: one upstream server of a balancer.

    [balancers.shop.members.a]
    url = "http://10.0.0.1:8000"
    weight = 2
    max_connections = 100

    [balancers.shop.members.b]
    url = "unix:/run/app.sock|http://app"
    role = "standby"
    """

    url: Annotated[NonEmpty, example("http://127.0.0.1:8000")]
    """Origin of the member, with an optional path that is put before each request's own: "http://127.0.0.1:8000", or
    "unix:/run/app.sock|http://app" for a socket in the file system. Apache: BalancerMember."""

    weight: Annotated[float, Meta(ge=0, le=100)] = 1.0
    """Share of requests in proportion to the other members' weights; 0 leaves it only the requests of its own sessions.
    Apache: loadfactor."""

    status: MemberStatus = "enabled"
    """enabled; draining: only requests of its own sessions, those in flight finish; disabled and stopped: no requests,
    not even when every other member is down; a stopped member is not checked either. Apache: status=+N, +D, +S."""

    role: MemberRole = "regular"
    """regular; spare: takes the place of a regular member of its set that is out; standby: takes requests only when
    nobody else of its set can. Apache: status=+R, +H."""

    lbset: Annotated[int, Meta(ge=0, le=99)] = 0
    """Sets are used from the lowest on: the next one only when nobody of this one can take requests. Apache: lbset."""

    route: Annotated[RouteOfMember, example("app-1")] = ""
    """What a session's cookie or parameter calls this member; without it the member's own name where sticky issues
    cookies, and none otherwise. Apache: route."""

    redirect: Annotated[str, example("app-2")] = ""
    """Route of the member that gets this one's sessions while this one cannot. Apache: redirect."""

    retry: SecondsOrNone = 60.0
    """Seconds that a member which refused a connection is left alone before it is tried again; 0 tries it at every
    request. Apache: retry."""

    ignore_errors: bool = False
    """Never put into the error state, whatever fails. Apache: status=+I."""

    max_connections: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    """Requests that it may have in flight at once; what is more waits as the balancer's queue says. 0: no limit.
    Apache: max."""

    timeout: Seconds | None = None
    """Seconds of silence for this member, instead of the route's timeout. Apache: timeout."""

    connect_timeout: Seconds | None = None
    """Seconds that opening a connection to it may take, instead of the site's. Apache: connectiontimeout."""

    ttl: Seconds | None = None
    """Seconds that an idle connection to it is kept; 15 without it. Apache: ttl."""

    keepalive: bool = False
    """TCP keep-alive probes on its connections. Apache: keepalive."""

    disablereuse: bool = False
    """A connection for each request. Apache: disablereuse."""

    upgrade: Upgrade = ()
    """See ``Upgrade``."""

    tls: UpstreamTls | None = None
    """How an https or wss member is spoken to, instead of what its balancer, the host or the site says."""


class Sticky(SiteTable, frozen=True, kw_only=True):
    """[balancers.NAME.sticky]: a session stays with its member. Apache: stickysession.

    [balancers.shop.sticky]
    cookie = "ROUTE"
    issue = true
    """

    cookie: Annotated[CookieName, example("ROUTEID")] = ""
    """Cookie whose value ends with the member's route."""

    param: Annotated[str, example("jsessionid")] = ""
    """Parameter in the path or query whose value ends with the route; looked for before the cookie. Apache: what stands
    behind the | of stickysession."""

    separator: Annotated[str, Meta(max_length=1), example(".")] = "."
    """The route is what stands behind the first of these in the value; empty: the whole value is the route. Apache:
    stickysessionsep."""

    scolonpathdelim: bool = False
    """A semicolon ends the parameter's value too. Apache: scolonpathdelim."""

    nofailover: bool = False
    """A session whose member cannot take it is answered 503, instead of going to another. Apache: nofailover."""

    issue: bool = False
    """Set the cookie on answers to clients that have none, or that changed their member. Apache: Header add Set-Cookie
    with BALANCER_WORKER_ROUTE."""

    path: Annotated[CookiePath, example("/")] = "/"
    """Path of the cookie that is issued."""

    secure: bool = False
    """The cookie goes over https only."""

    http_only: bool = True
    """Scripts of pages cannot read the cookie."""

    same_site: Literal["Strict", "Lax", "None"] = "Lax"
    """Whether other sites' requests carry the cookie."""


class Ejection(SiteTable, frozen=True, kw_only=True):
    """[balancers.NAME.ejection]: members whose answers are bad are left alone for a while. (Envoy's outlier
    detection; Apache knows failonstatus alone.)

    [balancers.shop.ejection]
    consecutive = 5
    seconds = 30
    """

    consecutive: Annotated[int, Meta(ge=0, le=100_000)] = 5
    """Failures in a row (answers of 500 and above, broken connections, silences) after which a member is ejected. 0:
    their number does not count."""

    ratio: Share = 0.0
    """Part of a member's requests that may fail in a window before it is ejected. 0: it does not count."""

    window: Seconds = 10.0
    """Seconds over which the ratio is taken."""

    minimum: Annotated[int, Meta(ge=1, le=1_000_000)] = 20
    """Requests in a window below which the ratio says nothing."""

    seconds: Seconds = 30.0
    """Seconds of an ejection; twice, three times as long when it is ejected again, up to ten."""

    share: Share = 0.5
    """Part of the balancer's members that may be ejected at once, rounded down; never all of them."""


class Balancer(SiteTable, frozen=True, kw_only=True):
    """[balancers.NAME]: members that share the requests of ``balancer://NAME``.

    [balancers.shop]
    method = "bybusyness"
    slow_start = 30

    [balancers.shop.members.a]
    url = "http://10.0.0.1:8000"

    [balancers.shop.members.b]
    url = "http://10.0.0.2:8000"
    """

    method: Method = "byrequests"
    """How a member is chosen. byrequests: numbers of requests by weight; bytraffic: bytes by weight; bybusyness: the
    fewest requests in flight; heartbeat: the free slots that members report; latency: the shortest wait, as measured;
    hash: always the same member for the same key. Apache: lbmethod, for the first four."""

    key: Annotated[NonEmpty, example("%{HTTP_COOKIE}")] = "%{REMOTE_ADDR}"
    """For hash: text with %{VARIABLE} whose value chooses the member. When a member leaves, only its own keys move."""

    sticky: Sticky | None = None
    """A session stays with its member."""

    maxattempts: Annotated[int, Meta(ge=0, le=100)] | None = None
    """Further members that a request is tried at when connecting fails; without it all of them. 0: none. Apache:
    maxattempts."""

    failonstatus: Annotated[tuple[str, ...], example(["500", "503"])] = ()
    """Statuses of answers that put the member into the error state, as a failed connection does; each is one ("503") or
    a range ("500-599"). The answer itself is passed on. Apache: failonstatus."""

    failontimeout: bool = False
    """A member that is silent for too long is in error too. Apache: failontimeout."""

    forcerecovery: bool = True
    """When every member is in error all are tried at once, instead of answering 503 until their retry time is over.
    Apache: forcerecovery."""

    timeout: SecondsOrNone = 0.0
    """Seconds that a request waits for a member with a free place (max_connections) before it is answered 503. Apache:
    timeout of the balancer."""

    queue: Annotated[int, Meta(ge=1, le=100_000)] = 100
    """Requests that may wait so; more are answered 503 at once."""

    slow_start: SecondsOrNone = 0.0
    """Seconds over which a member that is new or has recovered gets from a tenth of its share to the whole, whatever
    the method. Requests of its own sessions it gets at once; with hash its keys come back to it one after the other."""

    drain_timeout: SecondsOrNone = 0.0
    """Seconds after which the requests that a draining, disabled or removed member still has are cut, and sessions of a
    draining one go elsewhere. 0: they may take as long as they like."""

    ejection: Ejection | None = None
    """Members whose answers are bad are left alone for a while."""

    health: HealthCheck | None = None
    """Members are asked at intervals whether they are well."""

    tls: UpstreamTls | None = None
    """How https and wss members are spoken to, instead of what the host or the site says. Apache: SSLProxyVerify and
    the like in <Proxy>."""

    members: dict[Name, Member] = {}
    """The members, by name."""


class Heartbeat(SiteTable, frozen=True, kw_only=True):
    """[heartbeat]: where members report how much they can take, for method heartbeat. Apache: HeartbeatListen.

    [heartbeat]
    address = "127.0.0.1:27999"

    [balancers.shop]
    method = "heartbeat"
    """

    address: Annotated[NonEmpty, example("127.0.0.1:27999")]
    """Address and UDP port that reports come to (v=1&ready=5&busy=2); a multicast address is joined. A POST of the same
    text to the same TCP port does as well. Whoever reaches it is believed."""

    names: OwnNames = ()
    """See ``OwnNames``."""
