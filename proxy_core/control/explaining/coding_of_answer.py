"""Whether an answer is coded for its client, for people: the choice that serves, made once more."""

from __future__ import annotations

from proxy_core.http import content_coding
from proxy_core.rules import compressing
from proxy_core.rules.decision import Forward, Step, Trace
from proxy_core.runtime.exchange import Exchange
from proxy_core.runtime.upstreams.response_head import read_head
from proxy_core.serve import member_answer
from proxy_core.serve.way import Way


def coded(exchange: Exchange, way: Way) -> tuple[Trace, list[bytes]]:
    """What was done to the answer of a member, and its lines after that; what would be, where none has come."""
    settings, route = way.settings, way.decision.route
    lines = exchange.answer.split(b"\r\n")[:-2]
    if settings is None or settings.offer is None or not isinstance(way.decision, Forward):
        return [], lines
    named = route.id if route is not None and route.rows == "routes" else ""
    address, table = compressing.table(exchange.rules.site, way.host.name, named, way.decision.sections)
    if not lines:
        kinds = ", ".join(table.types)
        what = f"{kinds} as {' or '.join(table.codings)}: in the answer" if kinds else "files that are coded already"
        return [Step(address, "skipped", what)], lines
    found = member_answer.choice(settings.offer, exchange, read_head(exchange.answer))
    what = f"coded as {found.coding}: {found.why}" if found.coding else f"not coded: {found.why}"
    return [Step(address, "match" if found.coding else "no match", what)], content_coding.fields(found, lines)
