"""Binding members: configuration worked out once, beside the state that outlives it.

Each balancer becomes a Pool under its name, and each origin of a plain URL a direct Pool of one member under that
origin ("http://localhost:8000"), so that everything that is sent anywhere goes through a member with counters.
Members and pools that have not changed are taken from the previous set. Done at compile time; the data path only
reads what is made here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b

from proxy_core.balance.methods import METHODS
from proxy_core.balance.select import serves
from proxy_core.balance.state import UNLIMITED, BoundMember, Group, MemberKey, MemberState, Pool, UpstreamKey
from proxy_core.config.destination import destination
from proxy_core.config.folders import FILES, INSIDE, serves_files
from proxy_core.config.model import Balancer, Member, Site, UpstreamTls
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
    own = [there for row in site.routes if (there := destination(row)[0]) and "://" in there]
    for there in dict.fromkeys([*own, *origins]):
        pools[there] = direct_pool(there, member, tls, previous.get(there))
    if serves_files(site):
        inside = {MemberKey("", FILES): Member(url=f"{INSIDE}|http://files")}
        pools[FILES] = _pool(FILES, _PLAIN, inside, member, previous.get(FILES), tls)
    return pools


def direct_pool(there: str, member: MemberStates, tls: UpstreamTls, previous: Pool | None = None) -> Pool:
    """The pool of an origin ("http://localhost:8000"): itself is its one member."""
    return _pool(there, _PLAIN, {MemberKey("", there): Member(url=there)}, member, previous, tls)


_PLAIN = Balancer()


def _pool(
    name: str,
    balancer: Balancer,
    members: Mapping[MemberKey, Member],
    state: MemberStates,
    previous: Pool | None,
    tls: UpstreamTls,
) -> Pool:
    known = {bound.key: bound for bound in previous.members} if previous is not None else {}
    named = balancer.sticky is not None and balancer.sticky.issue
    bound = tuple(_bound(key, value, state(key), named, known.get(key), tls) for key, value in members.items())
    if previous is not None and previous.balancer == balancer and _same(previous.members, bound):
        return previous
    routes: dict[str, tuple[BoundMember, ...]] = {}
    for member in sorted(bound, key=lambda member: (member.member.role == "standby", member.member.lbset)):
        if member.route and balancer.sticky is not None:
            routes[member.route] = (*routes.get(member.route, ()), member)
    return Pool(
        name=name,
        balancer=balancer,
        members=bound,
        groups=_groups(bound),
        routes=routes,
        elect=METHODS[balancer.method],
        fails=status_ranges(balancer.failonstatus),
        watched=bool(balancer.failonstatus) or balancer.ejection is not None or balancer.method == "latency",
        asks=balancer.sticky is not None or balancer.method == "hash",
        issues=named,
        direct=balancer is _PLAIN,
    )


def _groups(members: tuple[BoundMember, ...]) -> tuple[Group, ...]:
    """The lbsets that have anybody to take unsticky requests. A member of weight 0 is neither there nor missing."""
    found = []
    for lbset in sorted({member.member.lbset for member in members}):
        mine = [member for member in members if member.member.lbset == lbset]
        roles: dict[str, tuple[BoundMember, ...]] = {
            role: tuple(member for member in mine if member.member.role == role and serves(member))
            for role in ("regular", "spare", "standby")
        }
        missing = sum(member.member.role == "regular" and member.member.status != "enabled" for member in mine)
        if any(roles.values()):
            found.append(Group(roles["regular"], roles["spare"], roles["standby"], missing))
    return tuple(found)


def _same(these: tuple[BoundMember, ...], those: tuple[BoundMember, ...]) -> bool:
    return len(these) == len(those) and all(one is other for one, other in zip(these, those, strict=True))


def _bound(
    key: MemberKey, member: Member, state: MemberState, named: bool, previous: BoundMember | None, tls: UpstreamTls
) -> BoundMember:
    route = member.route or (key.member if named else "")
    secured = member.tls or tls
    same = previous is not None and previous.member == member and previous.state is state
    if previous is not None and same and previous.route == route and previous.upstream.tls in (None, secured):
        return previous
    there = origin(member.url)
    return BoundMember(
        key=key,
        member=member,
        upstream=UpstreamKey(there.transport, there.host, there.port, secured if there.transport == "https" else None),
        host=there.authority.encode("ascii"),
        base=escaped(as_bytes_text(there.path)),
        factor=max(int(member.weight * 100), int(member.weight > 0)),
        state=state,
        upgrades=protocols(member.upgrade, there.scheme),
        route=route,
        limit=member.max_connections or UNLIMITED,
        salt=blake2b(key.member.encode(), digest_size=16).digest(),
    )


def shares(pool: Pool) -> dict[MemberKey, float]:
    """The fraction of the pool's requests that the weights promise each member while nobody is ill; 0 for those out of
    service, for spares and standbys that are not needed, and for sets behind the first."""
    taking = next((members for group in pool.groups if (members := _taking(group))), ())
    factors = {member.key: member.factor for member in taking}
    total = sum(factors.values()) or 1
    return {member.key: factors.get(member.key, 0) / total for member in pool.members}


def _taking(group: Group) -> tuple[BoundMember, ...]:
    """Who takes the requests of a set in which nobody is ill."""
    return (*group.regular, *group.spares[: group.missing]) or group.standbys
