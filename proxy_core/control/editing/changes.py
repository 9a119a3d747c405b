"""Changes that people make by their names: of members, and bans. What a key of the console and a word of ctl mean.

Each function takes names and plain values and returns the edits with the sentence that history will show. All of it
is pure: nothing here reads an engine, a clock or a screen.

A ban is an edit like any other: it survives a restart, can be taken back, and ends by itself. A new one takes those
with it that have ended, so the list does not grow for ever.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from proxy_core.config.model import Ban, MemberRole, MemberStatus, Site
from proxy_core.control.editing.commands import Change, Delete, Edit, Insert, Set
from proxy_core.rules.access.networks import ends, seen_as

MemberName = tuple[str, str]
"""Balancer and member."""
VERBS: dict[MemberStatus, str] = {
    "enabled": "enable",
    "draining": "drain",
    "disabled": "disable",
    "stopped": "stop",
}
ROLES: dict[MemberRole, str] = {"regular": "a regular member", "standby": "a standby", "spare": "a spare"}
PLURALS: dict[MemberRole, str] = {"regular": "regular members", "standby": "standbys", "spare": "spares"}
_SPAN = re.compile(r"(\d{1,6}(?:\.\d+)?) ?(s|m|h|d)")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LONGEST = 3650 * 86_400


def set_weights(balancer: str, weights: Mapping[str, float]) -> Change:
    """Give members their weights, 0 to 100. A whole number is spelled without a fraction."""
    values = {name: int(weight) if weight == int(weight) else weight for name, weight in weights.items()}
    spelled = [f"{value:g}" for value in values.values()]
    to = listed(spelled if len({*spelled}) > 1 else spelled[:1])
    return Change(
        edits=tuple(Set((*_member((balancer, name)), "weight"), value) for name, value in values.items()),
        sentence=f"set weight of {balancer}/{listed([*values])} to {to}",
    )


def set_status(status: MemberStatus, balancer: str, *members: str) -> Change:
    """Enable, drain or disable members. Enabled is what one is without a word, so enabling removes the key."""
    return Change(
        edits=tuple(_worded((balancer, name), "status", status, "enabled") for name in members),
        sentence=f"{VERBS[status]} {balancer}/{listed(members)}",
    )


def set_role(role: MemberRole, balancer: str, *members: str) -> Change:
    """Make members standbys, spares or regular ones, which is what one is without a word."""
    return Change(
        edits=tuple(_worded((balancer, name), "role", role, "regular") for name in members),
        sentence=f"make {balancer}/{listed(members)} {(ROLES if len(members) == 1 else PLURALS)[role]}",
    )


def _worded(member: MemberName, option: str, value: str, default: str) -> Edit:
    address = (*_member(member), option)
    return Delete(address) if value == default else Set(address, value)


def remove_members(balancer: str, *members: str) -> Change:
    return Change(
        edits=tuple(Delete(_member((balancer, name))) for name in members),
        sentence=f"remove {balancer}/{listed(members)}",
    )


def ban(site: Site, client: str, span: str, now: float) -> Change | str:
    """Keep a client out for ``span`` ("30m", "1h", "7d", "" for good) from ``now`` (epoch seconds) on; or what is
    wrong with the span. Of IPv6 it is the client's whole /64."""
    until = ""
    if span.strip():
        seconds = span_of(span)
        if seconds is None:
            return "A time is a number with its unit: 30m, 1h or 7d; nothing keeps it out for good."
        moment = datetime.fromtimestamp(now, UTC) + timedelta(seconds=seconds)
        until = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    network = seen_as(client)
    if not network:
        return "The request says no address."
    edits: list[Edit] = [Delete(("bans", row.id)) for row in site.bans if row.network != network and _ended(row, now)]
    same = next((row for row in site.bans if row.network == network), None)
    if same is None:
        edits.append(Insert(("bans",), {"network": network} | ({"until": until} if until else {})))
    elif until:
        edits.append(Set(("bans", same.id, "until"), until))
    elif same.until:
        edits.append(Delete(("bans", same.id, "until")))
    else:
        return f"{network} is banned for good already."
    return Change(edits=tuple(edits), sentence=f"ban {network}{f' for {span.strip()}' if until else ''}")


def span_of(text: str) -> float | None:
    """The seconds of a time with its unit (30m, 1h, 7d), None for what is none."""
    found = _SPAN.fullmatch(text.strip().lower())
    seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
    return seconds if 0 < seconds <= _LONGEST else None


def _ended(row: Ban, now: float) -> bool:
    try:
        return ends(row.until) <= now
    except ValueError:
        return False


def _member(member: MemberName) -> tuple[str, str, str, str]:
    balancer, name = member
    return ("balancers", balancer, "members", name)


def listed(names: Sequence[str], most: int = 3) -> str:
    """``a``, ``a and b``, ``a, b and c``, ``a, b, c and 4 more``."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
