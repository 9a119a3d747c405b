"""One finished request for people: the record, both heads with secrets masked, and its way through the rules.

The trace is not stored: deciding is pure, so the rule set and the view that the exchange kept are decided again, with
a Trace. Nothing here is paid for by a request that nobody looks at.
"""

from __future__ import annotations

import re

from proxy_core.control.records import record
from proxy_core.control.view import Inspection, Verdict
from proxy_core.rules.decision import Step, Trace
from proxy_core.rules.facts import Facts
from proxy_core.runtime.exchange import Exchange

SECRET = re.compile(rb"(?im)^((?:proxy-)?authorization|cookie|set-cookie)(:[ \t]*)([^\r\n]*)")


def masked(head: bytes) -> str:
    """A head as text, with the values of credentials and cookies replaced by their length."""
    shown = SECRET.sub(lambda m: b"%b%b(%d bytes, masked)" % (m[1], m[2], len(m[3])), head)
    return shown.decode("utf-8", "backslashreplace").replace("\r\n", "\n")


def inspection(exchange: Exchange) -> Inspection:
    trace: Trace = []
    if exchange.view.target:
        exchange.rules.program.decide(exchange.view, Facts(exchange.facts.answers), trace)
    return Inspection(
        record=record(exchange),
        request_head=masked(exchange.head),
        forwarded_head=masked(exchange.forwarded),
        answer_head=masked(exchange.answer),
        trace=tuple(map(verdict, trace)),
    )


def verdict(step: Step) -> Verdict:
    """A line of a trace as plain data."""
    return Verdict(address=step.address, verdict=step.verdict, reason=step.reason, details=tuple(step.details))
