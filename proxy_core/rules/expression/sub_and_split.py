"""From match to match through a text: what ``sub`` and ``split`` of httpd's expressions do.

Each step looks at what the last one left as at a text of its own, so ``^`` matches there again. After an empty match
the next one must take something and begin at once; else one character is passed over. (``ap_expr_regexec`` in httpd
2.5's server/util_expr_eval.c loses that character; here it is kept.) A Pattern tells what matched, not where. So a
pattern is compiled with the rest of the text as one more group behind it, and its own groups keep their numbers.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from proxy_core.rules.expression.functions import ExprFailure
from proxy_core.rules.text import pattern
from proxy_core.rules.text.pattern import Groups, Pattern

STEPS = 1000
"""Matches in one text. Each may cost as much as one runaway search."""


class Walk(Struct, frozen=True):
    """A pattern to go on with: anywhere, and after an empty match."""

    anywhere: Pattern
    at_once: Pattern


def walk(source: str, nocase: bool) -> Walk:
    """Raises PatternError, also for the few patterns that do not stand in a group, as "(*UTF)a"."""
    pattern.compile(source, nocase)
    return Walk(
        pattern.compile(rf"\A(?s:.*?)\K(?:{source})(?s:(.*))\z", nocase),
        pattern.compile(rf"\A(?:{source})(?<!\A)(?s:(.*))\z", nocase),
    )


class SubstitutionStep(Struct, frozen=True):
    """What stands before a match, what matched, and what is left; ``groups`` is None at the end, with all that is left
    in ``before``."""

    before: str
    groups: Groups | None
    rest: str


def steps(way: Walk, text: str) -> Iterator[SubstitutionStep]:
    """The matches of a text, and what is left in the end if it is not nothing. Raises Runaway and ExprFailure."""
    passed, after_empty = "", False
    for _ in range(STEPS):
        found = (way.at_once if after_empty else way.anywhere).search(text)
        if found is not None:
            rest = found[-1] or ""
            whole = found[0] or ""
            matched = whole[: len(whole) - len(rest)]
            yield SubstitutionStep(passed + text[: len(text) - len(whole)], (matched, *found[1:-1]), rest)
            after_empty = not matched and len(whole) == len(text)
            passed, text = "", rest
        elif after_empty:
            size = 2 if text.startswith("\r\n") else 1
            passed, text, after_empty = passed + text[:size], text[size:], False
        else:
            yield SubstitutionStep(passed + text, None, "")
            return
        if not text:
            if passed:
                yield SubstitutionStep(passed, None, "")
            return
    raise ExprFailure(f"a pattern matches more than {STEPS} times in one text")
