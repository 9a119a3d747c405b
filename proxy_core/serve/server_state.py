"""What all connections of a server share: the rules in force, the recorder, connections to members, the lines in which
requests wait, the answers that rules ask for, and the log."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

from proxy_core.errors import Problem
from proxy_core.http.hop_by_hop import RefusedRequest
from proxy_core.runtime.exchange import Exchange
from proxy_core.runtime.fact_lookups import Outside
from proxy_core.runtime.recent_requests import Recorder
from proxy_core.runtime.rule_set import Current, RuleSet
from proxy_core.runtime.upstreams.connector import Upstreams
from proxy_core.serve.answer_cache import AnswerCache
from proxy_core.serve.client_limits import Admission
from proxy_core.serve.client_policy import ClientPolicy, client_policy
from proxy_core.serve.known_blocks import KnownBlocks
from proxy_core.serve.retries import RetryBudget
from proxy_core.serve.shadow_copies import Shadows
from proxy_core.serve.waiting_lines import Lines


@dataclass(slots=True)
class ServerState:
    """What a server has once."""

    current: Current
    """Holds the rules in force."""
    recorder: Recorder
    """Knows the requests that are in flight, and the last finished ones."""
    upstreams: Upstreams
    """Connections to members."""
    log: Callable[[Problem, Exception | None], None]
    """Is told of our own mistakes, and of what is worth a look."""
    outside: Outside
    """Has the answers that rules ask for."""
    cache: AnswerCache = field(default_factory=AnswerCache)
    """Answers that are kept."""
    most_clients: int = 1 << 19
    """Connections of clients at a time; more would leave no file descriptors for members."""
    lines: Lines = field(default_factory=Lines)
    """Requests that wait for room in the proxy, or for a member with a free place."""
    retries: RetryBudget = field(default_factory=RetryBudget)
    """What all requests together may still send again."""
    blocks: KnownBlocks = field(default_factory=KnownBlocks)
    """Blocks of fields that need not be read again under the rules in force."""
    admission: Admission = field(init=False)
    """Who may come in."""
    shadows: Shadows = field(init=False)
    """Copies of requests that are under way."""
    _rules: RuleSet | None = None
    """Whom ``_policies`` were worked out of."""
    _policies: dict[str, ClientPolicy] = field(default_factory=dict)
    """By listener; "" is the whole site's."""

    def __post_init__(self) -> None:
        self.admission = Admission(self.recorder, self.lines)
        self.shadows = Shadows(self.upstreams, self.outside, self.lines, self.log)

    def policy(self, rules: RuleSet, listener: str = "") -> ClientPolicy:
        """What these rules say about clients, and about those of a listener; worked out once for each RuleSet."""
        if rules is not self._rules:
            self._rules, self._policies = rules, {"": client_policy(rules.site)}
            self.blocks.forget()
        known = self._policies.get(listener)
        if known is None:
            known = self._policies[listener] = self._policies[""].through(rules.site.listeners.get(listener))
        return known

    def record(self, exchange: Exchange, now: float) -> None:
        """It is over. Where recording it fails a record is missing, and serving goes on."""
        try:
            self.recorder.finish(exchange, now)
        except Exception as error:
            self.crashed("recording a request", error)
            self.recorder.live.discard(exchange)

    def named(self, client: str, policy: ClientPolicy) -> RefusedRequest | None:
        """Why a client that a proxy in front names may not ask, None where it may. One that is named by no address ("")
        is told of, once, however many such requests come."""
        if not client and policy.naming is not None:
            header = policy.naming.header
            what = f"{header} of a proxy in front names clients by what is no address, so nobody knows who they are"
            todo = "let it write addresses; until then neither an ip or local condition nor its negation lets them in"
            self.log(Problem(what=what, todo=todo, severity="warning", address=("site", "client_header")), None)
        return self.admission.turned_away(client, policy, monotonic())

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
