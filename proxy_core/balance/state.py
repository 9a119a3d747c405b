"""What a member remembers between requests and across swaps.

MemberState is found by its MemberKey in the registry, so a weight edit or a move keeps every number in it. The data
path adds integers to it and nothing else; times are ``time.monotonic``. Which member gets a request is decided in
``select``; this module holds the facts that are decided on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from proxy_core.config.model import Balancer, Member, UpstreamTls
from proxy_core.http.upgrade import Protocols


class MemberKey(NamedTuple):
    """Identity of a member. A route that forwards to a plain URL has a balancer "" whose one member is the origin."""

    balancer: str
    member: str


class UpstreamKey(NamedTuple):
    """Identity of connections that may be shared: same scheme, host (lower case) and port, and for https the same
    settings of TLS."""

    scheme: str
    host: str
    port: int
    tls: UpstreamTls | None = None

    def __str__(self) -> str:
        return f"{self.host}:{self.port}" if self.port else self.host


BUCKETS = 34 * 8
"""Log buckets of a latency histogram: eight to each doubling of microseconds (≤ 9 % wide), up to 2.4 hours."""


def bucket_of(seconds: float) -> int:
    """The histogram bucket of a duration (HdrHistogram's idea: exponent, then three bits of mantissa)."""
    micros = int(seconds * 1e6) | 8
    exponent = micros.bit_length()
    return min((exponent - 4) * 8 + (micros >> (exponent - 4) & 7), BUCKETS - 1)


def seconds_of(bucket: int) -> float:
    """The middle of a bucket, in seconds."""
    exponent, mantissa = divmod(bucket, 8)
    return float((8 + mantissa + 0.5) * (1 << exponent)) / 1e6


class Beat(NamedTuple):
    """What a member last reported of itself: free slots, busy ones, and when (monotonic)."""

    ready: int
    busy: int
    at: float


@dataclass(slots=True)
class Checked:
    """What active checks found. ``at`` is the epoch time of the last one, 0 for none yet; ``passed`` and ``result``
    (in words) are its outcome, ``streak`` how many in a row came out so; ``next_at`` (monotonic) is when the next is
    due."""

    at: float = 0.0
    passed: bool = True
    result: str = ""
    streak: int = 0
    next_at: float = 0.0


@dataclass(slots=True)
class MemberState:
    """Counters and condition of one member. ``upstream`` is whom the condition is about.

    Turns: ``lbstatus`` is Apache's (mod_lbmethod_byrequests.c), and so are ``transferred`` and ``read``, the bytes to
    and from it that bytraffic goes by, added as they go; ``latency`` is a peak-sensitive mean in seconds as of
    ``latency_at``, ``beat`` the last report.

    Condition: ``error_at``, ``last_error`` and ``unresolved`` are about connecting, ``failing`` is the verdict of
    active checks (Apache's PROXY_WORKER_HC_FAIL), ``check`` what they found. ``ejected_until``, ``ejection_step`` (how
    many times its length the next one lasts), ``streak`` and ``window_…`` belong to ejection. ``ramp_at`` is when a
    slow start began, ``drain_at`` when it stopped taking new requests, ``drain_timeout`` how long after that the rest
    may last (0: for ever).

    ``retries`` counts requests that were sent again because their connection broke, ``ejections`` how often it was
    ejected, ``classes`` finished requests by first digit of the status, ``seconds`` and ``histogram`` how long they
    took."""

    key: MemberKey
    upstream: UpstreamKey | None = None
    lbstatus: int = 0
    transferred: int = 0
    read: int = 0
    latency: float = 0.0
    latency_at: float = 0.0
    beat: Beat | None = None
    busy: int = 0
    elected: int = 0
    answered: int = 0
    errors: int = 0
    retries: int = 0
    sent: int = 0
    received: int = 0
    error_at: float = 0.0
    last_error: str = ""
    unresolved: bool = False
    failing: bool = False
    check: Checked | None = None
    ejected_until: float = 0.0
    ejections: int = 0
    ejection_step: int = 0
    streak: int = 0
    window_at: float = 0.0
    window_answers: int = 0
    window_failures: int = 0
    ramp_at: float = 0.0
    drain_at: float = 0.0
    drain_timeout: float = 0.0
    classes: list[int] = field(default_factory=lambda: [0] * 10)
    seconds: float = 0.0
    histogram: list[int] = field(default_factory=lambda: [0] * BUCKETS)


UNLIMITED = 1 << 62


@dataclass(frozen=True, slots=True)
class BoundMember:
    """A member as a RuleSet holds it: its configuration, worked out, beside its state.

    ``host`` is what goes into the Host field (port left out when it is the scheme's own); ``base`` is the URL's path,
    put before the target of each request; ``factor`` is Apache's lbfactor (weight * 100); ``upgrades`` are the
    protocols that its connections may change to; ``route`` is what sessions call it, "" for nothing; ``limit`` is how
    many requests it may have in flight; ``salt`` tells it apart in hashing.
    """

    key: MemberKey
    member: Member
    upstream: UpstreamKey
    host: bytes
    base: bytes
    factor: int
    state: MemberState
    upgrades: Protocols = frozenset()
    route: str = ""
    limit: int = UNLIMITED
    salt: bytes = b""


LbMethod = Callable[[Sequence[BoundMember], float, bytes], BoundMember | None]
"""Elects one of at least one eligible member, or nobody; the other arguments are ``time.monotonic`` and what method
hash goes by."""


class Group(NamedTuple):
    """The members of one lbset that take unsticky requests, in configured order. ``missing`` counts regular ones that
    the configuration keeps out, for each of which a spare may stand in."""

    regular: tuple[BoundMember, ...]
    spares: tuple[BoundMember, ...]
    standbys: tuple[BoundMember, ...]
    missing: int


@dataclass(frozen=True, slots=True)
class Pool:
    """A balancer as a RuleSet holds it. ``direct`` marks the pool of a plain URL: its one member is tried at every
    request, whatever happened before, as Apache's non-balancer workers are.

    ``groups`` are its lbsets, lowest first; ``routes`` finds members by what sessions call them; ``elect`` is its
    method; ``fails`` holds the statuses of ``failonstatus``; ``watched`` says that answers change what is chosen, and
    have to be looked at, ``asks`` that the
    request's session or key does, ``issues`` that clients get a cookie."""

    name: str
    balancer: Balancer
    members: tuple[BoundMember, ...]
    groups: tuple[Group, ...]
    routes: Mapping[str, tuple[BoundMember, ...]]
    elect: LbMethod
    fails: frozenset[int] = frozenset()
    watched: bool = False
    asks: bool = False
    issues: bool = False
    direct: bool = False

    @property
    def method(self) -> str:
        return self.balancer.method
