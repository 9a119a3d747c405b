"""How a member stands, in one word: what every count of members counts, in the console, by ctl and for systemd.

What was configured comes before what was seen: who is taken out of service is neither up nor down. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from proxy_core.control.editing.changes import listed
from proxy_core.control.view import MemberLoad

Standing = Literal["up", "ill", "draining", "down", "out", "retired"]
NAMED = 8
"""Members that are named, of those that are not up."""


def standing(load: MemberLoad) -> Standing:
    """``ill`` serves worse than its peers; ``out`` is disabled or stopped, by intention."""
    if load.retired:
        return "retired"
    if load.status != "enabled":
        return "draining" if load.status == "draining" else "out"
    if not load.well:
        return "down"
    return "ill" if load.ill else "up"


def by_standing(loads: Iterable[MemberLoad]) -> dict[Standing, list[MemberLoad]]:
    """The members of each standing, in the order in which one speaks of them; retired ones are of the past."""
    found: dict[Standing, list[MemberLoad]] = {"up": [], "ill": [], "draining": [], "down": [], "out": []}
    for load in loads:
        if (word := standing(load)) in found:
            found[word].append(load)
    return found


def standings(loads: Iterable[MemberLoad]) -> str:
    """How many are up, and which are not: ``2 members up; 1 draining: shop/a; 1 down: shop/c``."""
    up, *others = by_standing(loads).items()
    words = [f"{len(up[1])} member{'s' * (len(up[1]) != 1)} up"]
    for word, found in others:
        names = listed([f"{load.balancer}/{load.member}" if load.balancer else load.member for load in found], NAMED)
        words += [f"{len(found)} {word}: {names}"] * bool(found)
    return "; ".join(words)
