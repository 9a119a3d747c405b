"""Rules, routes and members as a request has them, for tests of what is told of a request: real ones, for what is
compiled takes nothing that stands in for them."""

from __future__ import annotations

from proxy_core.balance.member_state import MemberKey, MemberState, UpstreamKey
from proxy_core.balance.pool import BoundMember
from proxy_core.config.model import Member, Site
from proxy_core.rules.decision import BoundRoute
from proxy_core.rules.rule_state import RuleState
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.registry import Registry
from proxy_core.runtime.rule_set import RuleSet


def rules(generation: int, site: Site | None = None) -> RuleSet:
    return compile_site(site or Site(), Registry(), generation)


def route(id: str) -> BoundRoute:
    return BoundRoute(id, "", None, b"", 0.0, False, (), RuleState(("routes", id)))


def member(key: MemberKey) -> BoundMember:
    return BoundMember(key, Member(url="http://localhost"), UpstreamKey("http", "", 0), b"", b"", 100, MemberState(key))
