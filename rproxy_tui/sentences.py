"""Commands in the operator's words: what a key on a screen means, and what it will do.

Most of it builds Changes: each function takes names and plain values and returns the edits with the sentence that
history will show. The rest says who takes a deleted route's requests (``forecast`` says it of members). All of it is
pure: nothing here reads an engine, a clock or a screen.

A ban is an edit like any other: it survives a restart, can be taken back, and ends by itself. A new one takes those
with it that have ended, so the list does not grow for ever.

Paths follow mod_proxy's alias_match: the first row in file order that takes a path by whole segments decides.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from proxy_core.config.model import Ban, MemberRole, MemberStatus, RewriteRule, Route, Site
from proxy_core.control.editing.commands import Change, Command, Delete, Edit, Insert, Move, Redo, Restore, Set, Undo
from proxy_core.errors import Address
from proxy_core.rules.access.networks import ends, seen_as
from proxy_core.rules.lint.unreachable_rewrites import shadows
from proxy_core.rules.routing.prefixes import collapsed, takes
from rproxy_tui import words
from rproxy_tui.draft import thing
from rproxy_tui.forecast import listed

MemberName = tuple[str, str]
"""Balancer and member."""
Row = Route | RewriteRule

LIGHTEST, HEAVIEST = 0.0, 100.0
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


def takes_away(command: Command) -> bool:
    """Whether a command may leave a site with less than it had."""
    if isinstance(command, Change):
        return any(isinstance(edit, Delete) or (isinstance(edit, Set) and not edit.value) for edit in command.edits)
    return isinstance(command, Undo | Redo | Restore)


# Members ------------------------------------------------------------------------------------------------------------


def set_weights(balancer: str, weights: Mapping[str, float]) -> Change:
    """Give members their weights, 0 to 100. A whole number is spelled without a fraction."""
    values = {name: int(weight) if weight == int(weight) else weight for name, weight in weights.items()}
    spelled = [f"{value:g}" for value in values.values()]
    to = listed(spelled if len({*spelled}) > 1 else spelled[:1])
    return Change(
        edits=tuple(Set((*_member((balancer, name)), "weight"), value) for name, value in values.items()),
        sentence=f"set weight of {balancer}/{listed([*values])} to {to}",
    )


def nudged(weight: float, step: int) -> float:
    """The next whole weight above (``step`` 1) or below (-1), within 0 to 100."""
    whole = math.floor(weight) + 1 if step > 0 else math.ceil(weight) - 1
    return float(min(max(whole, LIGHTEST), HEAVIEST))


def weight_of(text: str) -> float | str:
    """The weight that somebody typed, or what is wrong with it."""
    try:
        weight = float(text)
    except ValueError:
        weight = math.nan
    return weight if LIGHTEST <= weight <= HEAVIEST else "A weight is a number from 0 to 100."


def other_weights(before: Mapping[str, float], now: Mapping[str, float]) -> str:
    """What is wrong with a question about weights that somebody else has changed meanwhile."""
    changed = [
        f"{name} has weight {now[name]:g} by now, and had {weight:g}" if name in now else f"{name} is gone by now"
        for name, weight in before.items()
        if now.get(name) != weight
    ]
    return f"{listed(changed)}: esc, and look again."


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


# Rows ---------------------------------------------------------------------------------------------------------------


def except_path(path: str, route: Route) -> Change:
    """An exception for ``path``, directly above the route that would forward it."""
    row = {"path": path, "except": True} | ({"host": route.host} if route.host else {})
    return Change(edits=(Insert(("routes",), row, before=route.id),), sentence=f"except {path} from {route.id}")


def exception(routes: Sequence[Route], path: str, beside: Route) -> Change | str:
    """The exception that keeps ``path`` from being forwarded, or why there is none to make, in words.

    It goes above the row that decides about the path now; ``beside`` stands in where that row is out of service.
    """
    if not path.startswith("/"):
        return "A path starts with a slash: /service/index."
    route = taker(tried(routes, beside.host), path) or (beside if covers(beside, path) else None)
    if route is None:
        return f"No route takes {path}: there is nothing to except it from."
    if route.except_:
        return f"The exception {route.id} takes {path} already."
    return except_path(path, route)


def move_row(rows: str, row: str, before: str) -> Change:
    """Move a row of the list ``rows`` above the row ``before``, or to the end ("")."""
    where = f"above {before}" if before else "to the end"
    return Change(edits=(Move((rows, row), before),), sentence=f"move {thing((rows, row))} {where}")


def shift_row(rows: str, all_rows: Sequence[Row], row: str, step: int) -> Change | None:
    """Move a row one place up (-1) or down (1); None where it stands at that end already."""
    ids = [each.id for each in all_rows]
    at = ids.index(row)
    if not 0 <= at + step < len(ids):
        return None
    after = [*ids, ""]
    return move_row(rows, row, after[at + (2 if step > 0 else -1)])


def toggle_row(rows: str, row: Row) -> Change:
    """Take a row out of service, or back into it. Enabled is what a row is without a word."""
    address = (rows, row.id, "enabled")
    if row.enabled:
        return Change(edits=(Set(address, False),), sentence=f"disable {thing((rows, row.id))}")
    return Change(edits=(Delete(address),), sentence=f"enable {thing((rows, row.id))}")


def remove(address: Address) -> Change:
    """Remove a row or a table."""
    return Change(edits=(Delete(address),), sentence=f"remove {thing(address)}")


def fix_order(routes: Sequence[Route], route: str) -> Change | None:
    """Move a row that never matches above the row that takes its requests; None where order is not what is wrong.

    Of two rows with one path the other would then be the dead one, unless an exception is what should win.
    """
    above = shadow(routes, route)
    row = next(row for row in routes if row.id == route)
    if above is None or above.host != row.host or (row.path == above.path and not row.except_):
        return None
    return move_row("routes", route, above.id)


def fix_rules(site: Site, rule: RewriteRule) -> Change | None:
    """Move a rule that never matches above the rule that takes its requests; None where order is not what is wrong."""
    above = shadows(site, rule.host).get(rule.id)
    if above is None or above.host != rule.host or above.pattern == rule.pattern:
        return None
    return move_row("rewrites", rule.id, above.id)


# Bans -----------------------------------------------------------------------------------------------------------------


def ban(site: Site, client: str, span: str, now: float) -> Change | str:
    """Keep a client out for ``span`` ("30m", "1h", "7d", "" for good) from ``now`` (epoch seconds) on; or what is
    wrong with the span. Of IPv6 it is the client's whole /64."""
    until = ""
    if span.strip():
        found = _SPAN.fullmatch(span.strip().lower())
        seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
        if not 0 < seconds <= _LONGEST:
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


