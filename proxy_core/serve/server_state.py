"""What all connections of a server share: the rules in force, the recorder, connections to members, the lines in which
requests wait, the answers that rules ask for, and the log."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from proxy_core.errors import Problem
from proxy_core.runtime.exchange import Exchange
from proxy_core.runtime.fact_lookups import Outside
from proxy_core.runtime.recorder import Recorder
from proxy_core.runtime.rule_set import Current, RuleSet
from proxy_core.runtime.upstreams.connector import Upstreams
from proxy_core.serve import fixed_bounds
from proxy_core.serve.admission import Admission
from proxy_core.serve.client_policy import ClientPolicy, client_policy
from proxy_core.serve.member_lines import MemberLines

if TYPE_CHECKING:
    from proxy_core.serve.client_connection import ClientConnection


@dataclass(slots=True)
class ServerState:
    """``clients`` holds every open connection, for the sweep over deadlines, and never more than ``most_clients``; more
    would leave no file descriptors for members. ``waiting`` holds the requests that wait for a member with a free
    place. ``retries`` is how many requests may be sent again before new ones have earned more."""

    current: Current
    recorder: Recorder
    upstreams: Upstreams
    log: Callable[[Problem, Exception], None]
    outside: Outside
    most_clients: int = 1 << 19
    clients: set[ClientConnection] = field(default_factory=set)
    waiting: MemberLines = field(default_factory=MemberLines)
    retries: float = fixed_bounds.RETRY_CREDIT
    gate: Admission = field(init=False)
    _rules: RuleSet | None = None
    _terms: dict[str, ClientPolicy] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.gate = Admission(self.recorder)

    def terms(self, rules: RuleSet, listener: str = "") -> ClientPolicy:
        """What these rules say about clients, and about those of a listener; worked out once for each RuleSet."""
        if rules is not self._rules:
            self._rules, self._terms = rules, {"": client_policy(rules.site)}
        known = self._terms.get(listener)
        if known is None:
            known = self._terms[listener] = self._terms[""].through(rules.site.listeners.get(listener))
        return known

    def may_retry(self) -> bool:
        """Whether the budget still allows sending a request again: trouble upstream must not multiply the load."""
        if self.retries < 1:
            return False
        self.retries -= 1
        return True

    def record(self, exchange: Exchange, now: float) -> None:
        """It is over. Where recording it fails a record is missing, and serving goes on."""
        try:
            self.recorder.finish(exchange, now)
        except Exception as error:
            self.crashed("recording a request", error)
            self.recorder.live.discard(exchange)

    def crashed(self, where: str, error: Exception) -> None:
        """A mistake of ours: the request is answered with 500, the trace goes to ``log``, and serving goes on."""
        last = traceback.extract_tb(error.__traceback__)[-1]
        self.log(
            Problem(
                what=f"{where} failed: {type(error).__name__}: {error} ({last.filename}:{last.lineno})",
                todo="the request was answered with 500; please report this",
            ),
            error,
        )
