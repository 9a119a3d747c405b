"""A decision with its trace, as plain data for people: what ``explain`` tells of a request that might come, and
``inspect`` of one that came. Secrets are masked here, and only here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache, partial

from msgspec.structs import replace

from proxy_core.config.model import Site
from proxy_core.control.view import Explanation, Setting, Verdict
from proxy_core.http.target import readable
from proxy_core.rules.decision import Decision, Forward, Redirect, Respond, Step
from proxy_core.rules.facts import FactKey, Facts, Need

SECRETS = ("Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie")


@lru_cache(64)
def _secret(names: tuple[str, ...]) -> re.Pattern[bytes]:
    either = "|".join(map(re.escape, (*SECRETS, *names))).encode()
    return re.compile(rb"(?im)^(%b)([ \t]*:[ \t]*)([^\r\n]*)" % either)


def masked(head: bytes, site: Site) -> str:
    """A head as text, with the values of credentials, cookies and the site's own secrets replaced by their length."""
    shown = _secret(site.site.secret_headers).sub(lambda m: b"%b%b(%d bytes, masked)" % (m[1], m[2], len(m[3])), head)
    return shown.decode("utf-8", "backslashreplace").replace("\r\n", "\n")


def verdict(step: Step) -> Verdict:
    """A line of a trace as plain data."""
    return Verdict(address=step.address, verdict=step.verdict, reason=step.reason, details=tuple(step.details))


def _masked(step: Verdict, site: Site) -> Verdict:
    """A step whose details are field lines."""
    return replace(step, details=tuple(masked(line.encode("utf-8", "replace"), site) for line in step.details))


def told(
    decision: Decision, steps: Sequence[Step], facts: Facts, site: Site, head: bytes, client: str, listener: str,
    holding: Sequence[Step] = (), base: str = "", forwarded: bytes = b"", settings: tuple[Setting, ...] = (),
) -> Explanation:  # fmt: skip
    """``holding`` are steps behind those that decided, ``settings`` the options in force; ``base`` is
    the path of the member's own URL, where it is known who the member is; ``forwarded`` the head for it. What rules
    made of a secret is masked wherever it stands: in captures, variables, keys of maps."""
    all_of_it = _told(decision, steps, facts, site, head, client, listener, holding, base, forwarded, settings)
    found = _secrets(head, site)
    return _without(all_of_it, partial(_hidden, found)) if found else all_of_it


def _secrets(head: bytes, site: Site) -> tuple[str, ...]:
    """The values of a head's secrets and the longer words in them, the longest first, but for what anybody may see
    since it also stands elsewhere in the head."""
    values = [readable(value) for _, _, value in _secret(site.site.secret_headers).findall(head)]
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


def _without(told: Explanation, hide: Callable[[str], str]) -> Explanation:
    steps = (replace(each, reason=hide(each.reason), details=tuple(map(hide, each.details))) for each in told.steps)
    return replace(
        told,
        steps=tuple(steps),
        sentence=hide(told.sentence),
        location=hide(told.location),
        target=hide(told.target),
        forwarded=hide(told.forwarded),
        fields=tuple(map(hide, told.fields)),
        environment={name: hide(value) for name, value in told.environment.items()},
        facts=tuple((kind, name, hide(key), said and hide(said)) for kind, name, key, said in told.facts),
    )


def _told(
    decision: Decision, steps: Sequence[Step], facts: Facts, site: Site, head: bytes, client: str, listener: str,
    holding: Sequence[Step], base: str, forwarded: bytes, settings: tuple[Setting, ...],
) -> Explanation:  # fmt: skip
    told = Explanation(
        request=masked(head, site).strip(),
        client=client,
        listener=listener,
        steps=(*map(verdict, steps), *(_masked(verdict(step), site) for step in holding)),
        outcome="respond",
        sentence=_waits(decision) if isinstance(decision, Need) else "",
        facts=tuple((*_shown(fact), answer) for fact, answer in facts.answers.items()),
        settings=settings,
    )
    if not isinstance(decision, Forward | Redirect | Respond):
        return told
    extras, route = decision.extras, decision.route
    told = replace(
        told,
        rule=(route.rows, route.id) if route is not None else (),
        fields=tuple(map(readable, extras.fields)) if extras is not None else (),
        environment={name: readable(value) for name, value in extras.env} if extras is not None else {},
    )
    match decision:
        case Forward(route, target):
            pool = route.pool or ""
            return replace(
                told, outcome="forward", pool=pool, target=readable(target), forwarded=masked(forwarded, site).strip(),
                sentence=f"forwarded to {pool} as {base}{readable(target)}",
            )  # fmt: skip
        case Redirect(status, location):
            sentence = f"redirected with {status} to {readable(location)}"
            return replace(told, outcome="redirect", status=status, location=readable(location), sentence=sentence)
        case Respond(status, _, cause):
            sentence = f"answered here with {status}" + (f": {cause}" if cause else "")
            return replace(told, status=status, sentence=sentence)


def _waits(need: Need) -> str:
    kind, name, _ = need.key
    if kind == "map":
        return f"it goes on when map {name} is asked, which is a program or a database: press enter"
    return "what its rules asked for did not come in time"


def _shown(fact: FactKey) -> FactKey:
    """A fact without the password that it may be about."""
    kind, name, key = fact
    return (kind, name, key.partition(":")[0]) if kind == "password" else fact
