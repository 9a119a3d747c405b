"""Variables of a request: SetEnvIf, SetEnvIfExpr, SetEnv, and ModSecurity's SecRule with setenv.

A row takes a text, transforms it (``TRANSFORMS``, ModSecurity's t:…), and sets its variable where a pattern is found.
Rows run in order, and later ones see what earlier ones set (modules/metadata/mod_setenvif.c). Rewrite conditions see
all of it, but for rows that are ``late`` or for a location.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Sequence
from functools import reduce
from urllib.parse import unquote_to_bytes

from msgspec import Struct

from proxy_core.config.model import EnvRule
from proxy_core.http.escaping import base64_decoded, uri_escaped
from proxy_core.http.request_view import spellings
from proxy_core.http.target import readable
from proxy_core.rules.decision import Step, Trace
from proxy_core.rules.expression import evaluation
from proxy_core.rules.facts import Unknown
from proxy_core.rules.text import pattern, template
from proxy_core.rules.text.pattern import Groups, Pattern
from proxy_core.rules.text.template import Template
from proxy_core.rules.text.variables import Scope

Transform = Callable[[str], str]


def _bytes(change: Callable[[bytes], bytes]) -> Transform:
    return lambda text: change(text.encode("latin-1", "replace")).decode("latin-1")


def _unhex(data: bytes) -> bytes:
    try:
        return binascii.unhexlify(data)
    except binascii.Error:
        return b""


TRANSFORMS: dict[str, Transform] = {
    "sha1": _bytes(lambda data: hashlib.sha1(data, usedforsecurity=False).digest()),
    "md5": _bytes(lambda data: hashlib.md5(data, usedforsecurity=False).digest()),
    "sha256": _bytes(lambda data: hashlib.sha256(data).digest()),
    "hex": _bytes(binascii.hexlify),
    "hexdecode": _bytes(_unhex),
    "base64": _bytes(base64.b64encode),
    "base64decode": _bytes(base64_decoded),
    "lowercase": _bytes(bytes.lower),
    "uppercase": _bytes(bytes.upper),
    "trim": lambda text: text.strip(" \t\n\v\f\r"),
    "urlencode": uri_escaped,
    "urldecode": _bytes(lambda data: unquote_to_bytes(data.replace(b"+", b" "))),
    "length": lambda text: str(len(text)),
}


class Setter(Struct, frozen=True):
    """A row of [[env]] as requests meet it."""

    subject: Callable[[Scope], str]
    """Makes the text that is looked at."""
    transforms: tuple[Transform, ...]
    """What is done to that text, in order."""
    capture: Pattern | None
    """Is looked for in it; None where every text will do."""
    value: Template | None
    """What the variable is set to; None for what was found."""
    test: Callable[[Scope], bool] | None
    """The row's expression; it stands in place of subject and capture."""
    row: EnvRule
    """The row as configured."""


def compile(row: EnvRule) -> Setter:
    """Compile a row that ``lint`` found no error in. Raises PatternError and ExprError."""
    return Setter(
        subject=_field(pattern.compile(row.fields, row.nocase)) if row.fields else template.compile(row.from_).expand,
        transforms=tuple(TRANSFORMS[name] for name in row.transform),
        capture=pattern.compile(row.capture, row.nocase) if row.capture else None,
        value=None if row.value is None else template.compile(row.value),
        test=expression(row.expr) if row.expr else None,
        row=row,
    )


def run_late(setters: Sequence[Setter], scope: Scope, trace: Trace | None = None) -> None:
    """Set what the rows say behind all others, where nothing else has (mod_env.c). Raises Unknown and Runaway."""
    run([setter for setter in setters if setter.row.name.lower() not in scope.env], scope, trace)


def run(setters: Sequence[Setter], scope: Scope, trace: Trace | None = None) -> None:
    """Set what the rows say. Raises Unknown and Runaway."""
    for setter in setters:
        row = setter.row
        details: list[str] | None = None
        if trace is not None:
            details = scope.looked_up = []
        subject, groups, held = _looked(setter, scope)
        if held is row.negate:
            if trace is not None:
                found = row.capture or row.expr
                why = f'"{found}" is {"" if row.negate else "not "}found in "{readable(subject)}"'
                trace.append(Step(("env", row.id), "no match", why, details or ()))
            continue
        if row.unset:
            scope.unset(row.name)
        else:
            scope.set(row.name, _value(setter, scope, subject, groups))
        if trace is not None:
            value = scope.env.get(row.name.lower())
            why = f"unset {row.name}" if value is None else f'{row.name} = "{readable(value[1])}"'
            trace.append(Step(("env", row.id), "match", why, details or ()))


def _looked(setter: Setter, scope: Scope) -> tuple[str, Groups | None, bool]:
    """What was looked at, what was found in it, and whether that counts as found."""
    if setter.test is not None:
        scope.condition = None
        held = setter.test(scope)
        return "", scope.condition, held
    subject = reduce(lambda text, change: change(text), setter.transforms, setter.subject(scope))
    if setter.capture is None:
        return subject, None, True
    groups = setter.capture.search(subject)
    return subject, groups, groups is not None


def _field(names: Pattern) -> Callable[[Scope], str]:
    """The last field of a request whose name, as it was spelled first, the pattern finds (``match_headers``)."""

    def look(scope: Scope) -> str:
        if scope.facts.lost is not None and scope.facts.lost(""):
            raise Unknown(("field", "", ""))
        fitting = [name for name in spellings(scope.view.head) if names.search(name) is not None]
        return scope.header(fitting[-1]) or "" if fitting else ""

    return look


def _value(setter: Setter, scope: Scope, subject: str, groups: Groups | None) -> str:
    if setter.value is not None:
        scope.rule = groups
        return setter.value.expand(scope)
    if groups is not None and len(groups) > 1:
        return groups[1] or ""
    return subject if setter.capture is None and setter.test is None else "1"


def expression(text: str) -> Callable[[Scope], bool]:
    """An expression as a test; what its last pattern found goes to ``scope.condition``."""
    compiled = evaluation.compile_expr(text)

    def test(scope: Scope) -> bool:
        captures = evaluation.Captures()
        held = compiled.holds(scope, captures, scope.looked_up)
        scope.condition = captures.groups or None
        return held

    return test
