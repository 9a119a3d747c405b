"""One finished request for people: the record, both heads with secrets masked, and its way through the rules.

The trace is not stored: deciding is pure, so the rule set, the view and the facts that the exchange kept are decided
again, with a Trace. Nothing here is paid for by a request that nobody looks at.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from proxy_core.control.explaining.effective_settings import asked_by, before, held, options
from proxy_core.control.explaining.explanation import masked, told
from proxy_core.control.view import Explanation, Inspection, Setting
from proxy_core.control.watching.request_records import record
from proxy_core.http.hop_by_hop import RefusedRequest
from proxy_core.http.target import readable
from proxy_core.rules.decision import Decision, Forward, Respond, Trace
from proxy_core.rules.facts import Facts
from proxy_core.runtime.exchange import Exchange
from proxy_core.serve.client_policy import client_policy
from proxy_core.serve.request_head import RequestReader, ascii_line


def inspection(exchange: Exchange) -> Inspection:
    site = exchange.rules.site
    return Inspection(
        record=record(exchange),
        request_head=masked(exchange.head, site),
        forwarded_head=masked(exchange.forwarded, site),
        answer_head=masked(exchange.answer, site),
        explanation=_explanation(exchange),
    )


def _explanation(exchange: Exchange) -> Explanation:
    """Why it went where it went. A head that was refused met no rule."""
    view, trace, site = exchange.view, Trace(), exchange.rules.site
    facts = Facts(dict(exchange.facts.answers))
    decision: Decision = Respond(exchange.status, None, exchange.cause)
    if view.target:
        decision = exchange.rules.program.decide(view, facts, trace)
    holding: Trace = []
    first: Trace = [*asked_by(view, site)]
    settings: tuple[Setting, ...] = ()
    if view.head:
        reader = RequestReader(view.connection.peer or view.client, view.connection)
        own = client_policy(site).through(site.listeners.get(view.connection.listener))
        with suppress(RefusedRequest):
            came, fields = reader.read(ascii_line(exchange.head), own)
            fields = before(replace(exchange, view=came), reader, fields, first)
            holding = held(exchange, decision, reader, fields).steps
    member = exchange.member
    if isinstance(decision, Forward):
        settings = options(site, decision.route, member, trace)
    return told(
        decision, [*first, *trace], facts, site, exchange.head, view.client, view.connection.listener,
        holding,
        readable(member.base) if member else "", exchange.forwarded, settings,
    )  # fmt: skip
