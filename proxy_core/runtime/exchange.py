"""One request with its answer, from the first byte read to the last byte sent.

The phases have the same names here, in the code that moves an Exchange through them and in docs/life-of-a-request.md:
``received → decided → elected → sent → answered → finished``. An Exchange holds what was seen and decided; it does no
I/O. When it is finished it goes into the recorder's ring as it is, so a record is not copied together from it, and
explaining it later replays the very facts. Times are ``time.monotonic``; 0.0 means "never came to that".
"""

from __future__ import annotations

from dataclasses import dataclass

from proxy_core.balance.pool import BoundMember
from proxy_core.http.view import RequestView
from proxy_core.rules.decision import BoundRoute, Extras
from proxy_core.rules.facts import NOTHING, Facts
from proxy_core.runtime.rule_set import RuleSet

CLIENT_LEFT = 499
"""Status in the record of a request whose client left before the answer (nginx's code; never sent)."""


@dataclass(slots=True, eq=False)
class Exchange:
    """A request and its answer, as far as they have come."""

    rules: RuleSet
    """The rule set that the request keeps to its end."""
    view: RequestView
    """The request as rules see it."""
    head: bytes
    """The request's head as it came."""
    version: str
    """The client's HTTP version: "1.1" or "1.0"."""
    at: float
    """Epoch seconds when the head was there, for people."""
    started: float
    """When the head was there."""
    route: BoundRoute | None = None
    """The route that took it."""
    member: BoundMember | None = None
    """The member that has it, or had it last."""
    forwarded: bytes = b""
    """The head that was written upstream."""
    answer: bytes = b""
    """The head that was read from upstream."""
    status: int = 0
    """The status that the client got, or CLIENT_LEFT; 0 for none yet."""
    attempts: int = 0
    """How many members were elected for it."""
    retries: int = 0
    """How often it was sent again because a connection broke."""
    session: str = ""
    """The route that its session names; "" for none."""
    queued: float = 0.0
    """Seconds that it waited for a member with a free place."""
    received: int = 0
    """Body bytes from the client."""
    sent: int = 0
    """Body bytes to the client."""
    connected: float = 0.0
    """When its head went to a member."""
    answered: float = 0.0
    """When the head of the final answer was there."""
    finished: float = 0.0
    """When it was over."""
    cause: str = ""
    """What went wrong, in words; "" for nothing."""
    replaced: int = 0
    """The status that the site gave a page of its own for; 0 for none."""
    number: int = 0
    """Its place among all finished ones, from 1; 0 while it is not finished."""
    weight: int = 0
    """About what it holds in memory, in bytes."""
    facts: Facts = NOTHING
    """The answers that its rules asked for."""
    extras: Extras | None = None
    """What its rules left for it: variables and the like."""
    notes: dict[str, str] | None = None
    """What header rules noted."""
