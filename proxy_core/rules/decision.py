"""What deciding takes and what it can end in.

Deciding is pure: a RequestView in, a Decision out; no clock, no I/O, no counters. ``Forward`` names the pool and the
target; choosing a member in the pool is the balancer's work and happens later, so rules and balancing do not know
each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from msgspec import Struct

from proxy_core.config.model import Redirection, UpstreamTls
from proxy_core.config.model.types import FollowLinks
from proxy_core.errors import Address
from proxy_core.http.upgrade import Protocols
from proxy_core.rules.facts import Need
from proxy_core.rules.rule_state import RuleState
from proxy_core.rules.text.pattern import Pattern


class ReverseRow(NamedTuple):
    """An answer's URL that starts with ``internal`` (compared without case) is mapped to ``public`` + the rest. An
    ``internal`` that is a path is compared with the URL's path, whatever its host."""

    internal: str
    public: str


class CookieRow(NamedTuple):
    """A Path or Domain of a cookie that starts with ``internal`` becomes ``public``: the whole of it, or, with
    ``rest``, its beginning, by whole segments. A Domain that becomes "" is left out."""

    attribute: Literal["path", "domain"]
    internal: str
    public: str
    rest: bool = False


class Shadow(Struct, frozen=True):
    """Where copies of a route's requests go (``shadow``)."""

    pool: str
    """The balancer's name, or the origin of a plain URL."""
    share: float
    """The part of the safe requests that is copied, 0 to 1."""
    fields: tuple[bytes, ...]
    """The fields of answers that are compared, in lower case."""
    reverse: tuple[ReverseRow, ...]
    """How addresses in answers to copies are mapped back."""


class BoundRoute(Struct, frozen=True):
    """A route as a RuleSet holds it, everything worked out."""

    id: str
    """The row's id in its list."""
    path: str
    """The prefix that it takes, collapsed; "" with ``regex``."""
    pool: str | None
    """The balancer's name, or the origin of a plain URL ("http://localhost:8000"); None for an exception."""
    target: bytes
    """The escaped path that takes the place of ``path``."""
    timeout: float
    """Seconds of silence that are borne (ProxyTimeout)."""
    error_override: bool
    """Whether pages of ours take the place of answers that are errors."""
    reverse: tuple[ReverseRow, ...]
    """How addresses in answers are mapped back."""
    state: RuleState
    """Its hits."""
    rows: str = "routes"
    """The list that it is a row of: "routes", "rewrites" for a rule that forwards by itself, "site" for the
    document_root."""
    upgrades: Protocols = frozenset()
    """The protocols that a connection may change to."""
    cookies: tuple[CookieRow, ...] = ()
    """How paths and domains of cookies are mapped back."""
    preserve_host: bool = False
    """Whether members get the client's Host."""
    codes: frozenset[int] = frozenset()
    """The statuses that ``error_override`` is for, none meaning all."""
    regex: Pattern | None = None
    """What it searches in the path in place of a prefix."""
    replacement: str = ""
    """What makes the target with ``regex``, with $N in it."""
    nocanon: bool = False
    """Whether the path goes on as the client spelled it."""
    interpolate: bool = False
    """Whether ${VARIABLE} in the target is filled in."""
    mapping: Literal["decoded", "encoded", "servlet"] = "decoded"
    """How the path is read that it is held against."""
    redirect: Redirection | None = None
    """Where the client is sent instead of being forwarded."""
    folder: str = ""
    """The folder of files, as configured, "" for none."""
    directory_index: tuple[str, ...] = ()
    """The names that stand for a folder in it."""
    fallback_resource: str = ""
    """The path that answers in place of files that are not there, "" for none."""
    autoindex: bool = False
    """Whether a folder without any of them is listed."""
    index_ignore: tuple[str, ...] = ()
    """The names that listings leave out."""
    follow_links: FollowLinks = "all"
    """Which links in the folder of the file may be followed."""
    max_body: int | None = None
    """The bytes that a body may have, 0 for any number; None where the listener's word holds."""
    canonical: str = ""
    """The name and port in addresses of our own, "" for those that the client used."""
    tls: UpstreamTls | None = None
    """What the host says of TLS towards members, None where it says nothing."""
    cache: bool = False
    """Whether answers are kept for other clients."""
    shadow: Shadow | None = None
    """Where copies of its requests go, None for nowhere."""

    def hides(self, status: int) -> bool:
        """Whether a page of ours takes the place of an answer with this status (ProxyErrorOverride)."""
        return 400 <= status < 600 and self.error_override and (not self.codes or status in self.codes)


class OwnPage(Struct, frozen=True):
    """What an answer of ours says where the site has no page for its status: a body, and the field lines about it."""

    fields: tuple[bytes, ...]
    body: bytes


PathAndQuery = tuple[str, str | None]
"""httpd's r->uri and r->args: the path, decoded, and the query without its ?, None for none."""


class Extras(NamedTuple):
    """What rules left for a request besides where it goes."""

    fields: tuple[bytes, ...] = ()
    """Field lines for its answer ("Set-Cookie: …", "Vary: …")."""
    env: tuple[tuple[str, str], ...] = ()
    """Its variables."""
    hits: tuple[RuleState, ...] = ()
    """The rules that matched, for whoever serves to count."""
    user: str = ""
    """Who asks, "" for nobody that is known."""
    auth: str = ""
    """The [auth.NAME] that the user has shown a password to."""
    given: tuple[bytes, ...] = ()
    """Field lines that a service of [forward_auth] has for the member."""
    page: OwnPage | None = None
    """What such a service says to who is refused."""
    rewritten: PathAndQuery | None = None
    """What rules made of the path and the query of the target, None where they are as they came."""
    of_index: PathAndQuery | None = None
    """Those of the index that answers for a folder, None where none does. Fields of requests are changed before."""


NO_EXTRAS = Extras()


class Forward(NamedTuple):
    """Send it to a member of the pool named ``route.pool``. ``target`` is origin-form, escaped, with the query; a
    member's own base path goes before it. ``sections`` are the ids of the locations that hold, in the order in which
    they are laid over each other."""

    route: BoundRoute
    target: bytes
    extras: Extras | None = None
    sections: tuple[str, ...] = ()


class Redirect(NamedTuple):
    """Send the client elsewhere. ``sections`` are as in Forward."""

    status: int
    """301, 302, 303, 307 or 308."""
    location: bytes
    """The whole URL as it goes into Location."""
    cause: str
    """Why, in words."""
    extras: Extras | None = None
    """What rules left."""
    route: BoundRoute | None = None
    """The row that decided, None where it is no row."""
    sections: tuple[str, ...] = ()
    """The ids of the locations that hold, in the order in which they are laid over each other."""


class Respond(NamedTuple):
    """Answer it here."""

    status: int
    """The status of the answer."""
    route: BoundRoute | None
    """The row that says so, None where it is no row."""
    cause: str
    """Why, in words."""
    extras: Extras | None = None
    """What rules left."""
    local: bool = False
    """Nothing forwards it, so it is this server's own, as its files are."""
    sections: tuple[str, ...] = ()
    """The ids of the locations that hold, in the order in which they are laid over each other."""


Decision = Forward | Redirect | Respond | Need


class Step(Struct, frozen=True):
    """A line of a Trace: a rule that was tried, and what came of it. ``details`` are the lines below it: conditions
    with their values, captures, what maps said, variables that were set."""

    address: Address
    verdict: Literal["match", "no match", "skipped"]
    reason: str
    details: Sequence[str] = ()


Trace = list[Step]
