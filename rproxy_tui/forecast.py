"""What a change of members would do before it is done: who carries whose requests then.

All of it is pure: members as they are, or as they would be (``supposing``), become shares by the rules that the proxy
itself goes by (``balance.shares``), and shares become sentences. Two shares are told apart. What the weights *promise*
goes by the configuration alone; who *carries* the requests goes by the condition too, because a drain must not count
on a member that is down.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from proxy_core.balance.shares import Able, lbsets, shares
from proxy_core.control.editing.changes import listed as listed
from proxy_core.control.view import MemberLoad
from rproxy_tui import words

Shares = Mapping[str, float]
"""Fraction of a balancer's requests by member."""


def supposing(members: Iterable[MemberLoad], names: Collection[str], **fields: Any) -> list[MemberLoad]:
    """The members, with these fields of the named ones as they would be."""
    return [replace(load, **fields) if load.member in names else load for load in members]


def promised(members: Sequence[MemberLoad]) -> dict[str, float]:
    """The fraction of one balancer's requests that the weights promise each member that stays in the site."""
    return _shares(members, list)


def carried(members: Sequence[MemberLoad]) -> dict[str, float]:
    """As ``promised``, without those that are down. Where all are, their condition decides nothing: as promised."""
    well = _shares(members, lambda loads: [load for load in loads if load.well])
    return well if any(well.values()) else promised(members)


def _shares(members: Sequence[MemberLoad], able: Able[MemberLoad]) -> dict[str, float]:
    stay = [load for load in members if not load.retired]
    got = {load.member: share for load, share in shares(lbsets(stay), able)}
    return {load.member: got.get(load.member, 0.0) for load in stay}


def shifts(before: Shares, after: Shares, first: Collection[str] = (), most: int = 4) -> str:
    """Whose share changes and how: ``b 38% → 57%, c 24% → 36%``. ``first`` stand first, then the largest changes; at
    most ``most`` are spelled out."""
    moved = [
        (
            name not in first,
            round(-abs(after[name] - share), 3),
            f"{name} {words.percent(share)} → {words.percent(after[name])}",
        )
        for name, share in before.items()
        if name in after and words.percent(share) != words.percent(after[name])
    ]
    changes = [change for *_, change in sorted(moved, key=lambda each: each[:2])]
    more = [f"and {len(changes) - most} more"] if len(changes) > most else []
    return ", ".join(changes[:most] + more)


def handover(members: Sequence[MemberLoad], names: Collection[str], **fields: Any) -> str:
    """What becomes of the requests of some members when they get no new ones, as sentences. ``fields`` are what would
    change of them."""
    busy = sum(load.busy for load in members if load.member in names)
    before, after = carried(members), carried(supposing(members, names, **fields))
    flight = f"{words.count(busy)} in flight will finish." if busy else "Nothing is in flight."
    if not any(before.get(name) for name in names):
        return f"{flight} {'It takes' if len(names) == 1 else 'They take'} no requests now, so no share changes."
    others = [name for name, share in after.items() if share and name not in names]
    if not others:
        return f"{flight} No other member can take {'its' if len(names) == 1 else 'their'} requests: they will get 503."
    if len(others) == 1:
        (other,) = others
        outcome = f"{flight} {other} goes from {words.percent(before[other])} to {words.percent(after[other])}."
    else:
        outcome = f"{flight} The others go: {shifts({name: before[name] for name in others}, after)}."
    down = [load.member for load in members if load.status == "enabled" and load.weight and not load.well]
    missed = [name for name in down if name not in names and not after.get(name)]
    return f"{outcome} {listed(missed)} {'is' if len(missed) == 1 else 'are'} down." if missed else outcome
