"""Binding members: configuration worked out once, beside the state that outlives it.

Each balancer becomes a Pool under its name, and each origin of a plain URL a direct Pool of one member under that
origin ("http://localhost:8000"), so that everything that is sent anywhere goes through a member with counters.
Members and pools that have not changed are taken from the previous set. Done at compile time; the data path only
reads what is made here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from proxy_core.balance.select import serves
from proxy_core.balance.state import BoundMember, MemberKey, MemberState, Pool, UpstreamKey
from proxy_core.config.destination import destination
from proxy_core.config.model import Member, Site, UpstreamTls
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
        keyed = {MemberKey(name, key): value for key, value in configured.members.items()}
        pools[name] = _pool(name, configured.method, keyed, False, member, previous.get(name), tls)
    own = [there for row in site.routes if (there := destination(row)[0]) and "://" in there]
    for there in dict.fromkeys([*own, *origins]):
        pools[there] = direct_pool(there, member, tls, previous.get(there))
    return pools


def direct_pool(there: str, member: MemberStates, tls: UpstreamTls, previous: Pool | None = None) -> Pool:
    """The pool of an origin ("http://localhost:8000"): itself is its one member."""
    return _pool(there, "byrequests", {MemberKey("", there): Member(url=there)}, True, member, previous, tls)


def _pool(
    name: str,
    method: str,
    members: Mapping[MemberKey, Member],
    direct: bool,
    state: MemberStates,
    previous: Pool | None,
    tls: UpstreamTls,
) -> Pool:
    known = {bound.key: bound for bound in previous.members} if previous is not None else {}
    bound = tuple(_bound(key, value, state(key), known.get(key), tls) for key, value in members.items())
    if previous is not None and previous.method == method and _same(previous.members, bound):
        return previous
    return Pool(name, method, bound, direct)


def _same(these: tuple[BoundMember, ...], those: tuple[BoundMember, ...]) -> bool:
    return len(these) == len(those) and all(one is other for one, other in zip(these, those, strict=True))


def _bound(
    key: MemberKey, member: Member, state: MemberState, previous: BoundMember | None, tls: UpstreamTls
) -> BoundMember:
    secured = member.tls or tls
    same = previous is not None and previous.member == member and previous.state is state
    if previous is not None and same and previous.upstream.tls in (None, secured):
        return previous
    there = origin(member.url)
    return BoundMember(
        key=key,
        member=member,
        upstream=UpstreamKey(there.transport, there.host, there.port, secured if there.transport == "https" else None),
        host=there.authority.encode("ascii"),
        base=escaped(as_bytes_text(there.path)),
        factor=int(member.weight * 100),
        state=state,
        upgrades=protocols(member.upgrade, there.scheme),
    )


def shares(pool: Pool) -> dict[MemberKey, float]:
    """The fraction of the pool's requests that the weights promise each member; 0 for those out of service."""
    factors = {member.key: member.factor if serves(member) else 0 for member in pool.members}
    total = sum(factors.values()) or 1
    return {key: factor / total for key, factor in factors.items()}
