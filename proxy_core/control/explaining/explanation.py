"""The way of a request with its trace, as plain data for people.

``explain`` tells it of a request that might come, ``inspect`` of one that came. Secrets are masked here, and only here:
nothing that is shown may leave without it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import NamedTuple

from msgspec.structs import replace

from proxy_core.balance.pool import BoundMember
from proxy_core.config.model import Site
from proxy_core.control.explaining.effective_settings import options
from proxy_core.control.explaining.kept_verdict import verdict
from proxy_core.control.question import Explanation, Verdict
from proxy_core.http.target import readable
from proxy_core.rules.decision import Forward, Redirect, Respond, Step
from proxy_core.rules.facts import FactKey, Need
from proxy_core.runtime.exchange import Exchange
from proxy_core.secret_values import is_secret_field, masked_head
from proxy_core.serve.way import Way


class Findings(NamedTuple):
    """What going the way of a request again has found."""

    exchange: Exchange
    """The request, with the facts that its rules asked for."""
    way: Way | Need | Respond
    """What becomes of it; a Respond where it met no rule."""
    steps: Sequence[Step]
    """What was tried, in order."""
    listener: str
    """The listener that it came in at, "" for none."""
    member: BoundMember | None = None
    """The member that gets it, None where that is not known."""
    forwarded: bytes = b""
    """The head for the member."""


def explanation(found: Findings) -> Explanation:
    """What was found, in words. What rules made of a secret is masked wherever it stands: in captures, variables, keys
    of maps."""
    site, head = found.exchange.rules.site, found.exchange.head
    secrets = _secrets(head, site)
    explained = _explained(found)
    return _without(explained, partial(_hidden, secrets)) if secrets else explained


def _explained(found: Findings) -> Explanation:
    exchange, way, steps, listener, member, forwarded = found
    site = exchange.rules.site
    explained = Explanation(
        request=masked(exchange.head, site).strip(),
        client=exchange.view.client,
        listener=listener,
        steps=tuple(_verdict(step, site) for step in steps),
        outcome="respond",
        sentence=_waits(way) if isinstance(way, Need) else "",
        facts=tuple(_shown(fact, answer) for fact, answer in exchange.facts.answers.items()),
        generation=exchange.rules.generation,
    )
    if isinstance(way, Need):
        return explained
    decision = way.decision if isinstance(way, Way) else way
    extras, route = decision.extras, decision.route
    explained = replace(
        explained,
        rule=(route.rows, route.id) if route is not None else (),
        fields=tuple(masked(line, site) for line in extras.fields) if extras is not None else (),
        environment={name: readable(value) for name, value in extras.env} if extras is not None else {},
    )
    match decision:
        case Forward(route, target):
            assert isinstance(way, Way)
            pool, base = route.pool or "", readable(member.base) if member is not None else ""
            kept = verdict(exchange, way) if route.cache else ""
            return replace(
                explained, outcome="forward", pool=pool, member=member.key.member if member else "",
                target=readable(target), forwarded=masked(forwarded, site).strip(),
                settings=options(site, way.host.name, decision, member, kept),
                sentence=f"forwarded to {pool} as {base}{readable(target)}",
            )  # fmt: skip
        case Redirect(status, location):
            sentence = f"redirected with {status} to {readable(location)}"
            return replace(explained, outcome="redirect", status=status, location=readable(location), sentence=sentence)
        case Respond(status, route, cause):
            sentence = f"answered here with {status}" + (f": {cause}" if cause else "")
            explained = replace(explained, status=status, sentence=sentence)
            if isinstance(way, Way) and route is not None and route.folder:
                explained = replace(explained, settings=options(site, way.host.name, decision, None))
            return explained


def _waits(need: Need) -> str:
    kind, name, _ = need.key
    if kind == "map":
        return f"it goes on when map {name} is asked, which is a program or a database: press enter"
    if kind == "forward_auth":
        return f"forward_auth {name} is asked first, and decides; --ask really asks it"
    return "what its rules asked for did not come in time"


def _shown(fact: FactKey, answer: str | None) -> tuple[str, str, str, str | None]:
    """A fact without the password that it may be about, and without what a service was told and gives."""
    kind, name, key = fact
    if kind == "forward_auth":
        told = re.search(r"X-Forwarded-Uri: ([^\r]*)", key)
        return kind, name, told[1] if told else "", (answer or "").partition("\r\n")[0].strip()
    if kind in ("listing", "listed") and answer is not None:
        return kind, name, key, f"{len(answer.split(chr(0))) if answer else 0} names"
    return kind, name, key.partition(":")[0] if kind == "password" else key, answer


@lru_cache(64)
def _of_site(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(map(str.lower, names))


masked_value = re.compile(r"\(\d+ bytes, masked\)\s*$").search
"""Finds what ``masked`` puts in the place of a secret."""


def masked(head: bytes, site: Site) -> str:
    """A head as text, with the values of what is secret, also by the site's own word, replaced by their length."""
    text = head.decode("utf-8", "backslashreplace")
    return masked_head(text, _of_site(site.site.secret_headers)).replace("\r\n", "\n")


def _verdict(step: Step, site: Site) -> Verdict:
    """A line of a trace as plain data; its details may be field lines."""
    details = tuple(masked(line.encode("utf-8", "replace"), site) for line in step.details)
    return Verdict(address=step.address, verdict=step.verdict, reason=step.reason, details=details)


def _secrets(head: bytes, site: Site) -> tuple[str, ...]:
    """The values of a head's secrets and the longer words in them, the longest first, but for what anybody may see
    since it also stands elsewhere in the head."""
    names = _of_site(site.site.secret_headers)
    fields = (line.partition(":") for line in readable(head).split("\n")[1:])
    values = [value.strip() for name, _, value in fields if is_secret_field(name, names)]
    words = {word for value in values for word in re.split(r"[\s,;]+", value)}
    words |= {word.partition("=")[2] for word in words}
    public = masked(head, site)
    secret = {*values, *(word for word in words if len(word) > 5 and word.lower() not in _SCHEMES)}
    return tuple(sorted((each for each in secret if each and each not in public), key=len, reverse=True))


_SCHEMES = {"basic", "bearer", "digest", "negotiate"}


def _hidden(secrets: tuple[str, ...], text: str) -> str:
    for each in secrets:
        text = text.replace(each, "(masked)")
    return text


def _without(explained: Explanation, hide: Callable[[str], str]) -> Explanation:
    steps = (
        replace(each, reason=hide(each.reason), details=tuple(map(hide, each.details))) for each in explained.steps
    )
    return replace(
        explained,
        steps=tuple(steps),
        sentence=hide(explained.sentence),
        location=hide(explained.location),
        target=hide(explained.target),
        forwarded=hide(explained.forwarded),
        fields=tuple(map(hide, explained.fields)),
        environment={name: hide(value) for name, value in explained.environment.items()},
        facts=tuple((kind, name, hide(key), answer and hide(answer)) for kind, name, key, answer in explained.facts),
    )
