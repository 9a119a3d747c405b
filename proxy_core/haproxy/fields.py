"""Rows of [[headers]] whose value is the same for every request: on requests, on members' answers, on every answer.

A row that HAProxy cannot do is in the way of all requests that it may be for, and these go down the lane: those for
which its condition holds, those of its route, or the host's. Fields that the proxy writes itself are no row's to change
here. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from proxy_core.config.model import HeaderRule
from proxy_core.haproxy.part import HostPart
from proxy_core.haproxy.requests import environment, fetch, found, tame
from proxy_core.haproxy.words import HandOver, Line, fixed, quoted, regex
from proxy_core.rules.decision import BoundRoute
from proxy_core.rules.text import pattern

_ACTIONS = {"set": "set-header", "add": "add-header", "unset": "del-header"}
_OURS = frozenset((
    "connection", "content-length", "content-location", "content-type", "date", "destination", "forwarded", "host",
    "keep-alive", "location", "set-cookie", "te", "trailer", "transfer-encoding", "upgrade", "uri", "vary", "via",
    "www-authenticate", "x-forwarded-for", "x-forwarded-host", "x-forwarded-server",
))  # fmt: skip
"""Fields that HAProxy or the other lines of a backend write too."""


def of_requests(part: HostPart, route: BoundRoute) -> Iterator[Line]:
    """The actions on requests that a route forwards, with their conditions. Raises HandOver."""
    for action, condition in (_action(part, row) for row in _rows(part, "request", route)):
        yield f"http-request {action}", condition


def of_answers(part: HostPart, route: BoundRoute) -> Iterator[Line]:
    """The actions on what members answer to a route, with their conditions. Raises HandOver."""
    for action, condition in (_action(part, row) for row in _rows(part, "response", route)):
        yield f"http-response {action}", condition


def of_every_answer(part: HostPart) -> Iterator[Line]:
    """The actions on every answer of a host but the lane's (Header always). Raises HandOver."""
    rows = [row for row in _whole(part) if row.on == "always" and not _apart(part, row, True)]
    twice = {row.name.lower() for row in rows if [each.name.lower() for each in rows].count(row.name.lower()) > 1}
    if any(row.route or row.action not in ("set", "add") or row.name.lower() in twice for row in rows):
        raise HandOver("rows of [[headers]] that take back what others set")
    # What members say stays beside it: httpd keeps the two apart.
    for action, condition in (_action(part, row) for row in rows):
        yield f"http-after-response {action.replace('set-header', 'add-header', 1)}", condition


def doubtful(part: HostPart) -> Iterator[tuple[HeaderRule, str]]:
    """The rows of the server or the host that cannot be done, each with the condition that a request is one of those
    that it is for. Raises HandOver where that cannot be said either."""
    for row in _whole(part):
        if row.route or row.env.startswith(_OF_BALANCERS):
            continue
        try:
            _action(part, row)
        except HandOver as why:
            if row.early or (condition := _held(part, row)) is None:
                raise HandOver(str(why)) from None
            yield row, condition


_FOUND = re.compile(r"%\{([A-Za-z_]+|HTTP:[A-Za-z0-9-]+)\} =~ (?:/((?:[^/\\]|\\.)*)/|m#([^#]*)#)(i?)").fullmatch


def _held(part: HostPart, row: HeaderRule) -> str | None:
    """The condition of a row, None where it has none or it cannot be said. Raises HandOver."""
    if row.expr and not row.env and (said := _FOUND(row.expr.strip())) is not None:
        text = said[2].replace("\\/", "/") if said[2] is not None else said[3]
        return found(fetch(part, said[1]), text, bool(said[4]))
    if row.env and not row.expr:
        absent = row.env.startswith("!")
        return f"{'!' * absent}{{ {environment(part, row.env.removeprefix('!'))} -m found }}"
    return None


_OF_BALANCERS = "BALANCER_"
"""Variables that only requests to balancers have."""


def _whole(part: HostPart) -> Iterator[HeaderRule]:
    """The rows that are for no location: those of locations have the lane's requests."""
    scopes = part.program.scopes
    for row, _ in scopes.headers if scopes is not None else ():
        if row.host in ("", part.rules.name) and not row.location:
            yield row


def _rows(part: HostPart, on: str, route: BoundRoute) -> list[HeaderRule]:
    mine = route.id if route.rows == "routes" else ""
    direct = "://" in (route.pool or "")
    rows = [row for row in _whole(part) if row.on == on and row.route in ("", mine) and not _apart(part, row, direct)]
    return sorted(rows, key=lambda row: 2 if row.route else 1 if row.host else 0)


def _apart(part: HostPart, row: HeaderRule, direct: bool) -> bool:
    """Whether a row has no part in what HAProxy forwards to one member (``direct``), or to a balancer."""
    if row.env.startswith(_OF_BALANCERS):
        return direct
    if row.route:
        return False
    try:
        _action(part, row)
    except HandOver:
        return True  # its requests are down the lane already
    return False


def _action(part: HostPart, row: HeaderRule) -> Line:
    """A row as an action and its condition. Raises HandOver."""
    condition = (_held(part, row) or "") if row.env and not row.env.startswith(_OF_BALANCERS) else ""
    odd = row.early or row.expr or (row.env and not condition)
    if row.action in ("edit", "edit*") and not odd:
        return _edit(row), condition
    if odd or row.name.lower() in _OURS or row.action not in _ACTIONS:
        raise HandOver(f"headers {row.id}")
    if row.action == "unset":
        return f"del-header {row.name}", condition
    return f"{_ACTIONS[row.action]} {row.name} {quoted(_value(part, row))}", condition


def _value(part: HostPart, row: HeaderRule) -> str:
    """The value of a row as a format. Raises HandOver."""
    value = row.value or ""
    if value.startswith("expr=") and row.on == "request":
        pieces = re.split(r"%\{([A-Z_]+)\}", value.removeprefix("expr="))
        if not re.search(r"[%$\\]", "".join(pieces[::2])):
            pieces[1::2] = [f"%[{tame(part, each)}]" for each in pieces[1::2]]
            return "".join(pieces)
    if value.startswith("expr=") or re.search(r"%|\\", value.replace("%%", "")):
        raise HandOver(f"headers {row.id}")
    return fixed(value.replace("%%", "%"))


_REFERENCE = re.compile(r"\$([0-9])")


def _edit(row: HeaderRule) -> str:
    """An edit of a value's beginning: HAProxy replaces values whole, so what is behind it is put there again. Raises
    HandOver."""
    value = row.value or ""
    editable = row.name.lower() not in _OURS or row.name.lower() in ("set-cookie", "location", "content-location")
    odd = "|" in row.pattern or not row.pattern.startswith("^") or re.search(r"[%\\]|^expr=|\$(?![0-9])", value)
    groups = pattern.compile(row.pattern).groups
    if row.on != "response" or not editable or odd or groups > 8 or row.action != "edit":
        raise HandOver(f"headers {row.id}")
    if any(not 0 < int(each) <= groups for each in _REFERENCE.findall(value)):
        raise HandOver(f"headers {row.id}")
    made = _REFERENCE.sub(lambda found: f"\\{found[1]}", fixed(value)) + f"\\{groups + 1}"
    return f"replace-header {row.name} {quoted(regex(row.pattern) + '(.*)$')} {quoted(made)}"
