"""The tree of an expression, and the error that there is none.

Three kinds of things: a Text gives bytes as a latin-1 text, a List gives several, a Truth gives yes or no. The tree is
frozen and has no unknown names in it; ``expr_parser`` makes it, ``expr`` walks it.
"""

from __future__ import annotations

from typing import NamedTuple

from proxy_core.rules.access.networks import Subnet
from proxy_core.rules.expression.substitution import Walk
from proxy_core.rules.text.pattern import Pattern


class ExprError(ValueError):
    """An expression that means nothing. ``what`` is a sentence; ``column`` is the 1-based character where it ends to
    make sense."""

    def __init__(self, what: str, column: int) -> None:
        super().__init__(f"{what} (character {column})")
        self.what = what
        self.column = column


class Literal(NamedTuple):
    text: str


class Var(NamedTuple):
    name: str


class Back(NamedTuple):
    """$0 to $9."""

    number: int


class Call(NamedTuple):
    name: str
    arguments: tuple[Text, ...]


class Concat(NamedTuple):
    parts: tuple[Text, ...]


class Join(NamedTuple):
    list: List
    between: Text


class Sub(NamedTuple):
    subject: Text
    swap: Swap


class Said(NamedTuple):
    """A condition as a text: "true" or "false"."""

    truth: Truth


class Swap(NamedTuple):
    """What ``sub`` and ``split`` look for. ``replacement`` is None for m//; ``every`` is the flag g."""

    walk: Walk
    replacement: Text | None
    every: bool


class Words(NamedTuple):
    words: tuple[Text, ...]


class Split(NamedTuple):
    swap: Swap
    list: List


class Constant(NamedTuple):
    value: bool


class Not(NamedTuple):
    truth: Truth


class And(NamedTuple):
    truths: tuple[Truth, ...]


class Or(NamedTuple):
    truths: tuple[Truth, ...]


class Unary(NamedTuple):
    name: str
    word: Text
    subnet: Subnet | None


class Binary(NamedTuple):
    """A comparison, by the name that ``expr_names.COMPARISONS`` or ``BINARY`` gives it."""

    name: str
    left: Text
    right: Text
    subnet: Subnet | None


class Match(NamedTuple):
    word: Text
    pattern: Pattern
    negated: bool


class In(NamedTuple):
    word: Text
    list: List


Text = Literal | Var | Back | Call | Concat | Join | Sub | Said
List = Words | Split
Truth = Constant | Not | And | Or | Unary | Binary | Match | In
TRUTHS = (Constant, Not, And, Or, Unary, Binary, Match, In)
