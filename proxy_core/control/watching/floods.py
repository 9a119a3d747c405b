"""What goes on and off is told a few times, and then once a minute what it came to.

A member that flaps, a name that comes and goes, a library that complains at each connection: of each only the first
events of a minute are lines. When the minute is over, the last that was kept back is told, with how many there were:
so nothing floods the log, and its last line about a thing says how that is now. What limits do is summed elsewhere
(``events.reached``). Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from msgspec.structs import replace

from proxy_core.control.watching.events import Event, Level

MINUTE = 60.0
MOST = 6
"""Events about one thing that are told within a minute."""
_WORSE: tuple[Level, ...] = ("info", "warning", "error")


class Spell(NamedTuple):
    """A minute with events about one thing."""

    since: float
    """When it began, in seconds since the epoch."""
    told: int = 1
    """How many of its events are told."""
    kept: int = 0
    """How many were kept back."""
    last: Event | None = None
    """The last of these, with the worst level of them."""


Spells = Mapping[str, Spell]


def thinned(spells: Spells, found: Iterable[Event], now: float) -> tuple[list[Event], Spells]:
    """What is told of these events, and the minutes that are under way; ``now`` in seconds since the epoch."""
    left = dict(spells)
    told: list[Event] = []
    for about, spell in spells.items():
        if now - spell.since >= MINUTE or now < spell.since:
            del left[about]
            if spell.last is not None:
                told.append(_summed(spell, now))
                left[about] = Spell(now, told=MOST)  # it has not come to rest: one line a minute, until it has
    for event in found:
        known = left.get(event.about) if event.about else None
        if known is not None and known.told >= MOST:
            left[event.about] = known._replace(kept=known.kept + 1, last=_worst(event, known.last))
            continue
        told.append(event)
        if event.about:
            left[event.about] = Spell(now) if known is None else known._replace(told=known.told + 1)
    return told, left


def _worst(event: Event, before: Event | None) -> Event:
    levels = (event.level, before.level) if before is not None else (event.level,)
    return replace(event, level=max(levels, key=_WORSE.index))


def _summed(spell: Spell, now: float) -> Event:
    assert spell.last is not None
    text = f"{spell.last.text} ({spell.kept} more like this in {now - spell.since:.0f} s)"
    return replace(spell.last, text=text, facts={**spell.last.facts, "count": spell.kept})
