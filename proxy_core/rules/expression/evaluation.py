"""httpd's expressions (ap_expr): conditions and texts about a request, as RewriteCond expr, SetEnvIfExpr, Require expr
and "expr=" in headers take them.

``parser`` reads each configured text once, into ``operations``. Evaluating is pure and bounded: an expression is
shallow, and patterns end at their limits (``pattern.Runaway`` passes through).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from msgspec import Struct

from proxy_core.rules.expression import parser
from proxy_core.rules.expression.functions import ExpressionScope, ExprFailure
from proxy_core.rules.expression.operations import Captures, Run
from proxy_core.rules.expression.scanner import ExprError

__all__ = [
    "Captures",
    "Expr",
    "ExprError",
    "ExprFailure",
    "ExpressionScope",
    "StringExpr",
    "compile_expr",
    "compile_string",
]


class Expr(Struct, frozen=True):
    """A compiled condition."""

    text: str
    _truth: Callable[[Run], bool]

    def truth(self, scope: ExpressionScope, captures: Captures | None = None, detail: list[str] | None = None) -> bool:
        """Whether it holds. Given ``captures``, $0 to $9 come from there and are left there. ``detail`` gets a line for
        each comparison that was made, with its values. Raises ExprFailure, and Runaway of a pattern."""
        return self._truth(Run(scope, captures if captures is not None else Captures(), detail))

    def holds(self, scope: ExpressionScope, captures: Captures, detail: list[str] | None) -> bool:
        """As ``truth``, but where the expression has no value it does not hold, and ``detail`` says why."""
        try:
            return self.truth(scope, captures, detail)
        except ExprFailure as failure:
            if detail is not None:
                detail.append(f"the expression has no value: {failure}")
            return False


class StringExpr(Struct, frozen=True):
    """A compiled text. ``constant`` is the text itself where nothing in it depends on the request, else None."""

    text: str
    constant: str | None
    _text: Callable[[Run], str]

    def value(self, scope: ExpressionScope, captures: Captures | None = None, detail: list[str] | None = None) -> str:
        """The text for a request; arguments and errors as for Expr.truth."""
        return self._text(Run(scope, captures if captures is not None else Captures(), detail))


@lru_cache(4096)
def compile_expr(text: str) -> Expr:
    """The condition for a configured text; equal ones are compiled once. Raises ExprError."""
    return Expr(text, parser.truth(text).holds)


@lru_cache(4096)
def compile_string(text: str) -> StringExpr:
    """The text for a configured text with ``%{…}`` in it; equal ones are compiled once. Raises ExprError."""
    read = parser.string(text)
    return StringExpr(text, read.literal, read.value)
