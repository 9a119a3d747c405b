"""Spelling values, keys and whole tables as TOML, the way a person would.

Scalars are tomli-w's; what tomli-w spreads over lines (short lists, small tables) stays on one. Texts with
backslashes are literal strings, because most of them are patterns. A whole number has no decimal point.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import tomli_w

from proxy_core.config.schema import names_something
from proxy_core.config.site_addresses import Path, is_rows

_WIDTH = 100


def key(*steps: str | int) -> str:
    """A key, dotted where there are several steps; positions of rows are left out, as headers leave them out."""
    return ".".join(
        step if re.fullmatch(r"[A-Za-z0-9_-]+", step) else _scalar(step) for step in steps if isinstance(step, str)
    )


def value(content: Any, *, like: str = "", inline: bool = False) -> str:
    """A value. ``like`` is the spelling it replaces, whose quotes are kept; ``inline`` never breaks a line."""
    if isinstance(content, Mapping):
        if not content:
            return "{}"
        return "{ " + ", ".join(f"{key(k)} = {value(v, inline=True)}" for k, v in content.items()) + " }"
    if isinstance(content, Sequence) and not isinstance(content, str):
        items = [value(each, inline=True) for each in content]
        line = f"[{', '.join(items)}]"
        if inline or len(line) <= _WIDTH:
            return line
        return "[\n" + "".join(f"    {item},\n" for item in items) + "]"
    if isinstance(content, str) and ("\\" in content or like.startswith("'")) and _literal(content):
        return f"'{content}'"
    if isinstance(content, float) and content.is_integer() and abs(content) < 10**15:
        return str(int(content))
    return _scalar(content)


def table(path: Path, content: Mapping[str, Any], *, row: bool = False) -> str:
    """A table under a header of its own, tables of tables below it under theirs, a blank line between them.

    An empty table below it is left out unless its being there says something.
    """
    below = {k: v for k, v in content.items() if isinstance(v, Mapping) and not _fits(path, k, v)}
    own = {k: v for k, v in content.items() if k not in below and not (isinstance(v, Mapping) and not v)}
    name = key(*path)
    head = f"[[{name}]]\n" if row else f"[{name}]\n"
    lines = "".join(f"{key(k)} = {value(v)}\n" for k, v in own.items())
    blocks = [table((*path, k), v) for k, v in below.items() if v or names_something((*path, k))]
    if own or row or not blocks:
        blocks.insert(0, head + lines)
    return "\n".join(blocks)


def rows(path: Path, content: Sequence[Mapping[str, Any]]) -> str:
    """An array of tables, each under its header."""
    return "\n".join(table(path, each, row=True) for each in content)


def document(data: Mapping[str, Any]) -> str:
    """A whole site in canonical form: what an edit falls back to where the text cannot carry it."""
    return tomli_w.dumps(data)


def _fits(path: Path, name: str, content: Mapping[str, Any]) -> bool:
    """Whether a table below another reads well on one line."""
    plain = not any(isinstance(v, Mapping) or is_rows(v) for v in content.values())
    return plain and bool(content) and not names_something((*path, name)) and len(value(content)) <= _WIDTH


def _literal(content: str) -> bool:
    return "'" not in content and content.isprintable()


def _scalar(content: Any) -> str:
    spelled = tomli_w.dumps({"k": content})[4:-1]
    return spelled if spelled.isprintable() else "".join(map(_escaped, spelled))


def _escaped(character: str) -> str:
    """A character as a basic string has it, which no terminal that shows the file obeys."""
    return character if character.isprintable() else f"\\U{ord(character):08x}"
