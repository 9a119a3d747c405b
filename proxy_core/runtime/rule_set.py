"""The rule set in force.

``Current.rules`` is the only mutable pointer that the data path reads, once for each request; a request keeps the
RuleSet that it started with. A RuleSet is immutable but for the states it points at, and whatever can fail has
happened before it is assigned here.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from proxy_core.balance.pool import Pool
from proxy_core.config.model import Site
from proxy_core.rules.program import Program


class RuleSet(Struct, frozen=True):
    """A compiled site: ``program`` says where a request goes, ``pools`` holds who can take it there."""

    generation: int
    site: Site
    program: Program
    pools: Mapping[str, Pool]


class Current(Struct):
    """Holder of the pointer. ``rules = new`` is the swap."""

    rules: RuleSet
