"""Compiles the pools of a site: each member's configuration is worked out once and bound to its state.

Each balancer becomes a Pool under its name. Each origin of a plain URL becomes a direct Pool of one member under that
origin ("http://localhost:8000"), so that every request that is forwarded has a member with counters.
Members and pools that have not changed are taken from the previous set. This is done when a site is compiled; the
data path only reads what is made here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from operator import is_

from proxy_core.balance.lbmethods import METHODS
from proxy_core.balance.member_state import MemberKey, MemberState, UpstreamKey
from proxy_core.balance.pool import UNLIMITED, BoundMember, Pool
from proxy_core.balance.shares import lbfactor, lbsets, takes_sessions
from proxy_core.config.destination import destination, service, shadow_pool
from proxy_core.config.folders import FILES, INSIDE, serves_files
from proxy_core.config.model import Balancer, Member, Route, Site, UpstreamTls
from proxy_core.http.statuses import status_ranges
from proxy_core.http.target import as_bytes_text, escaped, origin
from proxy_core.http.upgrade import protocols

MemberStates = Callable[[MemberKey], MemberState]


def compile_pools(
    site: Site, member: MemberStates, previous: Mapping[str, Pool] = {}, origins: Iterable[str] = ()
) -> dict[str, Pool]:
    """Every pool of a site that ``lint`` found no error in. ``member`` finds the state of a key; ``origins`` are those
    that rules forward to besides the routes."""
    pools: dict[str, Pool] = {}
    tls = site.upstream_tls
    for name, configured in site.balancers.items():
        keys = {MemberKey(name, key): value for key, value in configured.members.items()}
        pools[name] = _pool(name, configured, keys, member, previous.get(name), tls)
    named = [pool(row) for row in site.routes for pool in (_forwarded_to, shadow_pool)]
    named += [service(each.url)[0] for each in site.forward_auth.values()]
    own = [url for url in named if url and "://" in url]
    for url in dict.fromkeys([*own, *origins]):
        pools[url] = direct_pool(url, member, tls, previous.get(url))
    if serves_files(site):
        inside = {MemberKey("", FILES): Member(url=f"{INSIDE}|http://files")}
        pools[FILES] = _pool(FILES, _PLAIN, inside, member, previous.get(FILES), tls)
    return pools


def _forwarded_to(row: Route) -> str | None:
    return destination(row)[0]


def direct_pool(url: str, member: MemberStates, tls: UpstreamTls, previous: Pool | None = None) -> Pool:
    """The pool of an origin ("http://localhost:8000"): itself is its one member."""
    return _pool(url, _PLAIN, {MemberKey("", url): Member(url=url)}, member, previous, tls)


_PLAIN = Balancer()


def _pool(
    name: str,
    balancer: Balancer,
    members: Mapping[MemberKey, Member],
    state: MemberStates,
    previous: Pool | None,
    tls: UpstreamTls,
) -> Pool:
    before = {bound.key: bound for bound in previous.members} if previous is not None else {}
    named = balancer.sticky is not None and balancer.sticky.issue
    bound = tuple(
        _bound(key, value, state(key), named, before.get(key), (value.tls or balancer.tls, tls))
        for key, value in members.items()
    )
    if previous is not None and previous.balancer == balancer and all(map(is_, previous.members, bound)):
        return previous
    routes: dict[str, tuple[BoundMember, ...]] = {}
    for member in sorted(bound, key=lambda member: (member.role == "standby", member.lbset)):
        if member.route and balancer.sticky is not None:
            routes[member.route] = (*routes.get(member.route, ()), member)
    return Pool(
        name=name,
        balancer=balancer,
        members=bound,
        lbsets=lbsets(bound),
        keepers=tuple(filter(takes_sessions, bound)),
        routes=routes,
        elect=METHODS[balancer.method],
        fails=status_ranges(balancer.failonstatus),
        watched=bool(balancer.failonstatus) or balancer.ejection is not None or balancer.method == "latency",
        asks=balancer.sticky is not None or balancer.method == "hash",
        issues=named,
        direct=balancer is _PLAIN,
    )


def _bound(
    key: MemberKey,
    member: Member,
    state: MemberState,
    named: bool,
    previous: BoundMember | None,
    tls: tuple[UpstreamTls | None, UpstreamTls],
) -> BoundMember:
    """``tls`` is what it or its balancer says, and what the site says."""
    route = member.route or (key.member if named else "")
    own, secured = tls[0], tls[0] or tls[1]
    if (
        previous is not None
        and previous.member == member
        and previous.state is state
        and previous.route == route
        and previous.tls == own
        and previous.upstream.tls in (None, secured)
    ):
        return previous
    target = origin(member.url)
    return BoundMember(
        key=key,
        member=member,
        upstream=UpstreamKey(
            target.transport, target.host, target.port, secured if target.transport == "https" else None
        ),
        host=target.authority.encode("ascii"),
        base=escaped(as_bytes_text(target.path)),
        factor=lbfactor(member.weight),
        state=state,
        upgrades=protocols(member.upgrade, target.scheme),
        route=route,
        limit=member.max_connections or UNLIMITED,
        salt=blake2b(key.member.encode(), digest_size=16).digest(),
        tls=own,
    )
