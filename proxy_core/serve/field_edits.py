"""Header edits at work: what the rules of ``rules.fields.edits`` know of a request in flight, and where its lines go.

Called by the flight for sites that have such rules, and for no others. What is the same for every request is told
apart here (``steady``), so that a repeated head is not worked out twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic
from uuid import uuid4

from proxy_core.balance import sticky
from proxy_core.http.target import BadTarget, normalised, split
from proxy_core.rules.decision import NO_EXTRAS, Trace
from proxy_core.rules.fields.edit_scope import HeaderScope, Moment
from proxy_core.rules.fields.edits import edited
from proxy_core.rules.settings import Settings
from proxy_core.runtime.exchange import Exchange


def moment(
    exchange: Exchange, *, version: str, trusted: bool = False, answered: Sequence[bytes] = (), status: int = 0
) -> Moment:
    """What edits may know now. ``answered`` are the answer's field lines; what the balancer says is known to edits of
    answers alone, as in httpd."""
    view, server = exchange.view, exchange.rules.program.server_of(exchange.view)
    try:
        raw_path, query = split(view.target)
        path = normalised(raw_path, server.reading)
        args = query[1:].decode("latin-1") if query else None
    except BadTarget:
        path, args = "", None
    extras = exchange.extras or NO_EXTRAS
    if exchange.notes is None:
        exchange.notes = {}
    env = {name.lower(): (name, value) for name, value in (*view.env, *extras.env)}
    member = exchange.member
    if status and member is not None and member.key.balancer:
        pool = exchange.rules.pools[member.key.balancer]
        told = sticky.environment(pool, member, exchange.session, view.target.decode("latin-1"))
        env |= {name.lower(): (name, value) for name, value in told.items()}
    scope = HeaderScope(
        view, exchange.facts, path, args, server.server_name, server.port, env, path,
        canonical=bool(server.own.canonical), answered=answered, status=status, notes=exchange.notes,
        user=extras.user, auth=extras.auth,
    )  # fmt: skip
    taken = int(((exchange.finished or monotonic()) - exchange.started) * 1_000_000)
    return Moment(scope, int(exchange.at * 1_000_000), taken, version, trusted, _new_id)


def _new_id() -> str:
    return uuid4().hex


def answered(
    settings: Settings, exchange: Exchange, lines: list[bytes], own: Sequence[bytes], trace: Trace | None = None
) -> list[bytes]:
    """The field lines of an upstream's answer (its status line first) and our own, after the edits.
    Ours come first, as httpd's err_headers_out do."""
    edits = settings.edits
    if not edits.response and not edits.always:
        return [*lines, *own]
    now = moment(exchange, version=exchange.version, answered=lines[1:], status=exchange.status)
    return [lines[0], *edited(edits.always, [*own], now, trace), *edited(edits.response, lines[1:], now, trace)]


def replied(
    settings: Settings | None, exchange: Exchange, status: int, own: Sequence[bytes], trace: Trace | None = None
) -> tuple[bytes, ...]:
    """The field lines that go with an answer of the proxy's own."""
    if settings is None or not settings.edits.always:
        return tuple(own)
    now = moment(exchange, version=exchange.version, status=status)
    return tuple(edited(settings.edits.always, [*own], now, trace))
