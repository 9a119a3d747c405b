"""Conditions of rewrite rules: ``cmd_rewritecond`` and ``apply_rewrite_cond`` in modules/mappers/mod_rewrite.c.

A condition is read once into a test of the expanded text. Only regular expressions and expressions set what %N stands
for, where they match and are not negated. < and > compare by length first and only then by bytes, which is odd and is
Apache's.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence

from msgspec import Struct

from proxy_core.config.model import RewriteCond
from proxy_core.http.target import as_bytes_text, readable
from proxy_core.rules.expression import evaluation
from proxy_core.rules.expression.functions import COMPARES, lower
from proxy_core.rules.text import pattern, template
from proxy_core.rules.text.template import Template
from proxy_core.rules.text.variables import Scope, is_unasked

Test = Callable[[Scope, str], bool]

_ORDERS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq}
_NUMBERS = ("-eq", "-ne", "-lt", "-le", "-gt", "-ge")
FILE_TESTS = {"-f": "-f", "-d": "-d", "-s": "-s", "-x": "-x", "-h": "-l", "-L": "-l", "-l": "-l"}
"""File tests by their spellings; the three for symbolic links are one."""
FLAGS = {"NC": "nc", "NOCASE": "nc", "OR": "or", "ORNEXT": "or", "NV": "nv", "NOVARY": "nv"}


class Condition(Struct, frozen=True):
    """A condition as rules test it."""

    subject: Template
    """The text that is tested; empty for expressions, which look for themselves."""
    test: Test
    """Tests the text, once it is filled in."""
    kind: str
    """"pattern", "text", "number", "file", "lookahead" or "expr"."""
    negated: bool
    """Whether the condition holds where the test fails: a ! before the pattern."""
    or_next: bool
    """Whether it is enough that this condition or the next holds: [OR]."""
    no_vary: bool
    """Whether the fields that it looks at do not count for Vary: [NV]."""
    spelled: str
    """The condition as people read it."""
    fails: Callable[[Scope], bool] | None
    """Tells of a request that it does not hold, where that asks for no fact and cannot run away; keeps no group. None
    where more counts."""
    pattern: pattern.Pattern | None = None
    """The regular expression of the kind "pattern"."""

    def holds(self, scope: Scope, details: list[str] | None = None) -> bool:
        """Whether it holds. ``details`` gets a line with the value and the verdict. Raises Unknown and Runaway."""
        value = self.subject.read(scope)
        held = self.test(scope, value) is not self.negated
        if details is not None:
            shown = "" if self.kind == "expr" else f' "{readable(value)}"'
            details.append(f"condition {self.spelled}:{shown} {'holds' if held else 'does not hold'}")
        return held


class ConditionError(ValueError):
    """A condition that cannot be read. ``field`` is the key at fault, ``position`` is 0-based within it, or -1."""

    def __init__(self, what: str, todo: str, field: str = "pattern", position: int = -1) -> None:
        super().__init__(what)
        self.todo = todo
        self.field = field
        self.position = position


def compile(row: RewriteCond, captures: bool = True) -> Condition:
    """Read a row. ``captures``: something of its rule reads what %N stands for. Raises ConditionError."""
    flags = set()
    for flag in row.flags:
        known = FLAGS.get(flag.strip().upper())
        if known is None:
            raise ConditionError(f'there is no flag "{flag}"', "write NC, OR or NV", "flags")
        flags.add(known)
    text, negated = row.pattern, False
    if text.startswith("!"):
        text, negated = text[1:], True
    kind, test, found = _reading(row, text, "nc" in flags, captures)
    subject = template.compile("" if kind == "expr" else row.test)
    return Condition(
        subject,
        test,
        kind,
        negated,
        "or" in flags,
        "nv" in flags,
        f"{'expr' if kind == 'expr' else row.test} {row.pattern}{' [NC]' if 'nc' in flags else ''}",
        _fails(subject, kind, test, negated, found),
        found,
    )


def _reading(row: RewriteCond, text: str, nocase: bool, captures: bool) -> tuple[str, Test, pattern.Pattern | None]:
    """Kind and test of a pattern without its !."""
    if row.test.lower() == "expr":
        return "expr", _expression(text), None
    if text in FILE_TESTS:
        return "file", _file(FILE_TESTS[text]), None
    if text in ("-U", "-F"):
        return "lookahead", _lookahead(text), None
    if text[:3] in _NUMBERS and len(text) > 3:
        compare, limit = COMPARES[text[:3]], text[3:]
        return "number", lambda scope, value: compare(value, limit), None
    if text[:1] in ("<", ">", "=") and len(text) > 1:
        return "text", _comparison(text, nocase), None
    try:
        compiled = pattern.compile(text, nocase)
    except pattern.PatternError as error:
        raise ConditionError(
            f"the pattern {text} does not compile: {error} at position {error.position + 1}", "correct it",
            position=error.position,
        ) from None  # fmt: skip
    return "pattern", _search(compiled) if captures and not row.pattern.startswith("!") else _find(compiled), compiled


def _fails(
    subject: Template, kind: str, test: Test, negated: bool, found: pattern.Pattern | None
) -> Callable[[Scope], bool] | None:
    if not all(sort == "variable" and is_unasked(name) for sort, name in subject.names):
        return None
    read = subject.read
    if found is None:
        return (lambda scope: test(scope, read(scope)) is negated) if kind in ("text", "number") else None
    sure, needs = found.sure, found.needs
    if negated or not needs:
        return lambda scope: sure(read(scope)) is negated
    return lambda scope: needs not in (value := read(scope)) or sure(value) is False


def first_fails(rows: Sequence[Condition]) -> Callable[[Scope], bool] | None:
    """``Condition.fails`` of the first of these, or of it and all that may hold in its place; None where they cannot
    tell."""
    end = next((number for number, row in enumerate(rows) if not row.or_next), None)
    known = [row.fails for row in rows[: end + 1] if row.fails is not None] if end is not None else []
    if end is None or len(known) <= end:
        return None
    return known[0] if end == 0 else lambda scope: all(fails(scope) for fails in known)


def _order(value: str, nocase: bool) -> tuple[int, str]:
    """What texts are sorted by: length first, but for NC, which is a plain strcasecmp."""
    return (0, lower(value)) if nocase else (len(value), value)


def _comparison(text: str, nocase: bool) -> Test:
    sign = text[:2] if text[:2] in ("<=", ">=") else text[:1]
    wanted = as_bytes_text(text[len(sign) :])
    if sign == "=" and wanted == '""':
        wanted = ""
    limit = _order(wanted, nocase)
    compare = _ORDERS[sign]
    return lambda scope, value: compare(_order(value, nocase), limit)


def _search(compiled: pattern.Pattern) -> Test:
    search = compiled.search

    def test(scope: Scope, value: str) -> bool:
        groups = search(value)
        if groups is None:
            return False
        scope.condition = groups
        return True

    return test


def _find(compiled: pattern.Pattern) -> Test:
    finds = compiled.finds
    return lambda scope, value: finds(value) is not None


def _file(kind: str) -> Test:
    return lambda scope, value: bool(value) and scope.fact("file", kind, value) is not None


def _lookahead(kind: str) -> Test:
    def test(scope: Scope, value: str) -> bool:
        if not value:
            return False
        if kind == "-F":
            return not scope.subrequest and scope.fact("file", "-f", value) is not None
        seen = scope.look(value)
        return seen is not None and seen[1] < 400

    return test


def _expression(text: str) -> Test:
    """An expression. Its last pattern with groups is what %N stands for afterwards, where it holds."""
    try:
        compiled = evaluation.compile_expr(text)
    except evaluation.ExprError as error:
        raise ConditionError(str(error), "correct the expression", position=error.column - 1) from None

    def test(scope: Scope, value: str) -> bool:
        captures = evaluation.Captures()
        held = compiled.holds(scope, captures, scope.looked_up)
        if held and captures.groups:
            scope.condition = captures.groups
        return held

    return test
