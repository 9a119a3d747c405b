"""The rules of generations that are no longer in force, made anew from what the journal keeps of them.

For questions about what came under them; nothing is ever served by these. They are compiled in a thread, since a large
site takes longer than the loop may stand still, with states of their own, so that nothing in force is touched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from proxy_core.config.reading.document import parse
from proxy_core.control.editing.history import HistoryEntry
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.registry import Registry
from proxy_core.runtime.rule_set import RuleSet

KEPT = 4
"""Rule sets that stay for the next question."""


class PastRules:
    """``find`` gives what the journal has of a generation, None for nothing."""

    def __init__(self, find: Callable[[int], HistoryEntry | None]) -> None:
        self._find = find
        self._made: dict[int, tuple[str, RuleSet]] = {}
        """By number, with the text that they are of: a generation may be amended."""

    async def of(self, number: int) -> RuleSet:
        """The rules of a generation. Raises ValueError, worded for people, where they cannot be had."""
        entry = self._find(number)
        if entry is None:
            raise ValueError(f"generation {number} is not in the journal; rproxy ctl history lists those that are")
        text, rules = self._made.pop(number, ("", None))
        if rules is None or text != entry.text:
            rules = await asyncio.to_thread(_made, entry)
        self._made[number] = entry.text, rules
        for oldest in [*self._made][:-KEPT]:
            del self._made[oldest]
        return rules


def _made(entry: HistoryEntry) -> RuleSet:
    site = parse(entry.text).site
    if site is None:
        raise ValueError(f"the site file of generation {entry.number} is not understood by this version")
    return compile_site(site, Registry(), entry.number)
