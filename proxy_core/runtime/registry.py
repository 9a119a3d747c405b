"""The registry: everything about members and rules that survives a swap.

State is found by identity, never by anything tunable: a member by (balancer, member), a rule by (list, id). Compiling
a site asks the registry for the state of each; what a new site no longer mentions is *retired*: kept while it is busy
and ten minutes longer, so that taking a removal back brings the numbers back too. A preview binds to a registry of
its own and so touches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from proxy_core.balance.state import MemberKey, MemberState
from proxy_core.rules.decision import RuleState

KEEP_RETIRED = 600.0
"""Seconds that the state of a removed member or rule is kept."""


@dataclass(slots=True)
class Registry:
    """``retired`` holds the keys that the site in force does not mention, with the time (monotonic) they left it."""

    members: dict[MemberKey, MemberState] = field(default_factory=dict)
    rules: dict[tuple[str, str], RuleState] = field(default_factory=dict)
    shares: dict[str, object] = field(default_factory=dict)
    retired: dict[MemberKey | tuple[str, str], float] = field(default_factory=dict)

    def member(self, key: MemberKey) -> MemberState:
        return self.members.setdefault(key, MemberState(key))

    def rule(self, rows: str, row_id: str) -> RuleState:
        """The state of the row ``row_id`` of the ordered list ``rows`` ("routes")."""
        return self.rules.setdefault((rows, row_id), RuleState())

    def adopt(
        self, members: set[MemberKey], rules: set[tuple[str, str]], shares: dict[str, object], now: float
    ) -> None:
        """A site with these members and rules is in force from now on.

        ``shares`` says for each balancer what its turns are worked out from (method and weights): where that changed,
        lbstatus starts anew, so that the new shares are right from the next request on; counters stay.
        """
        for key, state in self.members.items():
            if self.shares.get(key.balancer) != shares.get(key.balancer):
                state.lbstatus = 0
        self.shares = shares
        in_force: set[MemberKey | tuple[str, str]] = {*members, *rules}
        for known in (*self.members, *self.rules):
            if known in in_force:
                self.retired.pop(known, None)
            else:
                self.retired.setdefault(known, now)

    def forget(self, now: float) -> None:
        """Drop what has been retired for long enough and is idle."""
        for key, since in list(self.retired.items()):
            if now - since < KEEP_RETIRED:
                continue
            if isinstance(key, MemberKey):
                if self.members[key].busy:
                    continue
                del self.members[key]
            else:
                del self.rules[key]
            del self.retired[key]
