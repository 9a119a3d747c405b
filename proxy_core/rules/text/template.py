"""Texts with ``$1``, ``%1``, ``%{VARIABLE}`` and ``${map:key|default}`` in them, read once and filled in per request.

They are read to the byte as ``do_expand`` in modules/mappers/mod_rewrite.c reads them. A backslash makes the next
character ordinary. ``%{…}`` takes its name as it stands; nothing nests in it. Keys and defaults of maps are texts of
the same kind, down to ``NESTING`` levels: what is nested deeper stands for itself, and a site that has it is refused
(``rules.lint.texts``). What a lookup gives is never read again, which keeps a request from writing its own rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

from msgspec import Struct

from proxy_core.http.target import as_bytes_text
from proxy_core.rules.text.pattern import group
from proxy_core.rules.text.variables import Reader, Scope, variable

Escape = Callable[[str], str]
Fill = Callable[[Scope, Escape | None], str]

_BRACE = re.compile(r"[{}]")

NESTING = 20
"""Maps that may stand in keys and defaults of one another."""


class Fixed(Struct, frozen=True):
    """Text that stands for itself. ``marks`` says that a ? in it is the author's own and begins the query: not so
    behind a backslash."""

    text: str
    marks: bool = True


class Filled(Struct, frozen=True):
    """Text that a request fills in. ``name`` says what it is: ``%{REMOTE_ADDR}``, ``$1``, ``${map:``. ``looks_up`` has
    the key and the default of a map, ``read`` reads a variable."""

    name: str
    fill: Fill
    looks_up: tuple[Template, Template | None] | None = None
    read: Reader | None = None


class Template:
    """A text (one character for each byte) that was read. ``constant`` is the whole of it where nothing is filled in,
    else None. ``names`` is what stands in it: ("variable", "REMOTE_ADDR"), ("map", "hosts"), ("rule", "1") for $1,
    ("condition", "1") for %1, and ("deep", "") where maps are nested deeper than ``NESTING``. ``read`` fills it in
    where nothing is escaped, a single variable without a detour."""

    __slots__ = ("_fills", "constant", "names", "parts", "read", "text")

    def __init__(self, text: str, depth: int = 0) -> None:
        self.text = text
        names: list[tuple[str, str]] = []
        parts = tuple(_read(text, depth, names))
        self.names = tuple(names)
        self.parts = parts
        fixed = all(isinstance(part, Fixed) for part in parts)
        self.constant = "".join(part.text for part in parts if isinstance(part, Fixed)) if fixed else None
        self._fills = tuple(part.text if isinstance(part, Fixed) else part.fill for part in parts)
        alone = parts[0].read if len(parts) == 1 and isinstance(parts[0], Filled) else None
        self.read: Reader = self.expand if alone is None else alone

    def expand(self, scope: Scope, escape: Escape | None = None) -> str:
        """The text filled in; ``escape`` is done to what $N and %N stand for."""
        if self.constant is not None:
            return self.constant
        return "".join([each if isinstance(each, str) else each(scope, escape) for each in self._fills])

    def expand_watching(self, scope: Scope, escape: Escape | None, last: bool) -> tuple[str, bool]:
        """The text filled in, and whether the ? that begins its query (the first, or the ``last``) came from a
        request instead of from the author (CVE-2024-38474: such a ? must not cut a path short)."""
        if self.constant is not None:
            return self.constant, False
        pieces = []
        unsafe: bool | None = None
        for part in self.parts:
            if isinstance(part, Fixed):
                piece, ours = part.text, part.marks
            else:
                piece, ours = part.fill(scope, escape), True
            pieces.append(piece)
            if ours and "?" in piece and (last or unsafe is None):
                unsafe = isinstance(part, Filled)
        return "".join(pieces), bool(unsafe)


@lru_cache(8192)
def compile(text: str) -> Template:
    """The Template for a configured text; equal ones are read once. Any text is one."""
    return Template(as_bytes_text(text))


def _read(text: str, depth: int, names: list[tuple[str, str]]) -> Iterator[Fixed | Filled]:
    run, at = "", 0
    ends = _closing(text)
    while at < len(text):
        character, following = text[at], text[at + 1 : at + 2]
        part: Fixed | Filled | None = None
        size = 1
        if character == "\\" and following:
            character, size = following, 2
            if following == "?":
                part = Fixed("?", marks=False)
        elif character in "$%" and following == "{":
            end = ends.get(at + 1, -1)
            size = 2 if end < 0 else end + 1 - at
            part = None if end < 0 else _lookup(character, text[at + 2 : end], depth, names)
            if part is None:
                character, size = text[at : at + 2], 2
        elif character in "$%" and following.isascii() and following.isdigit():
            part, size = _reference(character, int(following), names), 2
        at += size
        if part is None:
            run += character
            continue
        if run:
            yield Fixed(run)
            run = ""
        yield part
    if run:
        yield Fixed(run)


def _lookup(sign: str, inner: str, depth: int, names: list[tuple[str, str]]) -> Filled | None:
    if sign == "%":
        names.append(("variable", inner))
        read = variable(inner)
        return Filled(f"%{{{inner}}}", lambda scope, escape: read(scope), read=read)
    cut = _outside(inner, ":")
    if cut < 0:
        return None
    if depth == NESTING:
        names.append(("deep", ""))
        return None
    name, rest = inner[:cut], inner[cut + 1 :]
    cut = _outside(rest, "|")
    key = Template(rest if cut < 0 else rest[:cut], depth + 1)
    default = Template(rest[cut + 1 :], depth + 1) if cut >= 0 else None
    names += [("map", name), *key.names, *(default.names if default else ())]

    def fill(scope: Scope, escape: Escape | None) -> str:
        found = scope.mapped(name, key.expand(scope, escape))
        if found is None and default is not None:
            return default.expand(scope, escape)
        return found or ""

    return Filled(f"${{{name}:", fill, (key, default))


def _reference(sign: str, number: int, names: list[tuple[str, str]]) -> Filled:
    names.append(("rule" if sign == "$" else "condition", str(number)))

    def fill(scope: Scope, escape: Escape | None) -> str:
        found = group((scope.rule if sign == "$" else scope.condition) or (), number)
        return escape(found) if escape is not None else found

    return Filled(f"{sign}{number}", fill)


def _closing(text: str) -> dict[int, int]:
    """Where each brace that is closed is closed."""
    opened: list[int] = []
    ends: dict[int, int] = {}
    for found in _BRACE.finditer(text):
        if found[0] == "{":
            opened.append(found.start())
        elif opened:
            ends[opened.pop()] = found.start()
    return ends


def _outside(text: str, wanted: str) -> int:
    """Where a character stands first outside of braces, -1 for nowhere."""
    depth = 0
    for place, character in enumerate(text):
        if character == wanted and not depth:
            return place
        depth += (character == "{") - (character == "}")
    return -1
