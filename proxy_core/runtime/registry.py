"""The registry: everything about members and rules that survives a swap.

State is found by identity, never by anything tunable: a member by (balancer, member), a rule by (list, id). Compiling
a site asks the registry for the state of each; what a new site no longer mentions is *retired*: kept while it is busy
and ten minutes longer, so that taking a removal back brings the numbers back too. A preview binds to a registry of
its own and so touches nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from msgspec import Struct, field

from proxy_core.balance.member_state import MemberKey, MemberState
from proxy_core.balance.slow_start import start_anew
from proxy_core.rules.rule_state import RuleKey, RuleState

KEEP_RETIRED = 600.0
"""Seconds that the state of a removed member or rule is kept."""

Key = TypeVar("Key")

Shares = tuple[str, tuple[tuple[str, int], ...]]
"""What a balancer's turns are worked out from: its method, and the factor of each member, 0 for those out of service.
"""


class Registry(Struct):
    """``retired_…`` hold the keys that the site in force does not mention, with the time (monotonic) they left it."""

    members: dict[MemberKey, MemberState] = field(default_factory=dict)
    rules: dict[RuleKey, RuleState] = field(default_factory=dict)
    shares: dict[str, Shares] = field(default_factory=dict)
    retired_members: dict[MemberKey, float] = field(default_factory=dict)
    retired_rules: dict[RuleKey, float] = field(default_factory=dict)

    def member(self, key: MemberKey) -> MemberState:
        return self.members.setdefault(key, MemberState(key))

    def rule(self, rows: str, row_id: str) -> RuleState:
        """The state of the row ``row_id`` of the ordered list ``rows`` ("routes")."""
        key = (rows, row_id)
        return self.rules.setdefault(key, RuleState(key))

    def adopt(self, members: set[MemberKey], rules: set[RuleKey], shares: dict[str, Shares], now: float) -> None:
        """A site with these members and rules is in force from now on.

        ``shares`` says for each balancer what its turns are worked out from (method and weights): where that changed,
        lbstatus and the bytes of bytraffic start anew, so that the new shares are right from the next request on;
        counters stay.
        """
        for key, state in self.members.items():
            if self.shares.get(key.balancer) != shares.get(key.balancer):
                start_anew(state)
        self.shares = shares
        _retire(self.retired_members, self.members, members, now)
        for key in self.retired_members:
            self.members[key].drain_at = self.members[key].drain_at or now
        _retire(self.retired_rules, self.rules, rules, now)

    def forget(self, now: float) -> None:
        """Drop what has been retired for long enough and is idle."""
        for key in [k for k, since in self.retired_members.items() if now - since > KEEP_RETIRED]:
            if not self.members[key].busy:
                del self.members[key], self.retired_members[key]
        for rule in [k for k, since in self.retired_rules.items() if now - since > KEEP_RETIRED]:
            del self.rules[rule], self.retired_rules[rule]


def _retire(retired: dict[Key, float], keys: Iterable[Key], in_force: set[Key], now: float) -> None:
    for key in keys:
        if key in in_force:
            retired.pop(key, None)
        else:
            retired.setdefault(key, now)