def about_ban(row: Ban, now: float) -> str:
    """How long a ban still holds, and why it was made."""
    left = ends(row.until) - now
    when = "for good" if math.isinf(left) else "has ended" if left <= 0 else f"{words.span(left)} left"
    return f"{row.network}: {when}{f', {row.note}' if row.note else ''}"


def _ended(row: Ban, now: float) -> bool:
    try:
        return ends(row.until) <= now
    except ValueError:
        return False


# What it will do: routes --------------------------------------------------------------------------------------------


def covers(route: Route, path: str) -> bool:
    """Whether a row takes ``path`` and all that is below it; what a regular expression takes nobody can tell."""
    return route.path is not None and takes(collapsed(route.path.encode()), collapsed(path.encode()))


def taker(routes: Iterable[Route], path: str) -> Route | None:
    """The row that decides about ``path`` and all that is below it; None where no single row does."""
    return next((row for row in routes if row.enabled and covers(row, path)), None)


def tried(routes: Sequence[Route], host: str) -> list[Route]:
    """The rows that a request to a host meets, in order: those of the server first, then the host's own."""
    met = [row for row in routes if not row.location]
    return [row for row in met if not row.host] + [row for row in met if host and row.host == host]


def shadow(routes: Sequence[Route], route: str) -> Route | None:
    """The earlier row that takes everything that ``route`` would take, so that it never matches; None if it can."""
    own = next(row for row in routes if row.id == route)
    before = tried(routes, own.host)
    return taker(before[: before.index(own)], own.path) if own.path is not None and own in before else None


def heir(routes: Sequence[Route], route: str) -> str:
    """Who decides about a row's path once the row is gone, as a sentence."""
    gone = next(row for row in routes if row.id == route)
    if not gone.enabled:
        return "It is disabled: no request changes its way."
    if gone.location:
        return f"Its requests will go where all others of location {gone.location} go."
    if above := shadow(routes, route):
        return f"Route {above.id} above it takes its requests already: none changes its way."
    if gone.path is None:
        return "Its requests will go to whichever route below takes their path, or get 404."
    after = taker((row for row in tried(routes, gone.host) if row.id != route), gone.path)
    if after is None:
        return f"No other route takes {gone.path}: its requests will get 404."
    if after.except_:
        return f"The exception {after.id} takes {after.taken}: its requests will get 404."
    return f"Its requests will go to route {after.id} ({after.leads})."


# Words --------------------------------------------------------------------------------------------------------------


def ago(seconds: float) -> str:
    return f"{words.span(seconds)} ago"


def question(change: Change) -> str:
    return f"{change.sentence[:1].upper()}{change.sentence[1:]}?"


def _member(member: MemberName) -> tuple[str, str, str, str]:
    balancer, name = member
    return ("balancers", balancer, "members", name)
