"""One finished request for people: the record, both heads with secrets masked, and its way through the rules.

The trace is not stored: deciding is pure, so the rule set, the view and the facts that the exchange kept are decided
again, with a Trace. Nothing here is paid for by a request that nobody looks at.
"""

from __future__ import annotations

from proxy_core.control.records import record
from proxy_core.control.telling import masked, told
from proxy_core.control.view import Explanation, Inspection
from proxy_core.http.target import readable
from proxy_core.rules.decision import Decision, Respond, Trace
from proxy_core.rules.facts import Facts
from proxy_core.runtime.exchange import Exchange


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
    view, trace = exchange.view, Trace()
    facts = Facts(dict(exchange.facts.answers))
    decision: Decision = Respond(exchange.status, None, exchange.cause)
    if view.target:
        decision = exchange.rules.program.decide(view, facts, trace)
    base = readable(exchange.member.base) if exchange.member else ""
    site, listener = exchange.rules.site, view.connection.listener
    return told(decision, trace, facts, site, exchange.head, view.client, listener, base, exchange.forwarded)
