"""Why a request goes where it goes: ``rproxy explain``, and the same question asked in the console.

A request is made up from a URL, read as the front reads it, and decided by the very program that serves, with a Trace.
What rules ask of the outside is really asked; what came back is part of the explanation. Nothing is sent to any
member, and a member is named only where there is no choice: whose turn it would be is not told, for asking must not
take a turn.
"""

from __future__ import annotations

from time import monotonic, time
from urllib.parse import urlsplit

from proxy_core.balance.state import BoundMember, MemberKey, MemberState, UpstreamKey
from proxy_core.config.model import Member, Site
from proxy_core.control.explaining import explanation
from proxy_core.control.explaining.effective_settings import asked_by, before, held, options
from proxy_core.control.view import Explanation, Question
from proxy_core.http.hop_by_hop import RefusedRequest
from proxy_core.http.target import endpoint, readable
from proxy_core.http.view import Connection
from proxy_core.rules.decision import Forward, Respond, Trace
from proxy_core.rules.facts import MOST_ANSWERS, Facts, Need
from proxy_core.runtime.exchange import Exchange
from proxy_core.runtime.fact_sources import Outside
from proxy_core.runtime.rule_set import RuleSet
from proxy_core.serve.client_policy import client_policy
from proxy_core.serve.member_request import outgoing
from proxy_core.serve.request_head import RequestReader, ascii_line

_NOBODY = BoundMember(
    MemberKey("", ""), Member(url="http://localhost"), UpstreamKey("http", "", 0), b"(the member that is elected)", b"",
    100, MemberState(MemberKey("", "")),
)  # fmt: skip
"""Stands where it is not known who will be elected."""


async def explain(rules: RuleSet, outside: Outside, question: Question) -> Explanation:
    """The way of a request through ``rules``. A URL that is none, or a head that would be refused, is answered in the
    explanation as a client would be."""
    url = urlsplit(question.url if "://" in question.url else f"http://{_host(question)}{question.url}")
    listener, connection = _connection(rules.site, question.listener, url.port or 80)
    target = (url.path or "/") + (f"?{url.query}" if "?" in question.url else "")
    lines = [f"{question.method} {target} HTTP/1.1", *question.fields]
    if not any(line.lower().startswith("host:") for line in question.fields):
        lines.insert(1, f"Host: {url.netloc}")
    head = ascii_line("\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape"))
    request = explanation.masked(head, rules.site).strip()
    reader = RequestReader(question.client, connection._replace(peer=question.client))
    try:
        view, fields = reader.read(head, client_policy(rules.site).through(rules.site.listeners.get(listener)))
    except RefusedRequest as refused:
        return Explanation(
            request=request, client=question.client, listener=listener, steps=(), outcome="respond",
            sentence=f"refused with {refused.status}: {refused.why}", status=refused.status,
        )  # fmt: skip
    facts = Facts(ask=outside.ask)
    exchange = Exchange(rules, view, head, "1.1", time(), monotonic(), facts=facts)
    first: Trace = [*asked_by(view, rules.site)]
    fields = before(exchange, reader, fields, first)
    view = exchange.view
    while True:
        trace: Trace = []
        decision = rules.program.decide(view, facts, trace)
        if not isinstance(decision, Need):
            break
        if question.unfinished and decision.key[0] == "map":
            return explanation.told(decision, [*first, *trace], facts, rules.site, head, view.client, listener)
        if len(facts.answers) >= MOST_ANSWERS:
            decision = Respond(500, None, f"rules asked for more than {MOST_ANSWERS} things")
            break
        facts.answers[decision.key] = await outside.answer(decision.key)
    exchange.extras = None if isinstance(decision, Need) else decision.extras
    trace[:0] = first
    holds = held(exchange, decision, reader, fields)
    decision = holds.decision
    if not isinstance(decision, Forward):
        return explanation.told(decision, trace, facts, rules.site, head, view.client, listener, holds.steps)
    members = rules.pools[decision.route.pool or ""].members
    only = members[0] if len(members) == 1 else None
    forwarded, _ = outgoing(view, decision, holds.fields, only or _NOBODY)
    return explanation.told(
        decision, trace, facts, rules.site, head, view.client, listener, holds.steps,
        readable(only.base) if only else "", forwarded, options(rules.site, decision.route, only, trace),
    )  # fmt: skip


def _host(question: Question) -> str:
    """The Host field among the given ones, for a URL that is a path alone."""
    named = (line.partition(":")[2].strip() for line in question.fields if line.lower().startswith("host:"))
    return next(named, "localhost")


def _connection(site: Site, wanted: str, port: int) -> tuple[str, Connection]:
    """The listener that is asked: the named one, else the one with the URL's port, else the first."""
    ends = {name: endpoint(listener.address) for name, listener in site.listeners.items()}
    by_port = next((name for name, (_, its) in ends.items() if its == port), next(iter(ends), ""))
    name = wanted if wanted in ends else by_port
    address, own = ends.get(name, ("", 0))
    return name, Connection(name, address or "127.0.0.1", own or port, 0)


def spelled(told: Explanation) -> str:
    """The explanation as text for a terminal."""
    lines = [*told.request.split("\n"), f"(from {told.client}, listener {told.listener or 'none'})", ""]
    width = max((len(" ".join(step.address)) for step in told.steps), default=0)
    for step in told.steps:
        lines.append(f"{' '.join(step.address):{width}}  {step.verdict:8}  {step.reason}")
        lines += [f"{'':{width}}            {detail}" for detail in step.details]
    lines += ["", told.sentence]
    lines += [f"  {name} = {value}" for name, value in told.environment.items()]
    lines += [f"  {each.name}: {each.value} ({' '.join(each.address)})" for each in told.settings]
    lines += [f"  {line}" for line in told.fields]
    lines += [f"  > {line}" for line in told.forwarded.split("\n") if line]
    return "\n".join(lines)
