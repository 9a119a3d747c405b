"""What an expression is made of: operations on texts, lists and truths, as functions that a request is put into.

``parser`` puts them together. A Text gives bytes as a latin-1 text, a List gives several, a Truth gives yes or no. The
meaning is that of server/util_expr_eval.c. Sides are evaluated left to right, "and" and "or" stop as soon as they know.
A pattern with groups in it sets $0 to $9 for what stands behind it, or empties them where it does not match. Pure: what
an operation knows comes from the scope, what it matched goes to the Captures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct, field

from proxy_core.http.target import as_bytes_text, readable
from proxy_core.rules.access.networks import Subnet, within
from proxy_core.rules.expression.functions import COMPARES, FUNCTIONS, TESTS, ExpressionScope
from proxy_core.rules.expression.sub_and_split import Walk, steps
from proxy_core.rules.text.pattern import Groups, Pattern, group


class Captures(Struct):
    """What $0 to $9 stand for: the groups of the last pattern that had some. Empty where it did not match."""

    groups: Groups = ()


class Run(Struct):
    """One evaluation. ``detail`` gets a line for each comparison, None where nobody wants to know."""

    scope: ExpressionScope
    captures: Captures = field(default_factory=Captures)
    detail: list[str] | None = None

    def says(self, truth: bool, comparison: str) -> bool:
        """What a comparison came to; in words where somebody wants to know."""
        if self.detail is not None:
            self.detail.append(f"{readable(comparison)}: {'true' if truth else 'false'}")
        return truth


class Text(Struct, frozen=True):
    """``literal`` is the text itself where it is written out, else None."""

    value: Callable[[Run], str]
    literal: str | None = None


class Truth(Struct, frozen=True):
    holds: Callable[[Run], bool]


List = Callable[[Run], list[str]]


class Swap(Struct, frozen=True):
    """What ``sub`` and ``split`` look for. ``replacement`` is None for m//; ``every`` is the flag g."""

    walk: Walk
    replacement: Text | None
    every: bool


# Texts.


def literal(text: str) -> Text:
    return Text(lambda run: text, text)


def variable(name: str) -> Text:
    return Text(lambda run: run.scope.variable(name))


def reference(number: int) -> Text:
    """$0 to $9."""
    return Text(lambda run: group(run.captures.groups, number))


def call(name: str, arguments: Sequence[Text]) -> Text:
    function, texts = FUNCTIONS[name], [each.value for each in arguments]
    return Text(lambda run: function(run.scope, tuple([each(run) for each in texts])))


def concatenated(parts: Sequence[Text]) -> Text:
    pieces = [each.value for each in parts]
    return parts[0] if len(parts) == 1 else Text(lambda run: "".join([each(run) for each in pieces]))


def joined(words: List, between: Text) -> Text:
    def value(run: Run) -> str:
        found = words(run)
        return between.value(run).join(found)

    return Text(value)


def substituted(swap: Swap, subject: Text) -> Text:
    return Text(lambda run: "".join(_pieces(swap, run, subject.value(run), swap.every)))


def spelled(truth: Truth) -> Text:
    """A condition as a text: "true" or "false"."""
    return Text(lambda run: "true" if truth.holds(run) else "false")


# Lists.


def listed(words: Sequence[Text]) -> List:
    return lambda run: [each.value(run) for each in words]


def split(swap: Swap, source: List) -> List:
    return lambda run: [part for each in source(run) for part in _pieces(swap, run, each, True)]


def _pieces(swap: Swap, run: Run, text: str, every: bool) -> list[str]:
    """The pieces of a text, each with what its match is replaced by, and what is left behind the last."""
    found = []
    for step in steps(swap.walk, text):
        if step.groups is None or swap.replacement is None:
            found.append(step.before)
        else:
            run.captures.groups = step.groups
            found.append(step.before + swap.replacement.value(run))
        if not every:
            return [*found, step.rest]
    return found


# Truths.


def constant(value: bool) -> Truth:
    return Truth(lambda run: value)


def negated(truth: Truth) -> Truth:
    return Truth(lambda run: not truth.holds(run))


def every(truths: Sequence[Truth]) -> Truth:
    return Truth(lambda run: all(each.holds(run) for each in truths))


def some(truths: Sequence[Truth]) -> Truth:
    return Truth(lambda run: any(each.holds(run) for each in truths))


def tested(name: str, word: Text) -> Truth:
    test = TESTS[name]
    return Truth(lambda run: run.says(test(run.scope, text := word.value(run)), f'{name} "{text}"'))


def from_network(name: str, network: Subnet) -> Truth:
    """Whether the client is in a network: -R."""
    return Truth(
        lambda run: run.says(within(client := run.scope.variable("REMOTE_ADDR"), network), f"{client} {name} {network}")
    )


def in_network(word: Text, name: str, network: Subnet) -> Truth:
    return Truth(lambda run: run.says(within(text := word.value(run), network), f'"{text}" {name} {network}'))


def compared(left: Text, name: str, right: Text) -> Truth:
    compare = COMPARES[name]

    def holds(run: Run) -> bool:
        one, other = left.value(run), right.value(run)
        return run.says(compare(one, other), f'"{one}" {name} "{other}"')

    return Truth(holds)


def matched(word: Text, pattern: Pattern, negated: bool) -> Truth:
    """Only a pattern that has groups touches $0 to $9, which may hold something that is still wanted."""
    shown = f"{'!~' if negated else '=~'} {as_bytes_text(pattern.text)}{' [i]' if pattern.nocase else ''}"

    def holds(run: Run) -> bool:
        text = word.value(run)
        found = pattern.search(text)
        if pattern.groups:
            run.captures.groups = found or ()
        return run.says((found is None) == negated, f'"{text}" {shown}')

    return Truth(holds)


def contained(word: Text, words: List) -> Truth:
    def holds(run: Run) -> bool:
        haystack = words(run)
        needle = word.value(run)
        shown = ", ".join(f'"{each}"' for each in haystack) if run.detail is not None else ""
        return run.says(needle in haystack, f'"{needle}" -in {{{shown}}}')

    return Truth(holds)
