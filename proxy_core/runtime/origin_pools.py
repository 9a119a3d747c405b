"""The pools of a rule set, with those of origins that only requests make known.

A rewrite rule may forward to an origin that a map or a capture names. Such an origin gets a pool of its own when it is
first asked for, so that it has counters and connections like any other. At most ``MOST`` of them are kept, or a client
that chooses origins could fill the memory. The oldest goes first; its state is retired like that of a removed member.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from time import monotonic

from proxy_core.balance.compile_pools import direct_pool
from proxy_core.balance.member_state import MemberKey
from proxy_core.balance.pool import Pool
from proxy_core.config.model import UpstreamTls
from proxy_core.runtime.registry import Registry

MOST = 256
"""Origins made known by requests that are kept at a time."""


class Pools(dict[str, Pool]):
    """Pools by the name of their balancer, or by their origin. What is asked for and missing must be an origin."""

    def __init__(self, fixed: Mapping[str, Pool], registry: Registry, tls: UpstreamTls) -> None:
        super().__init__(fixed)
        self._registry = registry
        self._tls = tls
        self._found: OrderedDict[str, None] = OrderedDict()

    def __missing__(self, url: str) -> Pool:
        if len(self._found) >= MOST:
            oldest, _ = self._found.popitem(last=False)
            del self[oldest]
            self._registry.retired_members.setdefault(MemberKey("", oldest), monotonic())
        pool = self[url] = direct_pool(url, self._registry.member, self._tls)
        self._found[url] = None
        (member,) = pool.members
        member.state.drain_at, member.state.upstream = 0.0, member.upstream
        self._registry.retired_members.pop(MemberKey("", url), None)
        return pool
