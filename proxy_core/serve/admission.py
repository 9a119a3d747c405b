"""The gate: who may not come in, who comes too often, and who has to wait because enough are inside.

Here is what is counted: connections by client, the rate of each client's requests, requests that wait for room, and
how often each limit was reached. A rate is a token bucket in the form of one number for each client, the time at
which its bucket will be full again (the generic cell rate algorithm of ATM); what lies in the past is forgotten.
No I/O and no timer. A site that bounds nothing pays a comparison or two for each request.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import dataclass, field
from time import time
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

    # -- room for requests in flight

    def enter(self, flight: Flight, limits: Limits) -> bool:
        """Whether a request that has begun may go on. If not it waits, or there is no room to wait and Refused(503)
        is raised."""
        inside = len(self.recorder.live) - len(self.waiting)
        if inside <= limits.in_flight and not self.waiting:
            return True
        if len(self.waiting) >= limits.queue:
            raise RefusedRequest(
                503, f"{limits.in_flight} requests are worked on and the queue is full", "in_flight", 1.0
            )
        self.waiting.append(flight)
        return False

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
