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
    """``head`` is the request's head as it came; ``forwarded`` and ``answer`` are the heads that were written upstream
    and read from upstream (b"" where it did not come to that). ``sent`` and ``received`` count body bytes to and from
    the client. ``attempts`` counts members that got it, ``retries`` how often it was sent again because a connection
    broke, ``queued`` the seconds it waited for a member with a free place; ``session`` is the route that it names.
    ``facts`` are the answers that its rules asked for, ``extras`` what they left for it, ``notes`` what header rules
    noted. ``cause`` says in words what went wrong; ``replaced`` is the status that the site gave a page of its own for;
    ``weight`` is about what it holds in memory, in bytes."""

    rules: RuleSet
    view: RequestView
    head: bytes
    version: str
    at: float
    started: float
    route: BoundRoute | None = None
    member: BoundMember | None = None
    forwarded: bytes = b""
    answer: bytes = b""
    status: int = 0
    attempts: int = 0
    retries: int = 0
    session: str = ""
    queued: float = 0.0
    received: int = 0
    sent: int = 0
    connected: float = 0.0
    answered: float = 0.0
    finished: float = 0.0
    cause: str = ""
    replaced: int = 0
    number: int = 0
    weight: int = 0
    facts: Facts = NOTHING
    extras: Extras | None = None
    notes: dict[str, str] | None = None
