"""Commands in the operator's words: what a key on a screen means, and what it will do.

Most of it builds Changes of rows: each function takes names and plain values and returns the edits with the sentence
that history will show. Those of members and bans come from ``editing.changes``, since ctl has words for them too. The
rest says who takes a deleted route's requests (``forecast`` says it of members). All of it is pure: nothing here reads
an engine, a clock or a screen.

Paths follow mod_proxy's alias_match: the first row in file order that takes a path by whole segments decides.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from proxy_core.config.model import Ban, RewriteRule, Route, Site
from proxy_core.control.editing.changes import (
    PLURALS,
    ROLES,
    VERBS,
    MemberName,
    ban,
    listed,
    remove_members,
    set_role,
    set_status,
    set_weights,
)
from proxy_core.control.editing.commands import Change, Command, Delete, Insert, Move, Redo, Restore, Set, Undo
from proxy_core.control.view import LastChange
from proxy_core.errors import Address
from proxy_core.rules.access.networks import ends
from proxy_core.rules.lint.unreachable_rewrites import shadows
from proxy_core.rules.routing.prefixes import collapsed, takes
from rproxy_tui import words
from rproxy_tui.draft import thing

__all__ = ["PLURALS", "ROLES", "VERBS", "MemberName", "ban", "remove_members", "set_role", "set_status", "set_weights"]

Row = Route | RewriteRule

LIGHTEST, HEAVIEST = 0.0, 100.0


def takes_away(command: Command) -> bool:
    """Whether a command may leave a site with less than it had."""
    if isinstance(command, Change):
        return any(isinstance(edit, Delete) or (isinstance(edit, Set) and not edit.value) for edit in command.edits)
    return isinstance(command, Undo | Redo | Restore)


# Members ------------------------------------------------------------------------------------------------------------


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


def about_ban(row: Ban, now: float) -> str:
    """How long a ban still holds, and why it was made."""
    left = ends(row.until) - now
    when = "for good" if math.isinf(left) else "has ended" if left <= 0 else f"{words.span(left)} left"
    return f"{row.network}: {when}{f', {row.note}' if row.note else ''}"


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


def changed(change: LastChange, now: float) -> str:
    """``g2, 65 min ago``."""
    return f"g{change.generations[0]}, {ago(now - change.at)}"


def question(change: Change) -> str:
    return f"{change.sentence[:1].upper()}{change.sentence[1:]}?"
