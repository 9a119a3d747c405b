"""The gate: who may not come in, who comes too often, and who has to wait because enough are inside.

Here is what is counted: connections by client, the rate of each client's requests, requests that wait for room, and
how often each limit was reached. A rate is a token bucket in the form of one number for each client, the time at
which its bucket will be full again (the generic cell rate algorithm of ATM); what lies in the past is forgotten.
No I/O and no timer. A site that bounds nothing pays a comparison or two for each request.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from time import monotonic, time
from typing import TYPE_CHECKING

from proxy_core.config.model import Limits
from proxy_core.http.hop_by_hop import RefusedRequest
from proxy_core.rules.access.networks import seen_as
from proxy_core.runtime.recorder import Recorder
from proxy_core.serve.client_policy import ClientPolicy

if TYPE_CHECKING:
    from proxy_core.serve.flight import Flight

_MOST = 100_000
"""Clients whose bucket is known, before those with a full one are forgotten."""


@dataclass(slots=True)
class Admission:
    """``reached`` counts by the name of the limit; ``waiting`` holds the requests for which there is no room."""

    recorder: Recorder
    reached: Counter[str] = field(default_factory=Counter)
    waiting: deque[Flight] = field(default_factory=deque)
    _connections: dict[str, int] = field(default_factory=dict)
    _full_at: dict[str, float] = field(default_factory=dict)
    _most: int = _MOST

    def opened(self, client: str, terms: ClientPolicy) -> bool:
        """A connection of this client is open, and to be ``closed``; whether it may stay."""
        name = seen_as(client)
        self._connections[name] = count = self._connections.get(name, 0) + 1
        most = terms.limits.client_connections
        return not most or count <= most or bool(terms.trusted.find(client))

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
        if refused is None and limits.in_flight and (self._inside() >= limits.in_flight or self.waiting):
            return _full(limits) if len(self.waiting) >= limits.queue else None
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

    # -- room for requests in flight

    def enter(self, flight: Flight, limits: Limits) -> bool:
        """Whether a request that has begun may go on. If not it waits, or there is no room to wait and Refused(503)
        is raised."""
        if self._inside() <= limits.in_flight and not self.waiting:
            return True
        if len(self.waiting) >= limits.queue:
            raise _full(limits)
        self.waiting.append(flight)
        return False

    def _inside(self) -> int:
        return len(self.recorder.live) - len(self.waiting)

    def leave(self, flight: Flight) -> None:
        """A request that waited gave up waiting."""
        self.waiting.remove(flight)

    def room(self) -> None:
        """A request is finished while others wait: the next ones go on. Not from the stack of the one before."""
        asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        while self.waiting:
            flight = self.waiting[0]
            most = flight.exchange.rules.site.limits.in_flight
            if most and len(self.recorder.live) - len(self.waiting) >= most:
                return
            self.waiting.popleft()
            try:
                flight.proceed()
            except Exception as error:
                flight.broke("going on with a request that waited", error)


def _full(limits: Limits) -> RefusedRequest:
    why = f"{limits.in_flight} requests are worked on and the queue is full"
    return RefusedRequest(503, why, "in_flight", 1.0)


def too_many_connections(policy: ClientPolicy) -> RefusedRequest:
    """The refusal of a connection to a client that has as many as it may."""
    why = "the client has more connections open than client_connections"
    return RefusedRequest(429, why, "client_connections", policy.limits.idle_time)
