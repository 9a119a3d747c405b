"""Header edits at work: what the rules of ``rules.fields.edits`` know of a request in flight, and where its lines go.

Called only for sites that have such rules. Edits that say the same for every request are marked there (``steady``), so
a repeated head is not worked out twice. No I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from time import monotonic
from typing import NamedTuple
from uuid import uuid4

from proxy_core.balance import sticky
from proxy_core.config.folders import FILES
from proxy_core.http.request_view import RequestView
from proxy_core.http.target import BadTarget, normalised, split
from proxy_core.rules.decision import NO_EXTRAS, Extras, Forward, Trace
from proxy_core.rules.fields.apply_edits import edited
from proxy_core.rules.fields.edit_scope import HeaderScope, Moment, varying
from proxy_core.rules.fields.edits import Edit
from proxy_core.rules.fields.expiry import dated
from proxy_core.rules.host_rules import HostRules
from proxy_core.rules.locations import subject
from proxy_core.rules.settings import Settings
from proxy_core.runtime.exchange import Exchange


class EditBasis(NamedTuple):
    """What edits of a request go by: the request as it is now, and what its rules left for it."""

    exchange: Exchange
    """The request on its way."""
    view: RequestView
    """The request as rules see it now."""
    host: HostRules
    """The rules of its host."""
    extras: Extras
    """What its rules left."""
    notes: dict[str, str]
    """What edits have noted of it so far; it grows with each that notes something."""
    decision: Forward | None = None
    """Where it goes, while no member has it."""


def basis(exchange: Exchange) -> EditBasis:
    """What edits of the answer go by."""
    if exchange.notes is None:
        exchange.notes = {}
    return EditBasis(exchange, exchange.view, exchange.host_rules, exchange.extras or NO_EXTRAS, exchange.notes)


def moment(basis: EditBasis, *, trusted: bool = False, answered: Sequence[bytes] = (), status: int = 0) -> Moment:
    """What edits may know now. ``answered`` are the answer's field lines, ``status`` its status, 0 before it is there;
    what the balancer says is known to edits of answers alone, as in httpd."""
    exchange, view, host, extras, notes, _ = basis
    try:
        raw_path, query = split(view.target)
        path = normalised(raw_path, host.reading)
        args = query[1:].decode("latin-1") if query else None
    except BadTarget:
        path, args = "", None
    path, args = (extras.of_index if status else None) or extras.rewritten or (path, args)
    env = {name.lower(): (name, value) for name, value in extras.env or view.env}  # view.env: no rule has had its say
    member = exchange.member
    if status and member is not None and member.key.balancer:
        pool = exchange.rules.pools[member.key.balancer]
        facts_of_it = sticky.environment(pool, member, exchange.session, view.target.decode("latin-1"))
        env |= {name.lower(): (name, value) for name, value in facts_of_it.items()}
    scope = HeaderScope(
        view, exchange.facts, path, args, host.server_name, host.port, env, path,
        canonical=bool(host.own.canonical), answered=answered, status=status, notes=notes,
        user=extras.user, auth=extras.auth, given=extras.given, root=host.root,
        where=partial(_file, basis, path, status),
    )  # fmt: skip
    taken = int(((exchange.finished or monotonic()) - exchange.started) * 1_000_000)
    return Moment(scope, int(exchange.at * 1_000_000), taken, exchange.version, trusted, _new_id)


def _file(basis: EditBasis, path: str, status: int) -> str:
    """What answers: the name of a file; or behind "proxy:" the URL of the member that has it, or the one that it is
    forwarded to before there is a member (``proxy_http_canon``)."""
    exchange, site = basis.exchange, basis.host.site
    decision, member = basis.decision, exchange.member
    if status and member is not None and exchange.route is not None:
        decision = Forward(exchange.route, exchange.forwarded.split(b" ", 2)[1])
    if decision is None:
        return ""
    pool = decision.route.pool or ""
    if pool == FILES or (pool in site.balancers and not status):
        about = subject(path, decision, site)
        return about.file or f"proxy:{about.url}"
    origin = f"{member.upstream.scheme}://{member.upstream}" if status and member is not None else pool
    return f"proxy:{origin}{decision.target.decode('latin-1')}"


def moment_of(exchange: Exchange) -> Moment:
    """What may be known of a request that is over."""
    return moment(
        EditBasis(exchange, exchange.view, exchange.host_rules, exchange.extras or NO_EXTRAS, exchange.notes or {}),
        answered=exchange.answer.split(b"\r\n")[1:-2], status=exchange.status,
    )  # fmt: skip


def _new_id() -> str:
    return uuid4().hex


def answered(
    settings: Settings, exchange: Exchange, lines: list[bytes], own: Sequence[bytes], trace: Trace | None = None,
    *, length: int = -1,
) -> list[bytes]:  # fmt: skip
    """The field lines of an upstream's answer (its status line first) and our own, after the edits.
    Ours come first, as httpd's err_headers_out do. ``length`` is that of the body in bytes, below 0 where none is said:
    no edit changes it, and expressions know it."""
    edits, response = settings.edits, settings.edits.response
    of_file = exchange.route is not None and bool(exchange.route.folder)
    if of_file and 300 <= exchange.status < 304:  # to a folder with its slash: an answer of our own, as a redirect is
        return [*lines, *replied(settings, exchange, exchange.status, own, trace)]
    if edits.expiry and exchange.status < 400:
        lines = [lines[0], *dated(edits.expiry, lines[1:], exchange.at, of_file=of_file, trace=trace)]
    if of_file:  # it is this server that answers, no proxy
        response = _of_this_server(response)
    if not response and not edits.always:
        return [*lines, *own]
    said = [*lines[1:], b"Content-Length: %d" % length] if length >= 0 else lines[1:]
    now = moment(basis(exchange), answered=said, status=exchange.status)
    made = [*edited(edits.always, [*own], now, trace), *edited(response, lines[1:], now, trace)]
    return [lines[0], *(varying(made, now.varies) if now.varies else made)]


_PAGE = b"Content-Type: text/html; charset=utf-8"
"""What an answer of the proxy's own is, unless it says otherwise."""


def replied(
    settings: Settings | None, exchange: Exchange, status: int, own: Sequence[bytes], trace: Trace | None = None
) -> tuple[bytes, ...]:
    """The field lines that go with an answer of the proxy's own."""
    page = [_PAGE] if status >= 300 and status != 304 else []
    if settings is not None and settings.edits.expiry and status < 400:
        typed = dated(settings.edits.expiry, [*own, *page], exchange.at, trace=trace)
        own = [line for line in typed if line is not _PAGE]
    if settings is None:
        return tuple(own)
    response = _of_this_server(settings.edits.response) if status == 200 and _is_listing(exchange) else ()
    if not (settings.edits.always or response):
        return tuple(own)
    now = moment(basis(exchange), status=status, answered=[*own, *page])
    made = (
        [*edited(settings.edits.always, [], now, trace), *edited(response, [*own], now, trace)]
        if response
        else (edited(settings.edits.always, [*own], now, trace))
    )
    return tuple(varying(made, now.varies) if now.varies else made)


def _is_listing(exchange: Exchange) -> bool:
    """Whether it is answered with a page that is no error's."""
    return exchange.extras is not None and exchange.extras.page is not None


def _of_this_server(edits: Sequence[Edit]) -> tuple[Edit, ...]:
    """Those of an answer that no member has made: nothing has come by way of a proxy."""
    return tuple(edit for edit in edits if edit.action != "via+")
