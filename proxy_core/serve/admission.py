"""The gate: who may not come in, who comes too often, and who has to wait because enough are inside.

Here is what is counted: connections by client, the rate of each client's requests, requests that wait for room, and
how often each limit was reached. A rate is a token bucket in the form of one number for each client, the time at
which its bucket will be full again (the generic cell rate algorithm of ATM); what lies in the past is forgotten.
No I/O and no timer. A site that bounds nothing pays a comparison or two for each request.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from time import time

from proxy_core.config.model import Limits
from proxy_core.http.hop_by_hop import RefusedRequest
from proxy_core.rules.access.networks import seen_as
from proxy_core.runtime.recorder import Recorder
from proxy_core.serve.client_policy import ClientPolicy
from proxy_core.serve.lines import IN_PROXY, Lines

_MOST = 100_000
"""Clients whose bucket is known, before those with a full one are forgotten."""


@dataclass(slots=True)
class Admission:
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

    def admit(self, client: str, terms: ClientPolicy, now: float) -> None:
        """A request of a client that ``terms`` watch. Raises Refused with 403 or, when it comes too soon, 429."""
        why = terms.kept_out.find(client, time())
        if why:
            raise RefusedRequest(403, why, "deny")
        if not terms.gap or terms.trusted.find(client):
            return
        name, known = seen_as(client), self._full_at
        if len(known) > self._most:
            self._full_at = known = {name: at for name, at in known.items() if at > now}
            self._most = max(_MOST, 2 * len(known))  # or a crowd would have all of it gone through for each of them
        full_at = max(known.get(name, 0.0), now) + terms.gap
        early = full_at - now - terms.limits.client_burst * terms.gap
        if early > 1e-6:
            raise RefusedRequest(429, "the client sends requests faster than client_rate", "client_rate", early)
        known[name] = full_at

    def turned_away(self, client: str, terms: ClientPolicy, now: float) -> RefusedRequest | None:
        """Why a client that a proxy names may not ask; None where it may."""
        if terms.watches(client, time()):
            try:
                self.admit(client, terms, now)
            except RefusedRequest as refused:
                return refused
        return None

    # -- room for requests in flight

    def enter(self, limits: Limits) -> bool:
        """Whether a request that has just begun may go on; if not it is to stand in line. Where the line is full
        RefusedRequest(503) is raised."""
        waiting = self.lines.length(IN_PROXY)
        if not waiting and len(self.recorder.live) <= limits.in_flight:
            return True
        if waiting >= limits.queue:
            why = f"{limits.in_flight} requests are worked on and the queue is full"
            raise RefusedRequest(503, why, "in_flight", 1.0)
        return False

    def has_room(self, limits: Limits) -> bool:
        """Whether there is room for one of those that stand in line."""
        return not limits.in_flight or len(self.recorder.live) - self.lines.length(IN_PROXY) < limits.in_flight
