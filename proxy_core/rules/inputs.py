"""What of a request the rules of a host read, as far as that can be told from how they are written.

Told is what texts name: variables, fields, the address of the client, variables that rows set. What cannot be told is
read by expressions, maps, tests of files, look-aheads, passwords and services; a site's own word for what it reads is
never guessed. A host with one of these has no Inputs, and its decisions are not remembered by them (``memory``). The
tables below say of each variable what it reads; one that stands in none of them cannot be told either. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from msgspec import Struct

from proxy_core.http.request_view import RequestView
from proxy_core.rules.access.authorization import Guard
from proxy_core.rules.decision import NO_EXTRAS, Forward, Redirect, Respond
from proxy_core.rules.env import Setter
from proxy_core.rules.locations import BoundSection
from proxy_core.rules.memory import EveryInput, FieldBlocks
from proxy_core.rules.rewriting.conditions import Condition
from proxy_core.rules.rewriting.rewrite import BoundRewrite
from proxy_core.rules.text import template
from proxy_core.rules.text.template import Template

_ALWAYS = frozenset((
    "REQUEST_URI", "QUERY_STRING", "REQUEST_FILENAME", "SCRIPT_FILENAME", "REQUEST_METHOD", "REQUEST_SCHEME", "HTTPS",
    "SERVER_NAME", "SERVER_PORT", "HTTP_HOST", "DOCUMENT_ROOT", "CONTEXT_DOCUMENT_ROOT", "PATH_INFO", "IS_SUBREQ",
    "REMOTE_USER", "AUTH_TYPE",
))  # fmt: skip
"""Variables that come of the target, the method, the host, the scheme and the port, or of nothing: nobody shows a
password where Inputs are known."""
_ADDRESSES = frozenset(("REMOTE_ADDR", "REMOTE_HOST", "IPV6", "SERVER_ADDR"))
_REQUEST_LINE = frozenset(("THE_REQUEST", "SERVER_PROTOCOL"))
_FIELDS = {
    "HTTP_ACCEPT": "accept", "HTTP_COOKIE": "cookie", "HTTP_FORWARDED": "forwarded", "HTTP_REFERER": "referer",
    "HTTP_USER_AGENT": "user-agent", "HTTP_PROXY_CONNECTION": "proxy-connection",
}  # fmt: skip
_REQUIRED = {"all": False, "env": False, "method": False, "ip": True, "local": True}
"""Conditions of ``require`` that can be told, and whether they read addresses."""


class Inputs(Struct, frozen=True, eq=False):
    """What is read besides the target, the method, the host, the scheme and the port, which always count."""

    addresses: bool
    """The address of the client, and the one that it connected to."""
    line: bool
    """The request line as it came."""
    names: tuple[str, ...]
    """Fields, by lower-case name."""
    blocks: FieldBlocks
    """Reads them."""
    asks: bool
    """Whether a variable may come to be that of the process, which is a fact."""

    def key(self, view: RequestView) -> EveryInput | None:
        """All that rules read of a request; None for one without a host, whose Host would have to be looked for."""
        if not view.host:
            return None
        head = view.head
        said: tuple[str | None, ...] = ()
        if self.names:
            found = self.blocks(head)
            said = tuple([found.get(name) for name in self.names])
        return (
            view.target,
            view.method,
            view.host,
            view.scheme,
            view.connection.port,
            (view.client, view.connection.address) if self.addresses else (),
            head[: head.find(b"\r\n")] if self.line else b"",
            said,
        )


def size(key: EveryInput, made: Forward | Redirect | Respond) -> int:
    """About the bytes of a key and of what was decided, as far as a client chooses them: rules may make much of a
    little."""
    target, method, host, _, _, _, line, said = key
    extras = made.extras or NO_EXTRAS
    texts = (*(value for _, value in extras.env), *extras.fields, *(each for each in said if each is not None))
    result = made.target if isinstance(made, Forward) else made.cause
    return len(target) + len(method) + len(host) + len(line) + len(result) + sum(map(len, texts))


def told(
    rules: Iterable[BoundRewrite],
    setters: Iterable[Setter],
    guard: Guard,
    sections: Sequence[BoundSection],
    blocks: FieldBlocks,
) -> Inputs | None:
    """What these read, and what the rules, setters and guards of the sections do; None where it cannot be told."""
    required = [_required(each) for each in (guard, *(section.guard for section in sections))]
    texts: list[Template | None] = []
    for rule in (*rules, *(rule for section in sections for rule in section.rules)):
        texts += [*rule.env, *rule.cookies, *(each.subject if _is_told(each) else None for each in rule.conditions)]
        texts += [rule.substitution] if rule.substitution is not None else []
    for setter in (*setters, *(setter for section in sections for setter in section.setters)):
        texts.append(None if setter.row.fields or setter.row.expr else template.compile(setter.row.from_))
        texts += [setter.value] if setter.value is not None else []
    if None in required or None in texts or any(section.test is not None for section in sections):
        return None
    named = {pair for text in texts if text is not None for pair in text.names}
    return _named(named, any(required), blocks)


def _required(guard: Guard) -> bool | None:
    """Whether what is required reads addresses; None where it cannot be told."""
    rows = guard.rule.conditions if guard.rule is not None else ()
    kinds = [_REQUIRED.get(row.text.lower().split()[0]) for row in rows]
    return None if guard.service is not None or None in kinds else any(kinds)


def _is_told(condition: Condition) -> bool:
    return condition.kind in ("pattern", "text", "number")


def _named(named: Collection[tuple[str, str]], addresses: bool, blocks: FieldBlocks) -> Inputs | None:
    """What these parts of texts read, and addresses where they are read besides."""
    line, wanted = False, set[str]()
    for kind, name in named:
        folded = name.upper()
        if kind in ("rule", "condition"):
            continue  # what patterns have found in texts that are read themselves
        if kind != "variable":
            return None
        if folded in _ADDRESSES:
            addresses = True
        elif folded in _REQUEST_LINE:
            line = True
        elif folded in _FIELDS:
            wanted.add(_FIELDS[folded])
        elif folded.startswith("HTTP:"):
            wanted.add(name[5:].lower())
        elif folded not in _ALWAYS and not folded.startswith("ENV:"):
            return None
    asks = any(kind == "variable" and name.upper().startswith("ENV:") for kind, name in named)
    return Inputs(addresses, line, tuple(sorted(wanted - {"host"})), blocks, asks)
