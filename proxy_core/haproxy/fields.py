"""Rows of [[headers]] whose value is the same for every request: on requests, on members' answers, on every answer.

A row that HAProxy cannot do is in the way of all requests that it may be for, and these go down the lane: those of its
route, or the host's. Fields that the proxy writes itself, or maps back, are no row's to change here. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from proxy_core.config.model import HeaderRule
from proxy_core.haproxy.part import HostPart
from proxy_core.haproxy.words import HandOver, Lines, fixed, quoted
from proxy_core.rules.decision import BoundRoute

_ACTIONS = {"set": "set-header", "add": "add-header", "unset": "del-header"}
_OURS = frozenset((
    "connection", "content-length", "content-location", "content-type", "date", "destination", "forwarded", "host",
    "keep-alive", "location", "set-cookie", "te", "trailer", "transfer-encoding", "upgrade", "uri", "vary", "via",
    "www-authenticate", "x-forwarded-for", "x-forwarded-host", "x-forwarded-server",
))  # fmt: skip
"""Fields that HAProxy or the other lines of a backend write too."""


def of_requests(part: HostPart, route: BoundRoute) -> Lines:
    """The actions on requests that a route forwards. Raises HandOver."""
    return [f"http-request {_action(row)}" for row in _rows(part, "request", route)]


def of_answers(part: HostPart, route: BoundRoute) -> Lines:
    """The actions on what members answer to a route. Raises HandOver."""
    return [f"http-response {_action(row)}" for row in _rows(part, "response", route)]


def of_every_answer(part: HostPart) -> Lines:
    """The actions on every answer of a host but the lane's (Header always). Raises HandOver."""
    rows = [row for row in _whole(part) if row.on == "always"]
    twice = {row.name.lower() for row in rows if [each.name.lower() for each in rows].count(row.name.lower()) > 1}
    if any(row.route or row.action not in ("set", "add") or row.name.lower() in twice for row in rows):
        raise HandOver("rows of [[headers]] that take back what others set")
    # What members say stays beside it: httpd keeps the two apart.
    return [f"http-after-response {_action(row).replace('set-header', 'add-header', 1)}" for row in rows]


def refuse(part: HostPart) -> None:
    """Raises HandOver for rows of the server or the host that cannot be done and are not for some route alone."""
    for row in _whole(part):
        if not row.route:
            _action(row)


def _whole(part: HostPart) -> Iterator[HeaderRule]:
    """The rows that are for no location: those of locations have the lane's requests."""
    scopes = part.program.scopes
    for row, _ in scopes.headers if scopes is not None else ():
        if row.host in ("", part.rules.name) and not row.location:
            yield row


def _rows(part: HostPart, on: str, route: BoundRoute) -> list[HeaderRule]:
    mine = route.id if route.rows == "routes" else ""
    rows = [row for row in _whole(part) if row.on == on and row.route in ("", mine)]
    return sorted(rows, key=lambda row: 2 if row.route else 1 if row.host else 0)


def _action(row: HeaderRule) -> str:
    """A row as an action. Raises HandOver."""
    plain = not (row.early or row.env or row.expr) and row.name.lower() not in _OURS
    value = (row.value or "").replace("%%", "")
    if not plain or row.action not in _ACTIONS or re.search(r"%|\\|^expr=", value):
        raise HandOver(f"headers {row.id}")
    if row.action == "unset":
        return f"del-header {row.name}"
    return f"{_ACTIONS[row.action]} {row.name} {quoted(fixed((row.value or '').replace('%%', '%')))}"
