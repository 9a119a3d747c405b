"""What a member remembers between requests and across swaps, under its key in the registry.

An edit of a weight or a move keeps every number here. The data path adds to the counters; what failures and checks
leave in the condition is in ``passive_checks``, ``ejection`` and ``runtime.health_checks``. What the condition means
at a moment is asked of ``member_health``, and of nothing else. Times are ``time.monotonic``; 0.0 means "never".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from msgspec import Struct

from proxy_core.balance.latency_histogram import BUCKETS
from proxy_core.config.model import UpstreamTls


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


class Beat(Struct, frozen=True):
    """What a member last reported of itself: free slots, busy ones, and when."""

    ready: int
    busy: int
    at: float


@dataclass(slots=True)
class Checked:
    """What active checks found."""

    at: float = 0.0
    """Epoch time of the last check; 0.0 for none yet."""
    passed: bool = True
    """How the last check came out; ``result`` says it in words."""
    result: str = ""
    streak: int = 0
    """How many checks in a row came out as the last."""
    next_at: float = 0.0
    """When the next is due."""


@dataclass(slots=True)
class MemberState:
    """Counters and condition of one member."""

    key: MemberKey
    """Whose state this is."""
    upstream: UpstreamKey | None = None
    """Whom the condition is about; None for a state that no rule set has adopted."""

    lbstatus: int = 0
    """Turns that byrequests owes the member, as in mod_lbmethod_byrequests.c."""
    transferred: int = 0
    """Bytes sent to the member, heads included: bytraffic goes by it, so it starts anew with the turns."""
    read: int = 0
    """Bytes read from the member, as ``transferred``."""
    latency: float = 0.0
    """Seconds until answers begin, a peak-sensitive mean as of ``latency_at``; 0.0 for not measured."""
    latency_at: float = 0.0
    """When ``latency`` was last measured."""
    beat: Beat | None = None
    """The last heartbeat."""

    busy: int = 0
    """Requests that the member has now."""
    elected: int = 0
    """Attempts that the member was chosen for."""
    answered: int = 0
    """Final answers that began."""
    errors: int = 0
    """Connections and answers that failed."""
    retries: int = 0
    """Requests sent again because their connection broke."""
    sent: int = 0
    """Body bytes sent to the member."""
    received: int = 0
    """Body bytes received from the member."""
    classes: list[int] = field(default_factory=lambda: [0] * 10)
    """Finished requests by first digit of their status."""
    seconds: float = 0.0
    """How long all finished requests took together."""
    histogram: list[int] = field(default_factory=lambda: [0] * BUCKETS)
    """Finished requests by bucket of how long they took."""

    error_at: float = 0.0
    """When a failure last put the member in error (Apache's PROXY_WORKER_IN_ERROR); 0.0 for not in error."""
    last_error: str = ""
    """What failed last, in words; "" once a connection works again. Kept also where the failure is not held against
    the member."""
    unresolved: bool = False
    """Whether ``last_error`` is that its name has no address."""
    failing: bool = False
    """The verdict of active checks (Apache's PROXY_WORKER_HC_FAIL)."""
    check: Checked | None = None
    """What active checks found; None where there are none."""

    ejected_until: float = 0.0
    """When the last ejection ends, or ended; the slow start follows it. 0.0 once an election has seen the end of that.
    """
    ejections: int = 0
    """How often the member was ejected."""
    ejection_step: int = 0
    """How many times its length the last ejection lasted."""
    streak: int = 0
    """Bad answers in a row."""
    window_at: float = 0.0
    """When the window began in which ejection counts."""
    window_answers: int = 0
    """Answers in the window, good and bad."""
    window_failures: int = 0
    """Bad answers in the window."""

    ramp_at: float = 0.0
    """When a slow start last began, but for the one after an ejection; 0.0 once an election has seen its end."""
    owed: float = 0.0
    """Turns that a slow start owes the member."""
    drain_at: float = 0.0
    """When the member stopped taking new requests; 0.0 while it takes them."""
    drain_timeout: float = 0.0
    """Seconds after ``drain_at`` for which its requests may go on; 0.0 for ever."""
