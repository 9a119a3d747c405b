"""Rows of [[headers]] compiled into Edits: what each does to the fields of a request or an answer.

``apply_edits`` does them. Values are read as ``parse_format_string`` in modules/metadata/mod_headers.c reads them. An
edit that says the same for every request is *steady*: what it makes of one block of lines may be used again for an
equal block. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial

from msgspec import Struct, field
from msgspec.structs import force_setattr

from proxy_core.config.model import HeaderRule
from proxy_core.errors import Address
from proxy_core.http.target import as_bytes_text
from proxy_core.rules.expression.evaluation import Expr, ExprFailure, compile_expr, compile_string
from proxy_core.rules.expression.sub_and_split import Walk, walk
from proxy_core.rules.facts import Unknown
from proxy_core.rules.fields.edit_scope import Moment
from proxy_core.rules.fields.expiry import Expiry
from proxy_core.rules.text import pattern
from proxy_core.rules.text.pattern import Pattern

_TAG = re.compile(r"%\{([^}]*)\}([es])|%([tD%])|\\([rnt\\])|(%)")
_ESCAPED = {"r": "\r", "n": "\n", "t": "\t", "\\": "\\"}


Value = Callable[[Moment], str]


class Edit(Struct, frozen=True):
    """A row, ready to be done."""

    address: Address
    """Where the row stands in the site file."""
    action: str
    """What is done: "set", "unset", "edit*" and the others of [[headers]], and "via", "via+" and "id" of our own."""
    name: bytes
    """The name of the field in lower case."""
    spelled: bytes
    """The name of the field as it is written out."""
    value: Value
    """Makes the value for a request."""
    steady: bool
    """Whether the value is the same for every request, and the edit is always done."""
    regex: Pattern | None = None
    """Finds the names of the fields that "echo" repeats."""
    walk: Walk | None = None
    """Finds what "edit" and "edit*" replace."""
    holds: Callable[[Moment], object] | None = None
    """The row's condition, None for none."""
    asks: bool = False
    """Whether its condition or its value is an expression, which may ask for a fact."""


class Edits(Struct, frozen=True, eq=False):
    """All edits of one kind of request."""

    request: tuple[Edit, ...]
    """Done to the fields of a request on its way up."""
    response: tuple[Edit, ...]
    """Done to the fields of a member's answer."""
    always: tuple[Edit, ...]
    """Done to the proxy's own fields, of whatever answer (Header always)."""
    server: bytes | None = None
    """The host's own name for X-Forwarded-Server; None where the site's word holds."""
    adds: bool | None = None
    """Whether X-Forwarded-* are added at all; None where the site's word holds."""
    early: tuple[Edit, ...] = ()
    """Done to the fields of a request before any other rule."""
    names: frozenset[bytes] = frozenset()
    """Fields of requests that edits are about, in lower case, as far as CGI takes other names for them."""
    expiry: Expiry = field(default_factory=dict)
    """How long answers may be kept, by their media type."""
    told: tuple[Edit, ...] = ()
    """Stand for the fields that a service goes by which is asked first. Nothing is done to them."""

    requests: bool = False
    """Whether requests are changed in any way. This and what follows comes of the rest, whatever is given."""
    asking: tuple[Edit, ...] = ()
    """The edits of answers that may ask for a fact."""
    steady_request: bool = False
    """Whether every request is edited alike."""
    steady_answer: bool = False
    """Whether every answer is edited alike."""

    def __post_init__(self) -> None:
        put, answer = partial(force_setattr, self), (*self.always, *self.response)
        put("requests", bool(self.request or self.told) or self.server is not None or self.adds is not None)
        put("asking", tuple(edit for edit in answer if edit.asks))
        put("steady_request", all(edit.steady for edit in self.request))
        put("steady_answer", not self.expiry and all(edit.steady for edit in answer))


def alike(edits: Iterable[Edit]) -> frozenset[bytes]:
    """The names that edits are about, of those that CGI does not tell from others. What repeats or notes a field is
    about none."""
    names = (edit.name for edit in edits if edit.action not in ("echo", "note"))
    return frozenset(name for name in names if b"-" in name or b"_" in name)


def compile_edit(row: HeaderRule) -> Edit:
    """A row that ``lint`` found no error in. Raises PatternError, ExprError and ValueError."""
    value, steady = compile_value(row.value)
    regex = pattern.compile(row.pattern) if row.action == "echo" else None
    found = walk(as_bytes_text(row.pattern), False) if row.action in ("edit", "edit*") else None
    holds = condition(row.env, row.expr)
    spelled = row.name.encode("latin-1")
    asks = bool(row.expr) or (row.value.startswith("expr=") and not steady)
    steady = steady and holds is None and row.action not in ("echo", "note")
    return Edit(("headers", row.id), row.action, spelled.lower(), spelled, value, steady, regex, found, holds, asks)


def compile_value(text: str) -> tuple[Value, bool]:
    """The value for a request, and whether it is always the same (``parse_format_string``). Raises ValueError for a
    format that is none, ExprError for an expression that is none."""
    if text.startswith("expr="):
        made = compile_string(text.removeprefix("expr="))
        if made.constant is not None:
            constant = made.constant
            return (lambda moment: constant), True
        return (lambda moment: made.value(moment.scope)), False
    parts: list[Value | str] = []
    at = 0
    whole = as_bytes_text(text)
    for tag in _TAG.finditer(whole):
        parts.append(whole[at : tag.start()])
        at = tag.end()
        parts.append(_tag(tag, whole))
    parts.append(whole[at:])
    if all(isinstance(part, str) for part in parts):
        joined = "".join(part for part in parts if isinstance(part, str))
        return (lambda moment: joined), True
    return (lambda moment: "".join([part if isinstance(part, str) else part(moment) for part in parts])), False


def _tag(tag: re.Match[str], whole: str) -> Value | str:
    name, kind, single, escaped, stray = tag.groups()
    if stray is not None:
        raise ValueError(f"the % at character {tag.start() + 1} begins no format: %{{NAME}}e, %{{NAME}}s, %t, %D or %%")
    if escaped is not None:
        return _ESCAPED[str(escaped)]
    if single is not None:
        if single == "%":
            return "%"
        return (lambda moment: f"t={moment.at}") if single == "t" else (lambda moment: f"D={moment.taken}")
    if kind == "e":
        return lambda moment: _flat(moment.scope.env.get(str(name).lower(), ("", "(null)"))[1])
    return lambda moment: _flat(moment.scope.variable(f"SSL:{name}") or "(null)")


def _flat(value: str) -> str:
    """A value without line ends, each being a blank (``unwrap_header``)."""
    return value.replace("\r", " ").replace("\n", " ")


def condition(env: str, expr: str) -> Callable[[Moment], bool] | None:
    """Whether an expression holds or a variable is set (with ! in front: is not); None where nothing is asked. Raises
    ExprError."""
    if expr:
        compiled = compile_expr(expr)
        return lambda moment: _true(compiled, moment)
    if env:
        name, wanted = env.removeprefix("!").lower(), not env.startswith("!")
        return lambda moment: (name in moment.scope.env) is wanted
    return None


def _true(expr: Expr, moment: Moment) -> bool:
    """httpd does what a condition that fails to be evaluated was about."""
    moment.scope.looked_at.clear()
    try:
        holds = expr.truth(moment.scope)
    except ExprFailure:
        return True
    except Unknown:
        if not moment.scope.status:
            raise
        return True
    moment.varies += moment.scope.looked_at
    return holds
