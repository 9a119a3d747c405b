"""The way of a request through the rules, from the head that was read to the head that goes upstream. Pure.

There is one way, and three callers: the flight that serves a request, ``explain`` for a request that might come, and
the inspector for one that came. So what they tell is what is done. The order is httpd's: edits that come before the
rules (``RequestHeader … early``), the host and its rules, the settings that hold for what was decided, the bound of the
body, the edits of the request. Where a rule or an edit asks a fact, the way ends in a ``Need``: the caller gets the
answer, adds it to the facts and calls again.

What a site has none of costs a look, no call: most requests go by routes alone. Nothing here counts, waits, or changes
the exchange. What happens before is ``client_limits``'s.
"""

from __future__ import annotations

from msgspec import Struct

from proxy_core.balance.pool import BoundMember
from proxy_core.http.content_coding import asked
from proxy_core.http.hop_by_hop import RefusedRequest
from proxy_core.http.request_view import RequestView
from proxy_core.http.upgrade import granted
from proxy_core.rules.compressing import standing_in
from proxy_core.rules.decision import NO_EXTRAS, Forward, Redirect, Respond, Trace
from proxy_core.rules.facts import Need, Unknown
from proxy_core.rules.fields.apply_edits import ask_for
from proxy_core.rules.host_rules import HostRules
from proxy_core.rules.settings import Settings
from proxy_core.runtime.exchange import Exchange
from proxy_core.serve.field_edits import EditBasis, moment
from proxy_core.serve.request_fields import CHUNKED, RequestFields
from proxy_core.serve.request_head import RequestReader


class Way(Struct, frozen=True, gc=False):
    """What becomes of a request, and all that holds for it."""

    decision: Forward | Redirect | Respond
    """Where it goes, with the locations that hold."""
    host: HostRules
    """The rules of the host that it is for."""
    settings: Settings | None
    """Its header edits and pages for errors; None where the site has none."""
    view: RequestView
    """The request as its rules see it."""
    fields: RequestFields
    """Its fields as they go upstream."""
    notes: dict[str, str] | None = None
    """What edits noted of it; None where none was asked."""
    limit: str = ""
    """The limit that refuses it, "" for none."""


def way(
    exchange: Exchange,
    reader: RequestReader,
    fields: RequestFields,
    trace: Trace | None = None,
    *,
    internal: bool = False,
) -> Need | Way:
    """What becomes of the request that ``reader`` has read, or the Need of a fact that is missing in ``exchange``.
    ``internal``: it was made of another request, whose early edits are done. With a trace, each rule and edit says what
    it did."""
    try:
        program, view = exchange.rules.program, exchange.view
        if view.target == b"*":  # OPTIONS asks for no path, so no rule has a say
            return Way(Respond(200, None, ""), program.server, None, view, fields)
        host = program.host_of(view, trace) if program.tables else program.server
        notes: dict[str, str] | None = None
        early = program.early(host) if program.scopes is not None and not internal else None
        if early is not None:
            notes = {}
            try:
                view, fields = reader.early(fields, early, EditBasis(exchange, view, host, NO_EXTRAS, notes), trace)
            except RefusedRequest as refused:
                return Way(_unsound(refused), host, None, view, fields, notes)
        decision = host.decide(view, exchange.facts, trace)
        if isinstance(decision, Need):
            return decision
        settings = program.settings(host, decision) if program.scopes is not None else None
        if settings is not None and settings.edits.asking:
            goes = decision if isinstance(decision, Forward) else None
            now = EditBasis(exchange, view, host, decision.extras or NO_EXTRAS, {}, goes)
            ask_for(settings.edits.asking, moment(now))
        if not isinstance(decision, Forward):
            return Way(decision, host, settings, view, fields, notes)
        if (
            settings is not None
            and settings.offer is not None
            and settings.offer.precompressed
            and decision.route.folder
        ):
            env = view.env if decision.extras is None else decision.extras.env
            decision = standing_in(decision, settings.offer, asked(view.head, view.head, env))
        if fields.length:
            most = reader.body_bound(decision.route.max_body)
            if most and (fields.length > most or exchange.received > most):
                why = f"the request body is longer than {most} bytes"
                too_long = Respond(413, decision.route, why, decision.extras, sections=decision.sections)
                return Way(too_long, host, settings, view, fields, notes, "body")
        if settings is not None and settings.edits.requests:
            notes = {} if notes is None else notes
            now = EditBasis(exchange, view, host, decision.extras or NO_EXTRAS, notes, decision)
            try:
                fields = reader.changed(fields, settings.edits, now, trace)
            except RefusedRequest as refused:
                unsound = _unsound(refused, decision)
                return Way(unsound, host, settings, view, fields, notes)
        return Way(decision, host, settings, view, fields, notes)
    except Unknown as unknown:
        return Need(unknown.key)


def _unsound(refused: RefusedRequest, decision: Forward | None = None) -> Respond:
    """The answer where the site's own edits make a request that would be refused."""
    why = f"the site's header rules make a request that is refused: {refused.why}"
    if decision is None:
        return Respond(500, None, why)
    return Respond(500, decision.route, why, decision.extras, sections=decision.sections)


def outgoing(
    view: RequestView, decision: Forward, fields: RequestFields, member: BoundMember
) -> tuple[bytes, bytes, bool]:
    """The head for a member (RFC 9112 §3.2, §3.2.1), the protocol that it is asked to change to, b"" for none, and
    whether its connection is for this request alone."""
    route, target, extras, _ = decision
    asked, version, connection, alone = fields.upgrade, b"1.1", b"", False
    if extras is not None and extras.env:
        spoken = _SPOKEN.intersection([name.lower() for name, _ in extras.env])
        if spoken:
            alone, connection = True, b"Connection: close\r\n"
        if "force-proxy-request-1.0" in spoken and fields.length != CHUNKED:
            version, asked = b"1.0", b""
    if asked and not granted(asked, route.upgrades, member.upgrades):
        asked = b""
    return b"%b %b%b HTTP/%b\r\nHost: %b\r\n%b%b" % (
        view.method, member.base, target, version, (route.preserve_host and fields.host) or member.host,
        b"Connection: Upgrade\r\nUpgrade: %b\r\n" % asked if asked else connection, fields.lines,
    ), asked, alone  # fmt: skip


_SPOKEN = frozenset(("force-proxy-request-1.0", "proxy-nokeepalive"))
"""Variables that say how members are spoken to (``ap_proxy_create_hdrbrgd``); HTTP/1.0 has no chunks, so a body whose
length nobody knows goes in HTTP/1.1 all the same."""
