"""The values of a site file's text, and every error of its syntax.

tomllib stops at the first error. So what stands there is left out (a line, or a table with a broken header and all
below it) and the rest is read: no error hides another. What was left out is remembered, so that later checks do not
take it for missing. The language is TOML 1.0.0.
"""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from typing import Any

from msgspec import Struct

from proxy_core.config.reading.text_layout import deepest
from proxy_core.errors import Problem

_BOM = "\ufeff"
_MOST_SYNTAX_ERRORS = 20
_DEEPEST = 32  # levels of tables and lists: whoever walks the data need not fear for the stack

_LONG_NUMBER = re.compile(r"(?<![\w\"'])[+-]?[0-9][0-9_]{4299,}")

_TWICE = "this key or table exists already"
_WORDS = (
    (r"Invalid value \(at end", "the file ends where a value should be", "give the value, or close what is open"),
    (r"Invalid value", "there is no value here that TOML knows", 'put a text into quotes: "…"'),
    (r"Expected ']'", "the header of a table is not closed", "write [name], or [[name]] for a row of a list"),
    (r"Cannot overwrite a value", _TWICE, "delete one of the two"),
    (r"Cannot declare .* twice", "this table exists already", "join the two, or write [[name]] for rows of a list"),
    (r"Cannot mutate immutable", "this table or list was written out in full already", "add to it where it stands"),
    (r"Illegal character '\\n'", "a text in quotes does not end on this line", "close the quote"),
    (r"Illegal character", "a control character stands here", "delete it, or write it as \\uXXXX in a text"),
    (r"Expected '='", "a key needs = and a value", "write key = value"),
    (r"Expected \"'", "a text in quotes does not end", "close the quote"),
    (r"Expected newline", "there is more on this line than one key and value", "put it on a line of its own"),
    (r"Unterminated string", "a text in quotes does not end", "close the quote"),
    (r"Unclosed array", "a list is not closed", "add the missing ] or ,"),
    (r"Unclosed inline table", "a table in braces is not closed on its line", "add the missing } or ,"),
    (r"Invalid statement", "this is no key and no header", "write key = value, or begin a comment with #"),
    (r"Invalid initial character", "this key cannot stand bare", 'put it into quotes: "…"'),
    (r"Unescaped '\\\\'", "a backslash means something else in double quotes", "use single quotes: '^/a\\.b'"),
    (r"Exceeds the limit", "this number has too many digits", "write a smaller one, or put it into quotes"),
    (r"Invalid date", "this date or time does not exist", "correct it, or put it into quotes"),
    (r"Duplicate inline table key", "this key is given twice", "delete one of the two"),
)


class Values(Struct, frozen=True):
    """What was understood of a text, which nobody may change."""

    data: dict[str, Any]
    """Plain data, as tomllib gives it."""
    problems: tuple[Problem, ...]
    """The errors of syntax, without a file."""
    text: str
    """The text without its byte order mark, and with empty lines for those that were left out."""
    lost: frozenset[str] = frozenset()
    """The words of the lines that were left out."""
    maimed: frozenset[int] = frozenset()
    """Numbers of the lines of tables that are not whole, since lines of theirs were left out."""


@lru_cache(maxsize=4)
def values(text: str) -> Values:
    """The values of a text. Kept for the last few texts: the text that an edit makes is verified, and then read."""
    text = text.removeprefix(_BOM)
    problems: list[Problem] = []
    lost: set[str] = set()
    maimed: set[int] = set()
    while True:
        try:
            data = tomllib.loads(text)
            if _deeper(data, _DEEPEST):
                raise RecursionError
            return Values(data, tuple(problems), text, frozenset(lost), frozenset(maimed))
        except RecursionError:
            line, column = deepest(text.encode(), _DEEPEST)
            what = f"lists or tables are nested deeper than {_DEEPEST} levels"
            return Values({}, (*problems, Problem(what=what, todo="flatten them", line=line, column=column)), "")
        except ValueError as error:
            lines = text.replace("\r\n", "\n").split("\n")
            line, column = _spot(str(error), lines)
            problems.append(_syntax(str(error), lines[line - 1], line, column))
            if len(problems) == _MOST_SYNTAX_ERRORS or not lines[line - 1].strip():
                return Values({}, tuple(problems), "")
            if problems[-1].what != _TWICE:
                maimed.update(_table(lines, line))
            for number in _unusable(lines, line):
                lost.update(re.findall(r"[\w-]+", lines[number - 1]))
                lines[number - 1] = ""
            text = "\n".join(lines)


def _unusable(lines: list[str], line: int) -> range:
    """The lines that cannot be read with an error in this one: behind a lost header keys would land in the table above,
    and the tables below it in no table or in another."""
    header = re.match(r"\s*\[+\s*([^\]\s]+)", lines[line - 1])
    if header is None:
        return range(line, line + 1)
    inside = re.compile(rf"(?!\s*\[)|\s*\[+\s*{re.escape(header[1])}\.")
    below = range(line + 1, len(lines) + 1)
    return range(line, next((n for n in below if not inside.match(lines[n - 1])), below.stop))


def _table(lines: list[str], line: int) -> range:
    """The lines from the header above to the next one."""
    heads = [n for n, each in enumerate(lines, 1) if each.lstrip().startswith("[")]
    first = max((n for n in heads if n <= line), default=1)
    return range(first, min((n for n in heads if n > line), default=len(lines) + 1))


def _deeper(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_deeper(each, levels - 1) for each in inner)


def _spot(message: str, lines: list[str]) -> tuple[int, int]:
    if found := re.search(r"at line (\d+), column (\d+)\)$", message):
        return min(int(found[1]), len(lines)), int(found[2])
    for n, line in enumerate(lines if message.startswith("Exceeds") else (), 1):  # int's own words, without a place
        if digits := _LONG_NUMBER.search(line):
            return n, digits.start() + 1
    last = max((n for n, line in enumerate(lines, 1) if line.strip()), default=1)
    return last, len(lines[last - 1]) + 1


def _syntax(message: str, source: str, line: int, column: int) -> Problem:
    what, todo = next(
        ((what, todo) for pattern, what, todo in _WORDS if re.match(pattern, message)),
        (re.sub(r" \(at .*\)$", "", message), "correct it as TOML 1.0 wants it"),
    )
    if "already" in what or "twice" in what:  # tomllib points behind what was repeated
        column = len(source) - len(source.lstrip()) + 1
    return Problem(what=what, todo=todo, line=line, column=column)
