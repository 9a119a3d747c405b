"""The two tables of the Maps page: the maps, and the entries of one of them.

An entry that is never reached, because a line above has the same key, stays in sight and says which line wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from proxy_core.runtime.maps.source import MapState
from proxy_core.runtime.maps.text_file import MapRow
from rproxy_tui import words
from rproxy_tui.widgets.table import Column


class ShownMap(NamedTuple):
    state: MapState
    marked: bool
    changed: str


class ShownEntry(NamedTuple):
    """A line of a map. ``above`` is the line that is found instead of it, 0 for none."""

    row: MapRow
    above: int


def _health(row: ShownMap, _: int) -> tuple[tuple[str, str], ...]:
    if row.state.fault:
        return (("▲ fault", "error"),)
    return (("● ok", "good"),)


def _number(number: int) -> tuple[tuple[str, str], ...]:
    return ((words.count(number), "" if number else "muted"),)


MAPS: tuple[Column[ShownMap], ...] = (
    Column("", 1, lambda row, _: (("›" if row.marked else " ", "accent"),), priority=1),
    Column("map", 10, lambda row, w: ((words.clip(row.state.name, w), ""),), grow=2, most=30),
    Column("state", 7, _health),
    Column("type", 7, lambda row, _: ((row.state.type, ""),)),
    Column("reads", 12, lambda row, w: ((words.middle(words.printable(row.state.reads), w), "muted"),), priority=3,
           grow=3, most=60),
    Column("entries", 7, lambda row, _: ((words.count(row.state.entries) if row.state.entries >= 0 else words.NOTHING,
                                          "" if row.state.entries >= 0 else "muted"),), priority=2, right=True),
    Column("hits", 6, lambda row, _: _number(row.state.hits), right=True),
    Column("misses", 6, lambda row, _: _number(row.state.misses), right=True),
    Column("errors", 6, lambda row, _: ((words.count(row.state.errors), "error" if row.state.errors else "muted"),),
           right=True),
    Column("changed", 14, lambda row, w: ((words.clip(row.changed, w), "muted"),), priority=4, right=True),
)  # fmt: skip

ENTRIES: tuple[Column[ShownEntry], ...] = (
    Column("line", 5, lambda row, _: ((str(row.row.line or ""), "muted"),), priority=2, right=True),
    Column("key", 12, lambda row, w: ((words.middle(words.printable(row.row.key), w), _faint(row)),), grow=2, most=40),
    Column(
        "value", 16, lambda row, w: ((words.clip(words.printable(row.row.value), w), _faint(row)),), grow=4, most=80
    ),
    Column("", 16, lambda row, w: ((f"▲ line {row.above} wins" if row.above else "", "warning"),), priority=1),
)


def _faint(row: ShownEntry) -> str:
    return "muted" if row.above else ""


def entries(rows: Sequence[MapRow]) -> dict[str, ShownEntry]:
    """The lines of a map by their key; those that are never reached under a name that no key can have."""
    found: dict[str, ShownEntry] = {}
    for row in rows:
        first = found.get(row.key)
        if first is None:
            found[row.key] = ShownEntry(row, 0)
        else:
            found[f"{row.key} {row.line}"] = ShownEntry(row, first.row.line)
    return found
