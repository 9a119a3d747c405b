"""Patterns that may make a path that climbs: ``^/pub(.*)`` into ``/app/public/$1`` takes ``/pub../admin``.

Such a request is refused when it comes (``http.target.climbs``). Here the operator is told beforehand, for the pattern
takes more than is meant: most often a slash is missing before the group.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from proxy_core.errors import Address, Problem
from proxy_core.rules.lint.problems import warning
from proxy_core.rules.text import pattern

_LOOKS = re.compile(r"\(\?<?[=!][^()]*\)$")
"""A look ahead or behind, which takes nothing."""
_ENDS_IN_SLASH = re.compile(r"(?:^\^?/[?*]|/\+?)$").search
"""A pattern's beginning that always takes a slash last; a path begins with one."""
_BEHIND_SLASH = re.compile(r"/\$([1-9])")


def climbing(address: Address, text: str, made: str) -> Iterator[Problem]:
    """A warning where a group of the pattern ``text`` may begin with dots and stands behind a slash in ``made``."""
    groups = captures(text)
    for number in sorted({int(found) for found in _BEHIND_SLASH.findall(made)}):
        if number > len(groups):
            continue
        before, inside = groups[number - 1]
        before = _LOOKS.sub("", before)
        if before.lstrip("^") and not _ENDS_IN_SLASH(before) and _may_climb(inside):
            what = f'${number} may begin with dots, as in "..", and stands behind a slash: such requests are refused'
            yield warning(address, what, f"put a slash before its group: {before}/({inside})")
            return


def captures(text: str) -> list[tuple[str, str]]:
    """What stands before each capturing group of a pattern, and what stands in it."""
    begun: list[tuple[int, int]] = []
    found: dict[int, tuple[str, str]] = {}
    count, inside_class, at = 0, False, 0
    while at < len(text):
        character = text[at]
        if character == "\\":
            at += 1
        elif inside_class:
            inside_class = character != "]"
        elif character == "[":
            inside_class = True
            at += text[at + 1 : at + 2] == "]"
        elif character == "(":
            captures = text[at + 1 : at + 2] != "?"
            count += captures
            begun.append((count if captures else 0, at))
        elif character == ")" and begun:
            number, start = begun.pop()
            if number:
                found[number] = text[:start], text[start + 1 : at]
        at += 1
    return [found.get(number, ("", "")) for number in range(1, count + 1)]


def _may_climb(inside: str) -> bool:
    try:
        search = pattern.compile(rf"^(?:{inside})$").search
    except pattern.PatternError:
        return False
    return any(search(text) is not None for text in (".", "..", "../x", "./x"))
