"""One finished request for people: the record, both heads with secrets masked, and its way through the rules.

The trace is not stored: the way of a request is pure, so it is gone again with the rule set, the head and the facts
that the exchange kept. Nothing here is paid for by a request that nobody looks at.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from proxy_core.control.explaining.effective_settings import asked_by, of_answer
from proxy_core.control.explaining.explain import turned_away
from proxy_core.control.explaining.explanation import Findings, explanation, masked
from proxy_core.control.view import Explanation, Inspection
from proxy_core.control.watching.records import record
from proxy_core.http.hop_by_hop import RefusedRequest
from proxy_core.rules.decision import Forward, Respond, Trace
from proxy_core.rules.facts import Facts, Need
from proxy_core.runtime.exchange import Exchange
from proxy_core.serve.client_policy import client_policy
from proxy_core.serve.request_head import RequestReader, ascii_line
from proxy_core.serve.way import Way, way


def inspection(exchange: Exchange) -> Inspection:
    """All that is known of a finished request."""
    site = exchange.rules.site
    return Inspection(
        record=record(exchange),
        request_head=masked(exchange.head, site),
        forwarded_head=masked(exchange.forwarded, site),
        answer_head=masked(exchange.answer, site),
        explanation=_explanation(exchange),
    )


def _explanation(exchange: Exchange) -> Explanation:
    """Why it went where it went. A head that was refused met no rule, and neither did who was turned away."""
    view, site = exchange.view, exchange.rules.site
    connection = view.connection
    trace: Trace = asked_by(view, site)
    found: Way | Need | Respond = Respond(exchange.status, None, exchange.cause)
    if exchange.limit and exchange.route is None:
        trace += turned_away(exchange.limit, exchange.cause)
    elif view.head:
        reader = RequestReader(connection.peer or view.client, connection)
        policy = client_policy(site).through(site.listeners.get(connection.listener))
        with suppress(RefusedRequest):
            came, fields = reader.read(ascii_line(exchange.head), policy)
            again = replace(exchange, view=came, facts=Facts(dict(exchange.facts.answers)))
            found = way(again, reader, fields, trace)
    if isinstance(found, Way):
        trace += of_answer(exchange, found)
    member = exchange.member if isinstance(found, Way) and isinstance(found.decision, Forward) else None
    return explanation(Findings(exchange, found, trace, connection.listener, member, exchange.forwarded))
