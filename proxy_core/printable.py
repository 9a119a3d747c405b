"""Text from outside, before a terminal sees it.

Whatever is not a literal of the program (a site file, a map, a request, a name, an error of the system) may hold
control characters: an escape sequence in a path must never be obeyed (CWE-150), and a bidi control must not make a
line read otherwise than it is (CVE-2021-42574). Here they become visible. Pure; knows nothing of what is shown, and
never drops a character: what is there can be read.
"""

from __future__ import annotations

import re

controls = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""What a terminal may obey, or what makes it show a line in another order: C0, DEL, C1, line separators, bidi controls
(Unicode TR9), and what no terminal can be sent."""

_SIGNS = {code: chr(0x2400 + code) for code in range(0x20)} | {0x7F: "\u2421"}


def printable(text: str) -> str:
    """``text`` in one line, with everything that a terminal might obey, or not show, as a visible escape: ``\\x1b``."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def printable_lines(text: str) -> str:
    """The same for a text of several lines: their ends and tabs stay."""
    return text if text.isprintable() else re.sub(r"[^\n\t]+", lambda part: printable(part[0]), text)


def lines(text: str) -> list[str]:
    """The lines of a text; unlike for ``str.splitlines``, a control character in one does not make it two."""
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")] if text else []


def printable_json(text: str) -> str:
    """JSON that means the same, with such characters as JSON's own escapes."""
    return re.sub(controls.pattern.replace(r"\x00-\x1f", ""), lambda found: f"\\u{ord(found[0]):04x}", text)


def in_place(text: str) -> str:
    """The same with one sign for each character, for where a cursor counts them: ``␛``, or ``�`` where there is no
    sign of its own."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _SIGNS.get(ord(c), "\ufffd") for c in text)
