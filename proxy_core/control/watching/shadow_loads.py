"""What the copies of requests have shown, as plain data for people. Read, never written; secrets are masked here."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from proxy_core.config.model import Site
from proxy_core.rules.decision import Shadow
from proxy_core.runtime.rule_set import RuleSet
from proxy_core.runtime.shadow_comparison import DifferenceGroup, ShadowKey, ShadowTally
from proxy_core.secret_values import MASK, SECRET_FIELDS, is_secret, masked


class ShadowGroup(Struct, frozen=True, kw_only=True):
    """Differences of one kind on paths of one shape."""

    shape: str
    """Method and path with what names one thing taken out ("GET /item/{n}"); "…" for the rest."""
    kind: str
    """status, length, body, no answer, or the name of a field."""
    count: int
    """How many there were."""
    at: float
    """When the request of the last one came, in seconds since the epoch."""
    real: str
    """What the real answer said then; of a body its digest."""
    copy: str
    """What the other said, or why there was none."""
    record: int
    """Number of that request among the finished ones."""


class ShadowLoad(Struct, frozen=True, kw_only=True):
    """The copies of one route since they go to its shadow."""

    route: str
    """The id of its row."""
    pool: str
    """The balancer, or the origin, that they go to."""
    share: float
    """The part of the safe requests that is copied, 0 to 1."""
    in_flight: int
    """Copies that are under way."""
    requests: int
    """Copies that are over."""
    same: int
    """Those that were answered as the real request was."""
    dropped: int
    """Copies for which there was no room, or that met a closed connection."""
    kinds: dict[str, int]
    """Differences by kind."""
    groups: tuple[ShadowGroup, ...]
    """Differences by shape and kind, the most frequent first."""


def shadow_loads(rules: RuleSet, tallies: Mapping[ShadowKey, ShadowTally]) -> tuple[ShadowLoad, ...]:
    """A row for each route with a shadow, in the order of the site."""
    shadows = [(row.id, row.shadow) for row in rules.program.routes if row.shadow is not None]
    return tuple(_load(id, each, rules.site, tallies.get((id, each.pool), ShadowTally())) for id, each in shadows)


def _load(route: str, shadow: Shadow, site: Site, tally: ShadowTally) -> ShadowLoad:
    groups = sorted(tally.groups.items(), key=lambda each: -each[1].count)
    return ShadowLoad(
        route=route,
        pool=shadow.pool,
        share=shadow.share,
        in_flight=tally.in_flight,
        requests=tally.requests,
        same=tally.same,
        dropped=tally.dropped,
        kinds=dict(tally.kinds),
        groups=tuple(_group(shape, kind, group, site) for (shape, kind), group in groups),
    )


def _group(shape: str, kind: str, group: DifferenceGroup, site: Site) -> ShadowGroup:
    secret = is_secret(kind) or kind in {name.lower() for name in (*SECRET_FIELDS, *site.site.secret_headers)}
    real, copy = (MASK, MASK) if secret else (masked(group.real), masked(group.copy))
    return ShadowGroup(
        shape=shape, kind=kind, count=group.count, at=group.at, real=real, copy=copy, record=group.record
    )
