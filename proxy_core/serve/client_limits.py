"""Admission: who may not come in, who comes too often, and who has to wait because enough are inside.

Here is what is counted: connections by client, the rate of each client's requests, requests that wait for room, and
how often each limit was reached. A rate is a token bucket in the form of one number for each client, the time at
which its bucket will be full again (the generic cell rate algorithm of ATM); what lies in the past is forgotten.
No I/O and no timer. A site that bounds nothing pays a comparison or two for each request.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from time import monotonic, time

from msgspec import Struct, field

from proxy_core.config.model import Limits
from proxy_core.http.hop_by_hop import RefusedRequest
from proxy_core.rules.access.networks import seen_as
from proxy_core.runtime.recent_requests import Recorder
from proxy_core.serve.client_policy import ClientPolicy
from proxy_core.serve.waiting_lines import IN_PROXY, Lines

_MOST = 100_000
"""Clients whose bucket is known, before those with a full one are forgotten."""


class Admission(Struct):
    """What is known of clients and their requests together."""

    recorder: Recorder
    """Knows the requests that are in flight."""
    lines: Lines = field(default_factory=Lines)
    """Those of them that wait for room."""
    reached: Counter[str] = field(default_factory=Counter)
    """How often each limit was reached, by its name."""
    _connections: dict[str, int] = field(default_factory=dict)
    """Open ones, by client."""
    _full_at: dict[str, float] = field(default_factory=dict)
    """When the bucket of each client will be full again (monotonic)."""
    _most: int = _MOST
    """How many of these are borne."""

    def go_on(self, reached: Mapping[str, int], rates: Mapping[str, float]) -> None:
        """Begin with what another process knew."""
        self.reached.update(reached)
        self._full_at.update(rates)

    def opened(self, client: str, policy: ClientPolicy) -> bool:
        """A connection of this client is open, and to be ``closed``; whether it may stay."""
        name = seen_as(client)
        self._connections[name] = count = self._connections.get(name, 0) + 1
        most = policy.limits.client_connections
        return not most or count <= most or bool(policy.trusted.find(client))

    def closed(self, client: str) -> None:
        name = seen_as(client)
        left = self._connections.pop(name, 0) - 1
        if left > 0:
            self._connections[name] = left

    def admit(self, client: str, policy: ClientPolicy, now: float) -> None:
        """Let in a request of a client that ``policy`` watches; ``now`` is monotonic. Raises RefusedRequest with 403
        or, when it comes too soon, 429."""
        refused = self._refused(client, policy, now)
        if refused is not None:
            raise refused
        if not policy.gap or policy.trusted.find(client):
            return
        if len(self._full_at) > self._most:
            self._full_at = {name: at for name, at in self._full_at.items() if at > now}
            # Or a crowd would have all of it gone through for each of them.
            self._most = max(_MOST, 2 * len(self._full_at))
        self._full_at[seen_as(client)] = self._next_full(client, policy, now)

    def rates(self, now: float) -> dict[str, float]:
        """When the bucket of each client that asked a moment ago will be full again, for another process to go on."""
        return {name: at for name, at in self._full_at.items() if at > now}

    def verdict(self, clients: Iterable[str], policy: ClientPolicy) -> RefusedRequest | None:
        """What a request would be answered here if it came now, None where it would go on: for who only asks. The first
        of ``clients`` is who connects, the others are whom it names."""
        peer = next(iter(clients))
        most = policy.limits.client_connections
        if most and self._connections.get(seen_as(peer), 0) >= most and not policy.trusted.find(peer):
            return too_many_connections(policy)
        refusals = (self._refused(each, policy, monotonic()) for each in dict.fromkeys(clients))
        refused = next(filter(None, refusals), None)
        limits = policy.limits
        waiting = self.lines.length(IN_PROXY)
        if refused is None and limits.in_flight and (self._inside() >= limits.in_flight or waiting):
            return _full(limits) if waiting >= limits.queue else None
        return refused

    def _refused(self, client: str, policy: ClientPolicy, now: float) -> RefusedRequest | None:
        """Why a client may not ask: it is kept out, or it asks faster than it may."""
        why = policy.kept_out.find(client, time())
        if why:
            return RefusedRequest(403, why, "deny")
        if not policy.gap or policy.trusted.find(client):
            return None
        early = self._next_full(client, policy, now) - now - policy.limits.client_burst * policy.gap
        if early > 1e-6:
            return RefusedRequest(429, "the client sends requests faster than client_rate", "client_rate", early)
        return None

    def _next_full(self, client: str, policy: ClientPolicy, now: float) -> float:
        """When the bucket of a client is full again once it has sent one more request."""
        return max(self._full_at.get(seen_as(client), 0.0), now) + policy.gap

    def turned_away(self, client: str, policy: ClientPolicy, now: float) -> RefusedRequest | None:
        """Why a client that a proxy names may not ask; None where it may, which then counts."""
        if policy.watches(client, time()):
            try:
                self.admit(client, policy, now)
            except RefusedRequest as refused:
                return refused
        return None

    # -- room for requests in flight

    def enter(self, limits: Limits) -> bool:
        """Whether a request that has just begun may go on; if not it is to stand in line. Where the line is full
        RefusedRequest(503) is raised."""
        waiting = self.lines.length(IN_PROXY)
        if not waiting and self._inside() <= limits.in_flight:
            return True
        if waiting >= limits.queue:
            raise _full(limits)
        return False

    def has_room(self, limits: Limits) -> bool:
        """Whether there is room for one of those that stand in line."""
        return not limits.in_flight or self._inside() < limits.in_flight

    def _inside(self) -> int:
        """Requests that are worked on."""
        return len(self.recorder.live) - self.lines.length(IN_PROXY)


def _full(limits: Limits) -> RefusedRequest:
    why = f"{limits.in_flight} requests are worked on and the queue is full"
    return RefusedRequest(503, why, "in_flight", 1.0)


def too_many_connections(policy: ClientPolicy) -> RefusedRequest:
    """The refusal of a connection to a client that has as many as it may."""
    why = "the client has more connections open than client_connections"
    return RefusedRequest(429, why, "client_connections", policy.limits.idle_time)
