"""Wildcards as httpd has them, in expressions and in the arguments of sections: apr_fnmatch (strings/apr_fnmatch.c).

``*``, ``?``, ``[a-z]``, ``[!a]`` or ``[^a]``, and a backslash for the character itself. A pattern may come from a
client, so ``glob`` takes no more than len(pattern) * len(text) steps. Texts have one character for each byte.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

_SIGN = re.compile(
    r"(?s)(?P<star>\*+)|(?P<any>\?)|\[(?P<not>[!^]?+)(?P<members>(?:\\.|[^\\])(?:\\.|[^\\\]])*)\]|\\?(?P<plain>.)"
)
_MEMBER = re.compile(r"\\?(.)(?:-\\?(.))?", re.DOTALL)


def glob(pattern: str, text: str, path: bool = False) -> bool:
    """Whether a text is what a pattern says. In a path no sign but a slash matches a slash."""
    if path:
        signs, parts = pattern.replace("\\/", "/").split("/"), text.split("/")
        return len(signs) == len(parts) and all(glob(*each) for each in zip(signs, parts, strict=True))
    return _wildcard(pattern)(text) is not None


@lru_cache(1024)
def _wildcard(pattern: str) -> Callable[[str], object]:
    """What stands behind a star is found as early as it can be, and never looked for again (an atomic group)."""
    parts = [""]
    for sign in _SIGN.finditer(pattern):
        if sign["star"]:
            parts.append("")
        else:
            parts[-1] += _spelled(sign)
    first, *rest = parts
    inner = "".join(f"(?>.*?{part})" for part in rest[:-1])
    return re.compile(first + inner + "".join(f".*{part}" for part in rest[-1:]), re.DOTALL).fullmatch


def _spelled(sign: re.Match[str]) -> str:
    if sign["any"]:
        return "."
    if sign["members"] is None:
        return re.escape(sign["plain"])
    ranges = [(low, high or low) for low, high in _MEMBER.findall(sign["members"])]
    inside = "".join(re.escape(low) + f"-{re.escape(high)}" * (low < high) for low, high in ranges if low <= high)
    if not inside:
        return "." if sign["not"] else "(?!)"
    return f"[{'^' * bool(sign['not'])}{inside}]"


is_wild = re.compile(r"(?s)(?:\\.|[^\\*?\[])*+(?:[*?]|\[(?:\\.|[^\\\]])*\])").match
"""Whether anything of a text is a sign; without any it is taken as it stands (``apr_fnmatch_test``)."""


def regex_of(pattern: str, one: str) -> str:
    """A pattern as a regular expression of the same meaning in PCRE and ``re``; ``one`` is what takes one character."""
    if not is_wild(pattern):
        return re.escape(pattern)
    return "".join(_one_of(sign, one) for sign in _SIGN.finditer(pattern))


def _one_of(sign: re.Match[str], one: str) -> str:
    if sign["star"]:
        return f"{one}*"
    if sign["any"]:
        return one
    spelled = _spelled(sign)
    if sign["members"] is None or one == ".":
        return spelled
    return re.escape(sign[0]) if "/" in sign["members"] else f"(?={one}){spelled}"
