"""Texts in which a regular expression is found, made of the expression itself: what a rule is asked with.

Python's own parser reads it; of alternatives the first is taken, of repeats the fewest but one, of a class its first
sign that may stand in a path. What it does not read, or makes a text of that it is then not found in, has no example.
"""

from __future__ import annotations

import re._constants as constants  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
from typing import Any

from proxy_core.rules.text import pattern

_FIRST = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-_.~!$&'()*+,;=:@/ "
"""The signs that are tried for a class, in this order."""
_MOST = 4000


def example(text: str, nocase: bool = False) -> str | None:
    """A text in which the expression is found, None where none is known."""
    try:
        made: str = _of(parser.parse(text), {})[:_MOST]
        return made if pattern.compile(text, nocase).search(made) is not None else None
    except Exception:  # whatever two parsers do not agree on has no example
        return None


def _of(parsed: Any, groups: dict[int, str]) -> str:
    return "".join(_one(kind, value, groups) for kind, value in parsed)


def _one(kind: Any, value: Any, groups: dict[int, str]) -> str:
    match kind:
        case constants.LITERAL:
            return chr(value)
        case constants.NOT_LITERAL:
            return next(sign for sign in _FIRST if ord(sign) != value)
        case constants.ANY:
            return "x"
        case constants.IN:
            return next((sign for sign in _FIRST if _in(sign, value)), "x")
        case constants.BRANCH:
            return _of(value[1][0], groups)
        case constants.SUBPATTERN:
            groups[value[0]] = _of(value[3], groups)
            return groups[value[0]]
        case constants.MAX_REPEAT | constants.MIN_REPEAT | constants.POSSESSIVE_REPEAT:
            least, most, inner = value
            return _of(inner, groups) * int(max(least, min(1, most)))
        case constants.GROUPREF:
            return groups.get(value, "")
        case constants.ATOMIC_GROUP:
            return _of(value, groups)
    return ""


def _in(sign: str, members: list[Any]) -> bool:
    held = any(_has(sign, kind, value) for kind, value in members)
    return held is not bool(members[0][0] is constants.NEGATE)


def _has(sign: str, kind: Any, value: Any) -> bool:
    match kind:
        case constants.LITERAL:
            return bool(ord(sign) == value)
        case constants.RANGE:
            return bool(value[0] <= ord(sign) <= value[1])
        case constants.CATEGORY:
            tests = {constants.CATEGORY_DIGIT: sign.isdigit(), constants.CATEGORY_SPACE: sign.isspace(),
                     constants.CATEGORY_WORD: sign.isalnum() or sign == "_"}  # fmt: skip
            return bool(tests.get(value, False))
    return False
