"""The two ways to a decision of a host that are shorter than the whole one, and come to the same.

Most targets begin with nothing that a rule is about: routes alone tell where they go (``straight``). Of the others many
come again, and are alike in all that rules read of a request (``inputs``): what was decided is remembered (``memory``).
What neither holds for goes the whole way (``HostRules.decided``). Nothing is decided here, and nothing is counted but
what the memory goes by.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import InitVar, dataclass, field
from typing import Literal

from proxy_core.http.request_view import RequestView
from proxy_core.http.target import Reading
from proxy_core.rules.decision import Decision
from proxy_core.rules.facts import Facts, Need
from proxy_core.rules.inputs import Inputs, size
from proxy_core.rules.memory import EveryInput, Memo, Memory
from proxy_core.rules.routing.route_table import RouteTable
from proxy_core.rules.routing.straight import Beginnings, straight


@dataclass(slots=True, eq=False)
class Shortcuts:
    """The short ways of one host."""

    tables: tuple[RouteTable, ...]
    """The host's route tables."""
    reading: Reading
    """How paths are read."""
    begun: Beginnings | None
    """What paths begin with that rules may take; None where one may take any, or other rows look at a request."""
    inputs: Inputs | None
    """What rules read of a request; None where that cannot be told."""
    memory: InitVar[Memory]
    """What the whole rule set remembers."""
    targets: Memo[bytes, Decision | Literal[False]] = field(init=False)
    """Of it, what is remembered by targets."""
    decisions: Memo[EveryInput, Decision] = field(init=False)
    """Of it, what is remembered by all that rules read."""
    by_target: dict[bytes, Decision | Literal[False]] = field(init=False)
    """What targets come to that no rule takes; False for those that need more."""
    by_inputs: dict[EveryInput, Decision] = field(init=False)
    """What requests come to, by all that rules read of them."""

    def __post_init__(self, memory: Memory) -> None:
        self.targets, self.decisions = memory.targets, memory.decisions
        self.by_target, self.by_inputs = memory.targets.table(), memory.decisions.table()

    def decide(self, view: RequestView, facts: Facts, whole: Callable[[RequestView, Facts], Decision]) -> Decision:
        """What the whole way comes to, for a target of which ``by_target`` has no decision. The request has no
        variables yet, which any row may read."""
        if self.begun is not None and view.target not in self.by_target:
            found: Decision | Literal[False] = straight(view.target, self.begun, self.tables, self.reading) or False
            if self.targets.pays():
                self.targets.keep(self.by_target, view.target, found, len(view.target))
            if found:
                return found
        decisions = self.decisions
        key = self.inputs.key(view) if self.inputs is not None and decisions.pays() else None
        if key is None:
            return whole(view, facts)
        known = self.by_inputs.get(key)
        if known is not None:
            decisions.hits += 1
            return known
        made = whole(view, facts)
        if not facts.answers and not isinstance(made, Need):  # a fact may be another one the next time
            decisions.keep(self.by_inputs, key, made, size(key, made))
        return made
