"""What a change would do to the requests that are kept, as plain data that any wire can carry."""

from __future__ import annotations

from msgspec import Struct


class WayShift(Struct, frozen=True, kw_only=True):
    """Requests that would go elsewhere, from one place to another."""

    before: str
    """Where they go by the rules in force."""
    after: str
    """Where they would go."""
    requests: int
    """How many."""
    samples: tuple[str, ...]
    """Some of them; secrets are masked."""


class MemberShift(Struct, frozen=True, kw_only=True):
    """Requests of one member, of those that can be judged."""

    balancer: str
    """Empty for a server that a route names by its URL."""
    member: str
    """Its name, or the origin of its URL."""
    before: int
    """Those that it would get now."""
    after: int
    """Those that it would get by the change."""


class SessionShift(Struct, frozen=True, kw_only=True):
    """Sessions of a balancer with stickiness, or keys of one by hash, that come to another member."""

    balancer: str
    moved: int
    sessions: int


class Foreseen(Struct, frozen=True, kw_only=True):
    """What a change would do to the requests that are kept."""

    judged: int
    """Requests of which it can be told where they go."""
    elsewhere: int
    """Those of them that would go elsewhere."""
    unjudged: int
    """Requests whose rules ask for what is not known any more."""
    since: float
    """When the first of them came, in seconds since the epoch; 0 for none."""
    ways: tuple[WayShift, ...]
    """Those that would go elsewhere, from where to where, the most first."""
    more: int
    """Those that would go elsewhere and stand in none of ``ways``."""
    members: tuple[MemberShift, ...]
    """Each member that gets any, in the order of the site."""
    sessions: tuple[SessionShift, ...]
    """Each balancer that has sessions or keys."""
    by_load: tuple[str, ...]
    """Balancers whose method goes by load: the requests of their members are what a model says (docs/what-if.md)."""


def in_words(found: Foreseen) -> list[str]:
    """What would change, in lines."""
    kept = found.judged + found.unjudged
    if not kept:
        return ["No request is kept that it could be tried on."]
    part = f" ({100 * found.elsewhere / found.judged:.1f} %)" if found.elsewhere else ""
    lines = [f"{found.elsewhere:,} of {found.judged:,} requests{part} would go elsewhere."]
    for way in found.ways:
        lines.append(f"  {way.requests:,}: {way.before} → {way.after}")
        lines += [f"      {sample}" for sample in way.samples]
    lines += [f"  {found.more:,}: to more places"] if found.more else []
    if found.unjudged:
        lines.append(f"{found.unjudged:,} requests cannot be judged: their rules ask for what is not known any more.")
    totals: dict[str, tuple[int, int]] = {}
    for each in found.members:
        before, after = totals.get(each.balancer, (0, 0))
        totals[each.balancer] = before + each.before, after + each.after
    for each in found.members:
        if each.balancer and (shares := _shares(each, totals[each.balancer])):
            model = ", by a model of its load" if each.balancer in found.by_load else ""
            lines.append(f"{each.balancer}/{each.member}: {shares}{model}")
    for session in found.sessions:
        if session.sessions:
            share = f"{100 * session.moved / session.sessions:.1f} %"
            moved = f"{session.moved:,} of {session.sessions:,} sessions or keys move"
            lines.append(f"{session.balancer}: {moved} ({share})")
    return lines


def _shares(each: MemberShift, totals: tuple[int, int]) -> str:
    """``1,200 → 2,400 requests (25.0 → 50.0 %)``; "" where nothing changes."""
    if each.before == each.after and totals[0] == totals[1]:
        return ""
    both = zip((each.before, each.after), totals, strict=True)
    parts = [f"{100 * n / total:.1f}" if total else "0" for n, total in both]
    return f"{each.before:,} → {each.after:,} requests ({parts[0]} → {parts[1]} %)"
