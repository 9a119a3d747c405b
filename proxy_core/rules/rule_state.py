"""What is counted of one rule, whatever becomes of its rule set: a swap keeps it, an upgrade hands it on."""

from __future__ import annotations

from dataclasses import dataclass

RuleKey = tuple[str, str]
"""An ordered list and the id of a row in it: ("routes", "service")."""


@dataclass(slots=True, eq=False)
class RuleState:
    """Hits of one rule, kept in the registry by ``key``. The flight adds to it; deciding never does. ``last_hit`` is
    the epoch second of the last one, 0 for never."""

    key: RuleKey
    hits: int = 0
    last_hit: float = 0.0
