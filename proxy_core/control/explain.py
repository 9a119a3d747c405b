"""Why a request goes where it goes: ``rproxy explain``, and the same question asked in the console.

A request is made up from a URL, read as the front reads it, and decided by the very program that serves, with a Trace.
What rules ask of the outside is really asked; what came back is part of the explanation. Nothing is sent to any
member, and a member is named only where there is no choice: whose turn it would be is not told, for asking must not
take a turn.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from msgspec.structs import replace

from proxy_core.config.model import Site
from proxy_core.control.inspection import masked, verdict
from proxy_core.control.view import Explanation, Question
from proxy_core.http.headers import Refused
from proxy_core.http.target import endpoint, readable
from proxy_core.http.view import Connection
from proxy_core.rules.decision import Decision, Forward, Redirect, Respond, Trace
from proxy_core.rules.facts import Facts, Need
from proxy_core.runtime.current import RuleSet
from proxy_core.runtime.facts import Outside
from proxy_core.serve import limits
from proxy_core.serve.plan import Reader, ascii_line
from proxy_core.serve.terms import terms


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
    request = masked(head, rules.site).strip()
    try:
        view, fields = Reader(question.client, connection).read(head, terms(rules.site))
    except Refused as refused:
        return Explanation(
            request=request, client=question.client, listener=listener, steps=(), outcome="respond",
            sentence=f"refused with {refused.status}: {refused.why}", status=refused.status,
        )  # fmt: skip
    facts = Facts(ask=outside.ask)
    while True:
        trace: Trace = []
        decision = rules.program.decide(view, facts, trace)
        if not isinstance(decision, Need):
            break
        if len(facts.answers) >= limits.FACTS:
            decision = Respond(500, None, f"rules asked for more than {limits.FACTS} things")
            break
        facts.answers[decision.key] = await outside.answer(decision.key)
    return _told(rules, question, request, listener, trace, facts, decision, fields.lines)


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


def _told(
    rules: RuleSet, question: Question, request: str, listener: str, trace: Trace, facts: Facts,
    decision: Decision, lines: bytes,
) -> Explanation:  # fmt: skip
    assert not isinstance(decision, Need)
    extras = decision.extras
    route = decision.route
    told = Explanation(
        request=request,
        client=question.client,
        listener=listener,
        steps=tuple(map(verdict, trace)),
        outcome="respond",
        sentence="",
        rule=(route.rows, route.id) if route is not None else (),
        fields=tuple(map(readable, extras.fields)) if extras is not None else (),
        environment={name: readable(value) for name, value in extras.env} if extras is not None else {},
        facts=tuple((*fact, answer) for fact, answer in facts.answers.items()),
    )
    match decision:
        case Forward(route, target):
            members = rules.pools[route.pool or ""].members
            only = members[0] if len(members) == 1 else None
            base, host = (only.base, only.host) if only is not None else (b"", b"(the member that is elected)")
            head = b"%b %b%b HTTP/1.1\r\nHost: %b\r\n%b" % (question.method.encode(), base, target, host, lines)
            sentence = f"forwarded to {route.pool} as {readable(base + target)}"
            return _with(
                told, outcome="forward", pool=route.pool or "", target=readable(target), sentence=sentence,
                forwarded=masked(head, rules.site).strip(),
            )  # fmt: skip
        case Redirect(status, location):
            shown = readable(location)
            sentence = f"redirected with {status} to {shown}"
            return _with(told, outcome="redirect", status=status, location=shown, sentence=sentence)
        case Respond(status, _, cause):
            sentence = f"answered here with {status}" + (f": {cause}" if cause else "")
            return _with(told, status=status, sentence=sentence)


def _with(told: Explanation, **changes: object) -> Explanation:
    return replace(told, **changes)


def spelled(told: Explanation) -> str:
    """The explanation as text for a terminal."""
    lines = [*told.request.split("\n"), f"(from {told.client}, listener {told.listener or 'none'})", ""]
    width = max((len(" ".join(step.address)) for step in told.steps), default=0)
    for step in told.steps:
        lines.append(f"{' '.join(step.address):{width}}  {step.verdict:8}  {step.reason}")
        lines += [f"{'':{width}}            {detail}" for detail in step.details]
    lines += ["", told.sentence]
    lines += [f"  {name} = {value}" for name, value in told.environment.items()]
    lines += [f"  {line}" for line in told.fields]
    lines += [f"  > {line}" for line in told.forwarded.split("\n") if line]
    return "\n".join(lines)
