"""What a member remembers between requests and across swaps.

MemberState is found by its MemberKey in the registry, so a weight edit or a move keeps every number in it. The data
path adds integers to it and nothing else; times are ``time.monotonic``. Which member gets a request is decided in
``select``; this module holds the facts that are decided on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from proxy_core.config.model import Member
from proxy_core.config.model_tls import UpstreamTls
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
    """Counters and condition of one member. ``lbstatus`` is Apache's (mod_lbmethod_byrequests.c); ``upstream`` is whom
    the condition (``error_at``, ``last_error``, ``unresolved``, ``failing``, ``check``) is about. ``failing`` is the
    verdict of active checks: Apache's PROXY_WORKER_HC_FAIL. ``classes`` counts finished requests by first digit of the
    status, ``seconds`` and ``histogram`` how long they took."""

    key: MemberKey
    upstream: UpstreamKey | None = None
    lbstatus: int = 0
    busy: int = 0
    elected: int = 0
    answered: int = 0
    errors: int = 0
    sent: int = 0
    received: int = 0
    error_at: float = 0.0
    last_error: str = ""
    unresolved: bool = False
    failing: bool = False
    check: Checked | None = None
    classes: list[int] = field(default_factory=lambda: [0] * 10)
    seconds: float = 0.0
    histogram: list[int] = field(default_factory=lambda: [0] * BUCKETS)


@dataclass(frozen=True, slots=True)
class BoundMember:
    """A member as a RuleSet holds it: its configuration, worked out, beside its state.

    ``host`` is what goes into the Host field (port left out when it is the scheme's own); ``base`` is the URL's path,
    put before the target of each request; ``factor`` is Apache's lbfactor (weight * 100); ``upgrades`` are the
    protocols that its connections may change to.
    """

    key: MemberKey
    member: Member
    upstream: UpstreamKey
    host: bytes
    base: bytes
    factor: int
    state: MemberState
    upgrades: Protocols = frozenset()


@dataclass(frozen=True, slots=True)
class Pool:
    """A balancer as a RuleSet holds it. ``direct`` marks the pool of a plain URL: its one member is tried at every
    request, whatever happened before, as Apache's non-balancer workers are."""

    name: str
    method: str
    members: tuple[BoundMember, ...]
    direct: bool = False
