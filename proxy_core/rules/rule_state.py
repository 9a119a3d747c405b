"""What is counted of one rule, whatever becomes of its rule set: a swap keeps it, an upgrade hands it on."""

from __future__ import annotations

from msgspec import Struct

RuleKey = tuple[str, str]
"""An ordered list and the id of a row in it: ("routes", "service")."""


class RuleState(Struct, eq=False):
    """Hits of one rule, kept in the registry by ``key``. The flight adds to it; deciding never does. ``last_hit`` is
    the epoch second of the last one, 0 for never."""

    key: RuleKey
    hits: int = 0
    last_hit: float = 0.0
