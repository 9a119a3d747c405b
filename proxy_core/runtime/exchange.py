"""One request with its answer, from the first byte read to the last byte sent.

The phases have the same names here, in the code that moves an Exchange through them and in docs/life-of-a-request.md:
``received → decided → elected → sent → answered → finished``. An Exchange holds what was seen and decided; it does no
I/O. When it is finished it goes into the recorder's ring as it is, so a record is not copied together from it, and
explaining it later replays the very facts. Times are ``time.monotonic``; 0.0 means "never came to that".
"""

from __future__ import annotations

from dataclasses import dataclass

from proxy_core.balance.pool import BoundMember
from proxy_core.http.request_view import RequestView
from proxy_core.rules.decision import BoundRoute, Extras
from proxy_core.rules.facts import NOTHING, Facts
from proxy_core.rules.host_rules import HostRules
from proxy_core.rules.rule_state import RuleState
from proxy_core.runtime.rule_set import RuleSet

CLIENT_LEFT = 499
"""Status in the record of a request whose client left before the answer (nginx's code; never sent)."""


@dataclass(slots=True, eq=False)
class Exchange:
    """A request on its way, and what is left of it."""

    rules: RuleSet
    """The rule set that it keeps to its end."""
    view: RequestView
    """What rules know of it."""
    head: bytes
    """Its head as it came."""
    version: str
    """The version of the client's message: "1.1", "1.0", "" for one that was refused unread."""
    at: float
    """When it came, in seconds of the epoch."""
    started: float
    """When it came, monotonic."""
    host: HostRules | None = None
    """The rules of the host that it is for, None before it is decided."""
    route: BoundRoute | None = None
    """The row that decided, None where it is no row."""
    member: BoundMember | None = None
    """The member that has it, or had it last."""
    forwarded: bytes = b""
    """The head that was written upstream, b"" for none."""
    answer: bytes = b""
    """The head that was read from upstream, b"" for none."""
    status: int = 0
    """The status that the client got; CLIENT_LEFT where it got none."""
    cut: int = 0
    """The status of what cut the answer after it had begun, 0 for nothing."""
    attempts: int = 0
    """The members that it was given to."""
    retries: int = 0
    """How often it was sent again because a connection broke."""
    session: str = ""
    """The route that its session names."""
    queued: float = 0.0
    """Seconds that it waited for a member with a free place."""
    received: int = 0
    """Bytes of its body, from the client."""
    sent: int = 0
    """Bytes of the answer's body, to the client."""
    connected: float = 0.0
    """When there was a connection to the member."""
    answered: float = 0.0
    """When the head of the answer was there."""
    finished: float = 0.0
    """When it was over."""
    cause: str = ""
    """In words what went wrong, "" for nothing."""
    cache: str = ""
    """How the cache served it: hit, stale, revalidated, collapsed, miss, bypass; "" where its route has none."""
    age: int = 0
    """Seconds that a kept answer was old that it got."""
    limit: str = ""
    """The limit that turned it away, "" for none."""
    replaced: int = 0
    """The status that the site gave a page of its own for, 0 for none."""
    number: int = 0
    """Its number in the ring, from 1 on."""
    weight: int = 0
    """About what it holds in memory, in bytes."""
    facts: Facts = NOTHING
    """The answers that its rules asked for."""
    extras: Extras | None = None
    """What its rules left for it besides where it goes."""
    notes: dict[str, str] | None = None
    """What header rules noted of it, None where none was asked."""

    @property
    def host_rules(self) -> HostRules:
        """The rules of its host, also where it was refused before it was decided."""
        return self.host or self.rules.program.host_of(self.view)

    @property
    def rule(self) -> RuleState | None:
        """The rewrite rule that decided it; else the last that matched, None for none. Rows that are no rules leave
        hits as well: an exception to a route."""
        route, extras = self.route, self.extras
        if route is not None and route.rows == "rewrites":
            return route.state
        if extras is None or not extras.hits:
            return None
        return next((state for state in reversed(extras.hits) if state.key[0] == "rewrites"), None)
