"""httpd's expressions (ap_expr): conditions and texts about a request, as RewriteCond expr, SetEnvIfExpr, Require expr
and "expr=" in headers take them.

``expr_parser`` reads a text into a tree, and here the tree becomes functions, once for each configured text. Evaluating
is pure: what it knows comes from the Scope, what it matched goes to the Captures. It is bounded: the tree is shallow,
patterns end at their limits (``pattern.Runaway`` passes through). The meaning is that of server/util_expr_eval.c: sides
are evaluated left to right, "and" and "or" stop as soon as they know, and a pattern with groups in it sets $0 to $9 for
what stands behind it, or empties them where it does not match.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import assert_never

from proxy_core.http.target import as_bytes_text, readable
from proxy_core.rules.access.networks import Subnet, within
from proxy_core.rules.expression import parser, tree
from proxy_core.rules.expression.names import COMPARES, FUNCTIONS, TESTS, ExpressionScope, ExprFailure
from proxy_core.rules.expression.substitution import steps
from proxy_core.rules.expression.tree import ExprError, List, Literal, Swap, Text, Truth
from proxy_core.rules.text.pattern import Groups, Pattern, group

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


@dataclass(slots=True)
class Captures:
    """What $0 to $9 stand for: the groups of the last pattern that had some. Empty where it did not match."""

    groups: Groups = ()


@dataclass(slots=True)
class _Run:
    scope: ExpressionScope
    captures: Captures = field(default_factory=Captures)
    detail: list[str] | None = None

    def says(self, truth: bool, said: str) -> bool:
        """What a comparison came to; in words where somebody wants to know."""
        if self.detail is not None:
            self.detail.append(f"{readable(said)}: {'true' if truth else 'false'}")
        return truth


_ToText = Callable[[_Run], str]
_ToList = Callable[[_Run], list[str]]
_ToTruth = Callable[[_Run], bool]


class Expr:
    """A compiled condition."""

    __slots__ = ("_truth", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._truth = _truth(parser.truth(text))

    def truth(self, scope: ExpressionScope, captures: Captures | None = None, detail: list[str] | None = None) -> bool:
        """Whether it holds. Given ``captures``, $0 to $9 come from there and are left there. ``detail`` gets a line for
        each comparison that was made, with its values. Raises ExprFailure, and Runaway of a pattern."""
        return self._truth(_Run(scope, captures if captures is not None else Captures(), detail))

    def holds(self, scope: ExpressionScope, captures: Captures, detail: list[str] | None) -> bool:
        """As ``truth``, but where the expression has no value it does not hold, and ``detail`` says why."""
        try:
            return self.truth(scope, captures, detail)
        except ExprFailure as failure:
            if detail is not None:
                detail.append(f"the expression has no value: {failure}")
            return False

    def __repr__(self) -> str:
        return f"Expr({self.text!r})"


class StringExpr:
    """A compiled text. ``constant`` is the text itself where nothing in it depends on the request, else None."""

    __slots__ = ("_text", "constant", "text")

    def __init__(self, text: str) -> None:
        read = parser.string(text)
        self.text = text
        self.constant = read.text if isinstance(read, Literal) else None
        self._text = _text(read)

    def value(self, scope: ExpressionScope, captures: Captures | None = None, detail: list[str] | None = None) -> str:
        """The text for a request; arguments and errors as for Expr.truth."""
        return self._text(_Run(scope, captures if captures is not None else Captures(), detail))

    def __repr__(self) -> str:
        return f"StringExpr({self.text!r})"


@lru_cache(4096)
def compile_expr(text: str) -> Expr:
    """The condition for a configured text; equal ones are compiled once. Raises ExprError."""
    return Expr(text)


@lru_cache(4096)
def compile_string(text: str) -> StringExpr:
    """The text for a configured text with ``%{…}`` in it; equal ones are compiled once. Raises ExprError."""
    return StringExpr(text)


def _text(node: Text) -> _ToText:
    match node:
        case tree.Literal(text):
            return lambda run: text
        case tree.Var(name):
            return lambda run: run.scope.variable(name)
        case tree.Back(number):
            return lambda run: group(run.captures.groups, number)
        case tree.Call(name, arguments):
            function, texts = FUNCTIONS[name], [_text(each) for each in arguments]
            return lambda run: function(run.scope, tuple([each(run) for each in texts]))
        case tree.Concat(parts):
            pieces = [_text(each) for each in parts]
            return lambda run: "".join([each(run) for each in pieces])
        case tree.Join(source, between):
            words, separator = _list(source), _text(between)
            return lambda run: _joined(run, words, separator)
        case tree.Sub(subject, swap):
            whole, replaced = _text(subject), _replaced(swap)
            return lambda run: "".join(replaced(run, whole(run), swap.every))
        case tree.Said(said):
            holds = _truth(said)
            return lambda run: "true" if holds(run) else "false"
        case _:
            assert_never(node)


def _joined(run: _Run, words: _ToList, separator: _ToText) -> str:
    found = words(run)
    return separator(run).join(found)


def _list(node: List) -> _ToList:
    match node:
        case tree.Words(words):
            texts = [_text(each) for each in words]
            return lambda run: [each(run) for each in texts]
        case tree.Split(swap, source):
            whole, parts = _list(source), _replaced(swap)
            return lambda run: [part for each in whole(run) for part in parts(run, each, True)]
        case _:
            assert_never(node)


def _replaced(swap: Swap) -> Callable[[_Run, str, bool], list[str]]:
    """The pieces of a text, each with what its match is replaced by, and what is left behind the last."""
    replacement = None if swap.replacement is None else _text(swap.replacement)

    def pieces(run: _Run, text: str, every: bool) -> list[str]:
        found = []
        for step in steps(swap.walk, text):
            if step.groups is None or replacement is None:
                found.append(step.before)
            else:
                run.captures.groups = step.groups
                found.append(step.before + replacement(run))
            if not every:
                return [*found, step.rest]
        return found

    return pieces


def _truth(node: Truth) -> _ToTruth:
    match node:
        case tree.Constant(value):
            return lambda run: value
        case tree.Not(of):
            holds = _truth(of)
            return lambda run: not holds(run)
        case tree.And(truths):
            every = [_truth(each) for each in truths]
            return lambda run: all(each(run) for each in every)
        case tree.Or(truths):
            some = [_truth(each) for each in truths]
            return lambda run: any(each(run) for each in some)
        case tree.Unary(name, word, network):
            return _tested(name, _text(word), network)
        case tree.Binary(name, left, right, network):
            return _compared(name, _text(left), _text(right), network)
        case tree.Match(word, pattern, negated):
            return _matched(_text(word), pattern, negated)
        case tree.In(word, source):
            return _contained(_text(word), _list(source))
        case _:
            assert_never(node)


def _tested(name: str, word: _ToText, network: Subnet | None) -> _ToTruth:
    if network is not None:
        return lambda run: run.says(
            within(client := run.scope.variable("REMOTE_ADDR"), network), f"{client} {name} {network}"
        )
    test = TESTS[name]
    return lambda run: run.says(test(run.scope, text := word(run)), f'{name} "{text}"')


def _compared(name: str, left: _ToText, right: _ToText, network: Subnet | None) -> _ToTruth:
    if network is not None:
        return lambda run: run.says(within(text := left(run), network), f'"{text}" {name} {network}')
    compare = COMPARES[name]

    def holds(run: _Run) -> bool:
        one, other = left(run), right(run)
        return run.says(compare(one, other), f'"{one}" {name} "{other}"')

    return holds


def _matched(word: _ToText, pattern: Pattern, negated: bool) -> _ToTruth:
    """Only a pattern that has groups touches $0 to $9, which may hold something that is still wanted."""
    shown = f"{'!~' if negated else '=~'} {as_bytes_text(pattern.text)}{' [i]' if pattern.nocase else ''}"

    def holds(run: _Run) -> bool:
        text = word(run)
        found = pattern.search(text)
        if pattern.groups:
            run.captures.groups = found or ()
        return run.says((found is None) == negated, f'"{text}" {shown}')

    return holds


def _contained(word: _ToText, words: _ToList) -> _ToTruth:
    def holds(run: _Run) -> bool:
        haystack = words(run)
        needle = word(run)
        listed = ", ".join(f'"{each}"' for each in haystack) if run.detail is not None else ""
        return run.says(needle in haystack, f'"{needle}" -in {{{listed}}}')

    return holds
