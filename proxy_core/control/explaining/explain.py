"""Why a request goes where it goes: ``rproxy explain``, and the same question asked in the console.

A request is made up from a URL, read as the front reads it, asked for at admission as it is now, and goes the very way
that serves, with a Trace. What rules ask of the outside is really asked, but for services of [forward_auth], which are
asked only where the question says so; what came back is part of the explanation. Nothing is sent to any other member,
nothing is counted, and a member is named only where there is no choice: whose turn it would be is not told, for asking
must not take a turn.

Of a finished request (``inspection``) the trace is not stored: its way is pure, so it is gone again with the rule set,
the head and the facts that the exchange kept. Nothing of that is paid for by a request that nobody looks at.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from time import monotonic, time
from urllib.parse import urlsplit

from msgspec import structs

from proxy_core.balance.member_state import MemberKey, MemberState, UpstreamKey
from proxy_core.balance.pool import BoundMember, Pool
from proxy_core.balance.sticky import session_route
from proxy_core.config.model import Member, Site
from proxy_core.control.explaining.effective_settings import asked_by, of_answer
from proxy_core.control.explaining.explanation import Findings, explanation, masked
from proxy_core.control.question import Explanation, Inspection, Question
from proxy_core.control.watching.log_records import record
from proxy_core.http.hop_by_hop import RefusedRequest
from proxy_core.http.request_view import Connection
from proxy_core.http.target import endpoint
from proxy_core.printable import printable
from proxy_core.rules.decision import Forward, Respond, Step, Trace
from proxy_core.rules.facts import MOST_ANSWERS, Facts, Need
from proxy_core.runtime.exchange import Exchange
from proxy_core.runtime.fact_lookups import Outside
from proxy_core.runtime.recent_requests import Recorder
from proxy_core.runtime.rule_set import RuleSet
from proxy_core.serve.client_limits import Admission
from proxy_core.serve.client_policy import client_policy
from proxy_core.serve.request_fields import RequestFields
from proxy_core.serve.request_head import RequestReader, ascii_line
from proxy_core.serve.way import Way, outgoing, way

_NOBODY = BoundMember(
    MemberKey("", ""), Member(url="http://localhost"), UpstreamKey("http", "", 0), b"(the member that is elected)", b"",
    100, MemberState(MemberKey("", "")),
)  # fmt: skip
"""Stands where it is not known who will be elected."""


async def explain(
    rules: RuleSet, outside: Outside, question: Question, admission: Admission | None = None
) -> Explanation:
    """The way of a request through ``rules``. ``admission`` knows who is kept out and how many are inside; without it
    nobody is. A URL that is none, or a head that would be refused, is answered in the explanation as a client would
    be."""
    url = urlsplit(question.url if "://" in question.url else f"http://{_host(question)}{question.url}")
    listener, connection = connection_of(rules.site, question.listener, url.port or 80)
    target = (url.path or "/") + (f"?{url.query}" if "?" in question.url else "")
    lines = [f"{question.method} {target} HTTP/1.1", *question.fields]
    if not any(line.lower().startswith("host:") for line in question.fields):
        lines.insert(1, f"Host: {url.netloc}")
    head = ascii_line("\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape"))
    policy = client_policy(rules.site).through(rules.site.listeners.get(listener))
    reader = RequestReader(question.client, structs.replace(connection, peer=question.client))
    try:
        view, fields = reader.read(head, policy)
    except RefusedRequest as refused:
        return Explanation(
            request=masked(head, rules.site).strip(), client=question.client, listener=listener, steps=(),
            outcome="respond", sentence=f"refused with {refused.status}: {refused.why}", status=refused.status,
            generation=rules.generation,
        )  # fmt: skip
    exchange = Exchange(rules, view, head, "1.1", time(), monotonic(), facts=Facts(ask=outside.ask))
    trace = asked_by(view, rules.site)
    admission = admission or Admission(Recorder())
    refused_there = admission.verdict((question.client, view.client), policy)
    if refused_there is not None:
        answer = Respond(refused_there.status, None, refused_there.why)
        trace += turned_away(refused_there.limit, refused_there.why)
        return explanation(Findings(exchange, answer, trace, listener))
    found, tried = await _gone(exchange, reader, fields, outside, question)
    trace += tried
    if not isinstance(found, Way):
        return explanation(Findings(exchange, found, trace, listener))
    trace += of_answer(exchange, found)
    if not isinstance(found.decision, Forward):
        return explanation(Findings(exchange, found, trace, listener))
    only = _without_choice(rules.pools[found.decision.route.pool or ""], found.decision.target, head)
    forwarded, _, _ = outgoing(found.view, found.decision, found.fields, only or _NOBODY)
    return explanation(Findings(exchange, found, trace, listener, only, forwarded))


async def _gone(
    exchange: Exchange, reader: RequestReader, fields: RequestFields, outside: Outside, question: Question
) -> tuple[Way | Need | Respond, Trace]:
    """The way, gone again with each fact that it asks for, and what was tried the last time. A question that is not
    ``unfinished`` asks programs and databases too, and services where it says so."""
    left = {"map"} if question.unfinished else set()
    left |= {"forward_auth"} if question.unfinished or not question.ask else set()
    facts = exchange.facts
    while True:
        trace: Trace = []
        found = way(exchange, reader, fields, trace)
        if not isinstance(found, Need) or found.key[0] in left:
            return found, trace
        if len(facts.answers) >= MOST_ANSWERS:
            return Respond(500, None, f"rules asked for more than {MOST_ANSWERS} things"), trace
        facts.answers[found.key] = await outside.answer(found.key, exchange.rules)


def _without_choice(pool: Pool, target: bytes, head: bytes) -> BoundMember | None:
    """The member that gets a request whatever the others have: the only one, or that of its session."""
    members: Sequence[BoundMember] = pool.members
    if pool.balancer.sticky is not None and len(members) > 1:
        members = pool.routes.get(session_route(pool.balancer.sticky, target, head), ())
    return members[0] if len(members) == 1 else None


def turned_away(limit: str, why: str) -> Trace:
    """The step of a request that is turned away before any rule."""
    return [Step(("site", "deny") if limit == "deny" else ("limits", limit), "match", why)]


def _host(question: Question) -> str:
    """The Host field among the given ones, for a URL that is a path alone."""
    named = (line.partition(":")[2].strip() for line in question.fields if line.lower().startswith("host:"))
    return next(named, "localhost")


def connection_of(site: Site, wanted: str, port: int) -> tuple[str, Connection]:
    """The listener that is asked: the named one, else the one with the URL's port, else the first."""
    ends = {name: endpoint(listener.address) for name, listener in site.listeners.items()}
    by_port = next((name for name, (_, its) in ends.items() if its == port), next(iter(ends), ""))
    name = wanted if wanted in ends else by_port
    address, own = ends.get(name, ("", 0))
    return name, Connection(name, address or "127.0.0.1", own or port, 0)


def spelled(explained: Explanation) -> str:
    """The explanation as text for a terminal, printable whatever a request or a map holds."""
    lines = [
        *explained.request.split("\n"),
        f"(from {explained.client or 'an unknown client'}, listener {explained.listener or 'none'})",
        "",
    ]
    width = max((len(" ".join(step.address)) for step in explained.steps), default=0)
    for step in explained.steps:
        lines.append(f"{' '.join(step.address):{width}}  {step.verdict:8}  {step.reason}")
        lines += [f"{'':{width}}            {detail}" for detail in step.details]
    lines += ["", explained.sentence]
    lines += [f"  {name} = {value}" for name, value in explained.environment.items()]
    lines += [f"  {each.name}: {each.value} ({' '.join(each.address)})" for each in explained.settings]
    lines += [f"  {line}" for line in explained.fields]
    lines += [f"  > {line}" for line in explained.forwarded.split("\n") if line]
    return "\n".join(map(printable, lines))


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
