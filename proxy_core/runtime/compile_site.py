"""Compiling: a Site becomes the RuleSet that requests are served by.

``compile_site`` reads the registry for the states that a set points at and changes nothing that serves, so a preview
may compile against a registry of its own and throw the result away. ``adopt`` belongs after the swap: it tells the
registry which members and rules are in force and whose turns start anew.
"""

from __future__ import annotations

from proxy_core.balance.compile_pools import compile_pools
from proxy_core.balance.passive_checks import renewed
from proxy_core.balance.pool import Pool
from proxy_core.balance.shares import serves
from proxy_core.config.model import Site
from proxy_core.rules.compile import compile_rules
from proxy_core.runtime.origin_pools import Pools
from proxy_core.runtime.registry import Registry
from proxy_core.runtime.rule_set import RuleSet


def compile_site(site: Site, registry: Registry, generation: int, previous: RuleSet | None = None) -> RuleSet:
    """Compile a site that ``lint`` found no error in, reusing the parts of ``previous`` that are equal and bound to
    this registry. Raises ValueError, with a sentence, for a URL that does not parse."""
    program = compile_rules(site, registry.rule, previous.program if previous is not None else None)
    pools = previous.pools if previous is not None else {}
    fixed = compile_pools(site, registry.member, pools, program.origins)
    return RuleSet(generation, site, program, Pools(fixed, registry, site.upstream_tls))


def adopt(rules: RuleSet, registry: Registry, now: float) -> None:
    """``rules`` are in force from ``now`` (monotonic) on. A member that points elsewhere than before is well until
    shown otherwise: what failed was somebody else."""
    pools = list(rules.pools.values())
    for pool in pools:
        _adopt(pool, registry, now)
    registry.adopt(
        {member.key for pool in pools for member in pool.members},
        rules.program.keys,
        {
            pool.name: (pool.balancer.method, tuple((m.key.member, m.factor if serves(m) else 0) for m in pool.members))
            for pool in pools
            if not pool.direct
        },
        now,
    )


def _adopt(pool: Pool, registry: Registry, now: float) -> None:
    """What a new set means for the states of a pool's members: whom they are about, draining, slow start."""
    before = registry.shares.get(pool.name)
    factors = dict(before[1]) if before else None
    for member in pool.members:
        state = member.state
        if state.upstream not in (None, member.upstream):
            renewed(state)
        state.upstream = member.upstream
        state.drain_timeout = pool.balancer.drain_timeout
        if pool.balancer.ejection is None:
            state.ejected_until = min(state.ejected_until, now)  # over, with the slow start that follows one
        if member.member.status == "enabled":
            state.drain_at = 0.0
            if factors is not None and serves(member) and not factors.get(member.key.member):
                state.ramp_at = now
        elif not state.drain_at:
            state.drain_at = now
