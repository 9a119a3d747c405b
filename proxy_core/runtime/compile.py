"""Compiling: a Site becomes the RuleSet that requests are served by.

``compile_site`` reads the registry for the states that a set points at and changes nothing that serves, so a preview
may compile against a registry of its own and throw the result away. ``adopt`` belongs after the swap: it tells the
registry which members and rules are in force and whose turns start anew.
"""

from __future__ import annotations

from proxy_core.balance.bind import compile_pools
from proxy_core.balance.select import serves, worked
from proxy_core.config.model import Site
from proxy_core.rules.ruleset import compile_rules
from proxy_core.runtime.current import RuleSet
from proxy_core.runtime.pools import Pools
from proxy_core.runtime.registry import Registry


def compile_site(site: Site, registry: Registry, generation: int, previous: RuleSet | None = None) -> RuleSet:
    """Compile a site that ``lint`` found no error in, reusing the parts of ``previous`` that are equal and bound to
    this registry. Raises ValueError, with a sentence, for a URL that does not parse."""
    program = compile_rules(site, registry.rule, previous.program if previous is not None else None)
    known = previous.pools if previous is not None else {}
    fixed = compile_pools(site, registry.member, known, program.origins)
    return RuleSet(generation, site, program, Pools(fixed, registry, site.upstream_tls))


def adopt(rules: RuleSet, registry: Registry, now: float) -> None:
    """``rules`` are in force from ``now`` (monotonic) on. A member that points elsewhere than before is well until
    shown otherwise: what failed was somebody else."""
    members = [member for pool in rules.pools.values() for member in pool.members]
    for member in members:
        if member.state.upstream not in (None, member.upstream):
            worked(member.state)
            member.state.failing, member.state.check = False, None
        member.state.upstream = member.upstream
    registry.adopt(
        {member.key for member in members},
        rules.program.keys,
        {
            pool.name: (pool.method, tuple((m.key, m.factor if serves(m) else 0) for m in pool.members))
            for pool in rules.pools.values()
            if not pool.direct
        },
        now,
    )
