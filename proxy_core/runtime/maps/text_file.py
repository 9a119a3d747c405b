"""Text maps: lines of key and value, as httpd reads them, and as people edit them.

``table`` is ``lookup_map_txtfile`` of mod_rewrite.c turned into a dictionary: a line that starts with a blank or # is
ignored, key and value are words, what follows them is ignored, a key without a value is as if it were not there, the
first line of a key wins, and of a line longer than 1024 bytes each further piece is read as a line of its own.
``edited`` changes one entry, leaves every other byte as it was, and is sure of it: the new text is read again. Nothing
here does I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

LONGEST = 1024
"""Bytes of a line that are read at once (REWRITE_MAX_TXT_MAP_LINE)."""

_BLANKS = " \t\n\v\f\r"
_LINE = re.compile(rf"[^\n]{{0,{LONGEST - 1}}}\n|[^\n]{{1,{LONGEST}}}")
_ENTRY = re.compile(r"([^# \t\n\v\f\r\0][^ \t\n\v\f\r\0]*)([ \t\n\v\f\r]+)([^ \t\n\v\f\r\0]+)")


class Unwritable(ValueError):
    """A key or a value that a text map cannot hold; the message is a sentence for people."""


class MapRow(NamedTuple):
    """An entry as its line says it; ``line`` counts from 1, 0 for entries in the site file. A later row with the same
    key is never reached."""

    key: str
    value: str
    line: int


def table(text: str) -> dict[str, str]:
    """The entries of a text map, first come, first kept. ``text`` has one character for each byte."""
    found: dict[str, str] = {}
    for match in _entries(text):
        found.setdefault(match[1], match[3])
    return found


def rows(text: str) -> tuple[MapRow, ...]:
    """Every entry in the order of the file, those that are never reached as well."""
    line, place, found = 1, 0, []
    for match in _entries(text):
        line += text.count("\n", place, match.start())
        place = match.start()
        found.append(MapRow(match[1], match[3], line))
    return tuple(found)


def _entries(text: str) -> Iterator[re.Match[str]]:
    """A match (key, blanks, value) for each line that says something; positions are those of the text."""
    for line in _LINE.finditer(text):
        if entry := _ENTRY.match(text, line.start(), line.end()):
            yield entry


def edited(text: str, key: str, value: str | None) -> str:
    """The text with ``key`` meaning ``value``; None takes it out, every line of it. One character for each byte.

    The line that counts keeps its place, its spacing and what stands behind the value; a new key goes to the end.
    Raises Unwritable for what a text map cannot hold.
    """
    _writable(key, value)
    new = _edited(text, key, value)
    if not means(text, new, key, value):
        raise Unwritable("the file cannot carry this entry: a line in it is too long")
    return new


def means(old: str, new: str, key: str, value: str | None) -> bool:
    """Whether ``new`` says what ``old`` says, but for ``key``, which means ``value`` (None: nothing)."""
    before, after = table(old), table(new)
    before.pop(key, None)
    return after.pop(key, None) == value and after == before


def _edited(text: str, key: str, value: str | None) -> str:
    if value is not None:
        entry = next((entry for entry in _entries(text) if entry[1] == key), None)
        if entry is not None:
            return text[: entry.start(3)] + value + text[entry.end(3) :]
        newline = "\r\n" if re.match(r"[^\n]*\r\n", text) else "\n"
        ending = "" if not text or text.endswith("\n") else newline
        return f"{text}{ending}{key} {value}{newline}"
    for entry in reversed([entry for entry in _entries(text) if entry[1] == key]):
        end = text.find("\n", entry.end()) + 1 or len(text)
        text = text[: entry.start()] + text[end:]
    return text


def _writable(key: str, value: str | None) -> None:
    for name, word in (("key", key), ("value", value)):
        if word is not None and (not word or any(char in _BLANKS or char == "\0" for char in word)):
            raise Unwritable(f"the {name} is empty or holds a blank, and a text map separates by blanks")
    if key.startswith("#"):
        raise Unwritable("a line that starts with # is a comment, so a key cannot start like that")
    if len(f"{key} {value or ''}\n") > LONGEST:
        raise Unwritable(f"the entry is longer than the {LONGEST} bytes of a line")
