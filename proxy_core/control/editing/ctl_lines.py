"""Generations told as the lines of ``rproxy ctl`` that do the same, worked out from what they changed. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from proxy_core.config.editing.site_edits import Unusable
from proxy_core.config.reading.toml_syntax import values
from proxy_core.control.editing.commands import Change
from proxy_core.control.editing.ctl_words import line
from proxy_core.control.editing.history import HistoryEntry
from proxy_core.control.editing.revert import reverting

MOST = 50
"""Generations that are told, the newest."""


def retold(entries: Sequence[HistoryEntry], since: float) -> dict[int, str]:
    """By number, the line of each generation from ``since`` (epoch seconds) on that changed the site file."""
    found: dict[int, str] = {}
    newest = sum(each.at >= since for each in entries[-MOST:])
    kept = [(each, values(each.text).data) for each in entries[-newest - 1 :]]
    for (before, was), (after, now) in pairwise(kept):
        if before.text and after.text and before.text != after.text:
            try:
                edits = reverting(now, was, was)
            except Unusable:
                continue
            if edits:
                found[after.number] = line(Change(edits=edits, sentence=after.sentence))
    return found
