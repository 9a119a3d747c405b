"""Who takes the requests that belong to no session, and the share that each gets.

The rules are httpd's (``ap_proxy_balancer_get_best_worker`` in proxy_util.c): the lowest lbset that has anybody; in it
the regular members and a spare for each regular one that is out, or else the standbys. Each gets a share in proportion
to its weight (mod_lbmethod_byrequests). Who is *able* to take requests is for the caller to say, so that the same
rules choose a member, show what the weights promise, and forecast what a change would do. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

from proxy_core.config.model import MemberRole, MemberStatus


class Configured(Protocol):
    """A member as far as its configuration decides what it gets: one in force, or one as it would be."""

    @property
    def weight(self) -> float: ...
    @property
    def status(self) -> MemberStatus: ...
    @property
    def role(self) -> MemberRole: ...
    @property
    def lbset(self) -> int: ...


ROLES: tuple[MemberRole, ...] = ("regular", "spare", "standby")
M = TypeVar("M", bound=Configured)
Able = Callable[[Sequence[M]], list[M]]
"""Of the given members, those that can take requests now, in the same order."""


class LbSet(NamedTuple, Generic[M]):
    """The members of one lbset that the configuration lets take requests of no session, in configured order."""

    regular: tuple[M, ...]
    spares: tuple[M, ...]
    standbys: tuple[M, ...]
    missing: int
    """How many regular ones the configuration keeps out; a spare may stand in for each."""


def serves(member: Configured) -> bool:
    """Whether its configuration lets a member take new requests, whatever its condition."""
    return member.status == "enabled" and member.weight > 0


def takes_sessions(member: Configured) -> bool:
    """Whether its configuration lets a member take requests of its own sessions."""
    return member.status in ("enabled", "draining")


def lbfactor(weight: float) -> int:
    """Apache's lbfactor: a hundred times the weight, and at least 1 for a weight above 0."""
    return max(int(weight * 100), int(weight > 0))


def lbsets(members: Iterable[M]) -> tuple[LbSet[M], ...]:
    """The sets that have anybody, lowest first. A member of weight 0 is neither there nor missing."""
    by_set: dict[int, list[M]] = {}
    for member in members:
        by_set.setdefault(member.lbset, []).append(member)
    found = []
    for _, mine in sorted(by_set.items()):
        serving = [member for member in mine if serves(member)]
        if serving:
            missing = sum(member.role == "regular" and member.status != "enabled" for member in mine)
            regular, spares, standbys = (tuple(m for m in serving if m.role == role) for role in ROLES)
            found.append(LbSet(regular, spares, standbys, missing))
    return tuple(found)


def takers(lbset: LbSet[M], able: Able[M] = list) -> list[M]:
    """Who of a set takes requests; the spares stand at the end."""
    taking = able(lbset.regular)
    out = lbset.missing + len(lbset.regular) - len(taking)
    if out and lbset.spares:
        taking += able(lbset.spares)[:out]
    return taking or able(lbset.standbys)


def shares(sets: Iterable[LbSet[M]], able: Able[M] = list) -> list[tuple[M, float]]:
    """Who takes requests, each with its fraction of them; the others get none. Without ``able``: what the weights
    promise while nobody is ill."""
    taking = next(filter(None, (takers(lbset, able) for lbset in sets)), [])
    total = sum(lbfactor(member.weight) for member in taking)
    return [(member, lbfactor(member.weight) / total) for member in taking]
