"""Words and lines of httpd.conf: the opposite of ``lexer``.

A word is put in quotes only where it must be. In quotes a backslash hides a quote or another backslash, outside of
them another backslash (``substring_conf`` in server/util.c); rewrite rules have quotes too, and hide nothing
(``parseargline`` in mod_rewrite.c).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

Lines = list[str]

_QUOTED = re.compile(r"[\s\"'<>#]|\A\Z|\\\Z")


class Unsayable(ValueError):
    """A text that no line of httpd.conf can hold; the words say why."""


def word(text: str) -> str:
    """One word of a directive. Raises Unsayable."""
    check(text)
    if not _QUOTED.search(text):
        return re.sub(r"\\{2,}", lambda run: run[0] * 2, text)
    inside = re.sub(r'\\{2,}|\\+(?="|\Z)', lambda run: run[0] * 2, text)
    return '"' + inside.replace('"', '\\"') + '"'


def rewrite_word(text: str) -> str:
    """One word of a RewriteRule or RewriteCond. Raises Unsayable."""
    check(text)
    if text and not re.search(r"\s|\A[\"']|\\\Z", text):
        return text
    for quote in "\"'":
        if quote not in text:
            return quote + text + quote
    raise Unsayable("a rule cannot have blanks and both kinds of quotes in one word")


def check(text: str) -> None:
    """Raises Unsayable for what would end a line."""
    if not text.isprintable() and re.search(r"[\0-\x1f\x7f]", text.replace("\t", "")):
        raise Unsayable("a line of httpd.conf cannot hold control characters")


def line(name: str, *words: str) -> str:
    """A directive. Raises Unsayable."""
    return " ".join([name, *map(word, words)])


def section(name: str, argument: str, inside: Iterable[str]) -> Lines:
    """A section with its lines; none where there is nothing in it."""
    lines = [f"    {each}" if each else "" for each in inside]
    return [f"<{name} {argument}>" if argument else f"<{name}>", *lines, f"</{name}>"] if lines else []


def off(lines: Iterable[str]) -> Lines:
    """Lines that are out of service."""
    return [f"# {each}" for each in lines]


def number(value: float) -> str:
    """A number without a needless point."""
    return f"{value:g}"


def span(value: float) -> str:
    """Seconds, or milliseconds where they are no whole number (``ap_timeout_parameter_parse``)."""
    return f"{value:.0f}" if float(value).is_integer() else f"{value * 1000:.0f}ms"


def switch(value: bool) -> str:
    return "On" if value else "Off"
