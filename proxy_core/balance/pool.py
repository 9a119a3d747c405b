"""Members and pools as a rule set holds them: configuration, worked out once, beside the states that outlive it.

The data path reads these at every request, so whatever can be known beforehand is a field. ``compile_pools`` makes
them; nothing changes them afterwards but what the states count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from proxy_core.balance.member_state import MemberKey, MemberState, UpstreamKey
from proxy_core.balance.shares import LbSet
from proxy_core.config.model import Balancer, Member, MemberRole, MemberStatus, UpstreamTls
from proxy_core.http.upgrade import Protocols

UNLIMITED = 1 << 62
"""The limit of a member that has none."""


class BoundMember(Struct, frozen=True):
    """A member, bound to its state."""

    key: MemberKey
    """Identity across edits."""
    member: Member
    """Its configuration."""
    upstream: UpstreamKey
    """Where connections to it go."""
    host: bytes
    """The Host field of its requests; without the port where that is the scheme's own."""
    base: bytes
    """The path of its URL, put before the target of each request."""
    factor: int
    """Apache's lbfactor: a hundred times the weight."""
    state: MemberState
    """Counters and condition."""
    upgrades: Protocols = frozenset()
    """Protocols that its connections may change to."""
    route: str = ""
    """What sessions call it; "" for nothing."""
    limit: int = UNLIMITED
    """Requests that it may have at a time."""
    salt: bytes = b""
    """Tells it apart in hashing: 16 bytes."""
    tls: UpstreamTls | None = None
    """What it says of TLS itself, or its balancer; None where the host of a request, or the site, has the word."""

    @property
    def weight(self) -> float:
        return self.member.weight

    @property
    def status(self) -> MemberStatus:
        return self.member.status

    @property
    def role(self) -> MemberRole:
        return self.member.role

    @property
    def lbset(self) -> int:
        return self.member.lbset


LbMethod = Callable[[Sequence[BoundMember], float, bytes], BoundMember | None]
"""Elects one of at least one eligible member, or nobody; the other arguments are ``time.monotonic`` and what method
hash goes by."""


class Pool(Struct, frozen=True):
    """A balancer, or the origin of a plain URL, with its members."""

    name: str
    """The balancer's name, or the origin ("http://localhost:8000")."""
    balancer: Balancer
    """Its configuration."""
    members: tuple[BoundMember, ...]
    """All of them, in file order."""
    lbsets: tuple[LbSet[BoundMember], ...]
    """Who takes requests of no session; the lowest set first."""
    keepers: tuple[BoundMember, ...]
    """Those that their configuration lets take requests of their own sessions."""
    routes: Mapping[str, tuple[BoundMember, ...]]
    """Members by what sessions call them."""
    elect: LbMethod
    """The balancer's method."""
    fails: frozenset[int] = frozenset()
    """The statuses of ``failonstatus``."""
    watched: bool = False
    """Whether answers change who is chosen, and so have to be looked at."""
    asks: bool = False
    """Whether the request's session or key changes who is chosen."""
    issues: bool = False
    """Whether clients get a cookie."""
    direct: bool = False
    """Whether this is the pool of a plain URL: its one member is tried at every request, whatever happened before, as
    Apache's workers outside balancers are."""
