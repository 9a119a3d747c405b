"""One finished request for people: the record, both heads with secrets masked, and its way through the rules.

The trace is not stored: deciding is pure, so the rule set and the view that the exchange kept are decided again, with
a Trace. Nothing here is paid for by a request that nobody looks at.
"""

from __future__ import annotations

import re
from functools import lru_cache

from proxy_core.config.model import Site
from proxy_core.control.records import record
from proxy_core.control.view import Inspection, Verdict
from proxy_core.rules.decision import Step, Trace
from proxy_core.rules.facts import Facts
from proxy_core.runtime.exchange import Exchange

SECRETS = ("Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie")


@lru_cache(64)
def _secret(names: tuple[str, ...]) -> re.Pattern[bytes]:
    either = "|".join(map(re.escape, (*SECRETS, *names))).encode()
    return re.compile(rb"(?im)^(%b)([ \t]*:[ \t]*)([^\r\n]*)" % either)


def masked(head: bytes, site: Site) -> str:
    """A head as text, with the values of credentials, cookies and the site's own secrets replaced by their length."""
    shown = _secret(site.site.secret_headers).sub(lambda m: b"%b%b(%d bytes, masked)" % (m[1], m[2], len(m[3])), head)
    return shown.decode("utf-8", "backslashreplace").replace("\r\n", "\n")


def inspection(exchange: Exchange) -> Inspection:
    trace: Trace = []
    if exchange.view.target:
        exchange.rules.program.decide(exchange.view, Facts(exchange.facts.answers), trace)
    site = exchange.rules.site
    return Inspection(
        record=record(exchange),
        request_head=masked(exchange.head, site),
        forwarded_head=masked(exchange.forwarded, site),
        answer_head=masked(exchange.answer, site),
        trace=tuple(map(verdict, trace)),
    )


def verdict(step: Step) -> Verdict:
    """A line of a trace as plain data."""
    return Verdict(address=step.address, verdict=step.verdict, reason=step.reason, details=tuple(step.details))
