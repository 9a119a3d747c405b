"""Cache-Control as both sides say it (RFC 9111 §5.2), and the numbers in it. Pure.

Names are read without case; a value may be quoted. Where a directive stands twice, the smaller number counts, and one
whose number is none counts as 0: the answer is stale rather than kept too long (§4.2.1).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

MOST_SECONDS: Final = 1 << 31
"""Greater numbers mean this one (RFC 9111 §1.2.2)."""
_DIRECTIVE: Final = re.compile(
    rb'\s*([^\s=,"]+)(?:=("(?:[^"\\]|\\.)*"|[^,"]*))?\s*(?:,|$)|[^,"]*("(?:[^"\\]|\\.)*"?)?,?'
)

Directives = dict[bytes, bytes]
"""Values by lower-case name, b"" for none."""


@lru_cache(1024)
def directives(value: bytes) -> Directives:
    """The directives of a Cache-Control field; several lines are joined by commas. Not to be changed."""
    found: Directives = {}
    at = 0
    while at < len(value):
        match = _DIRECTIVE.match(value, at)
        if match is None or match.end() == at:
            break
        at = match.end()
        name, said = match[1], match[2] or b""
        if name is None:
            continue
        name, said = name.lower(), said.strip(b' \t"')
        if name in found and seconds(found[name]) <= seconds(said):
            continue
        found[name] = said
    return found


def seconds(value: bytes) -> int:
    """A number of seconds; 0 for what is none."""
    return min(int(value[:12]), MOST_SECONDS) if value.isdigit() else 0


def age_of(value: bytes) -> int:
    """The number in an Age field (RFC 9111 §5.1): the first of several; what is none counts as 0."""
    return seconds(value.partition(b",")[0].strip(b" \t"))
