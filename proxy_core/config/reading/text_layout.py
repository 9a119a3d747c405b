"""Where everything stands in a site file's text: sections, keys, values and the comments that belong to them.

tree-sitter parses the text (tomllib gives values but no positions); this turns its tree into Sections, one for each
``[table]`` or ``[[row]]`` header and one for the keys above the first, and Entries, one for each key or array element.
All offsets are bytes of the UTF-8 text. A section or entry owns the comment lines directly above it, and a section
those directly below its last key; a comment between blank lines stands free. Nothing here changes a text.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from msgspec import Struct, field

from proxy_core.config.site_addresses import Path

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

_KEYS = ("bare_key", "quoted_key", "dotted_key")


class LayoutEntry(Struct):
    """A key with its value, or an element of an array. All places are offsets in bytes."""

    path: Path
    """Where it leads: it ends with the key, or with the position of the element."""
    within: Path
    """The path of the section, inline table or array that holds it."""
    start: int
    """Where that begins what moves and dies with it: whole lines with its comments in a section, else the bare
    ``key = value`` or element."""
    end: int
    """Where that ends."""
    key: int
    """Where its key is spelled."""
    value: int
    """Where its value begins."""
    value_end: int
    """Behind its value."""
    kind: str
    """tree-sitter's word for the value: ``string``, ``array``, ``inline_table`` …"""
    items: list[LayoutEntry] = field(default_factory=list)
    """The pairs of an inline table, the elements of an array."""
    shared: bool = False
    """For arrays: elements share lines with each other or with the brackets."""


class LayoutSection(Struct):
    """The keys under one header. All places are offsets in bytes."""

    path: Path
    """Where the header leads; a ``[[row]]``'s ends with its position. () for the keys above the first header."""
    start: int
    """Where the lines begin that move and die with it: its own comments, then the header."""
    head: int
    """Where the header's bracket is."""
    body: int
    """Where its first key goes: behind the line of the header."""
    end: int
    """Behind the last of its lines."""
    entries: list[LayoutEntry] = field(default_factory=list)
    """Its keys, in the order of the text."""


class Layout(Struct, dict=True):
    """A whole text; ``sections[0]`` holds the keys above the first header."""

    text: bytes
    lines: list[int]
    sections: list[LayoutSection]

    def entries(self) -> Iterator[LayoutEntry]:
        """Every entry, at any depth, in the order of the text."""
        for section in self.sections:
            yield from _all(section.entries)

    def position(self, path: Path, *, value: bool = False) -> tuple[int, int]:
        """Line and column (1-based, in characters) of the key, row or table at ``path``, or of its nearest parent; with
        ``value`` of what stands behind the key."""
        if value and path in self.values:
            return self.line_column(self.values[path])
        spots = self.spots
        return next((self.line_column(spots[path[:n]]) for n in range(len(path), 0, -1) if path[:n] in spots), (1, 1))

    @cached_property
    def values(self) -> dict[Path, int]:
        """The offset of every value that a key has."""
        return {entry.path: entry.value for entry in self.entries()}

    @cached_property
    def spots(self) -> dict[Path, int]:
        """The offset of every key, row and table. What only children imply stands where the first is."""
        exact = {entry.path: entry.key for entry in self.entries()}
        exact |= {section.path: section.head for section in self.sections[1:]}
        implied: dict[Path, int] = {}
        for path, offset in sorted(exact.items(), key=lambda each: each[1]):
            for n in range(1, len(path)):
                implied.setdefault(path[:n], offset)
        return implied | exact

    def line_column(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self.lines, offset) - 1
        before = self.text[self.lines[line] : offset].decode(errors="replace").removeprefix("\ufeff")
        return line + 1, len(before) + 1


@lru_cache(maxsize=4)
def layout(text: bytes) -> Layout:
    """The layout of a TOML text; nobody may change it. A text with errors gives what could be recognised."""
    root = _parser().parse(text).root_node
    lines = [0, *(found.end() for found in re.finditer(b"\n", text))]
    return _LayoutReader(text, lines).read(root)


def _parser() -> Parser:
    """A parser for one text, for threads must not share one. What makes it is loaded when somebody asks where something
    stands: a site without problems that nobody edits does without."""
    import tree_sitter_toml
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_toml.language()))


def deepest(text: bytes, levels: int) -> tuple[int, int]:
    """Line and column of the first key, table or list that is nested deeper than so many levels, or else of the one
    that is nested deepest."""
    nodes = [(_parser().parse(text).root_node, 0)]
    place, most = (0, 0), 0
    while nodes and most <= levels:
        node, level = nodes.pop()
        level += node.type in ("array", "inline_table", *_KEYS)
        if level > most:
            place, most = (node.start_point[0], node.start_point[1]), level
        nodes += [(child, level) for child in reversed(node.children)]
    line = text.split(b"\n")[place[0]][: place[1]]
    return place[0] + 1, len(line.decode(errors="replace")) + 1


def has_comments(text: str) -> bool:
    """Whether a TOML text has comments, which go when it is spelled anew."""
    nodes = [_parser().parse(text.encode()).root_node]
    while nodes:
        node = nodes.pop()
        if node.type == "comment":
            return True
        nodes += node.children
    return False


def _all(entries: list[LayoutEntry]) -> Iterator[LayoutEntry]:
    for entry in entries:
        yield entry
        if entry.items:
            yield from _all(entry.items)


class _LayoutReader:
    """One pass over a tree: what it has to remember is the lines of comments and how many rows each list has had."""

    def __init__(self, text: bytes, lines: list[int]) -> None:
        self.text = text
        self.lines = lines
        self.comments: set[int] = set()
        self.rows: dict[Path, int] = {}

    def read(self, root: Node) -> Layout:
        heads = [node for node in root.children if node.type in ("table", "table_array_element")]
        for node in [root, *heads]:
            self.comments |= {each.start_point[0] for each in node.children if each.type == "comment"}
        # A comment behind a key belongs to the key's line and is a child of its pair; those left are whole lines,
        # but for one behind a header.
        self.comments -= {node.start_point[0] for node in heads}
        first = 3 if self.text.startswith(b"\xef\xbb\xbf") else 0
        top = LayoutSection((), first, first, first, first)
        self.fill(top, root)
        sections = [top, *(self.section(node) for node in heads)]
        return Layout(self.text, self.lines, sections)

    def section(self, node: Node) -> LayoutSection:
        row = node.type == "table_array_element"
        keys = next((self.keys(each) for each in node.children if each.type in _KEYS), ())
        path: Path = ()
        for n, key in enumerate(keys):
            path = (*path, key)
            if row and n == len(keys) - 1:
                self.rows[path] = self.rows.get(path, 0) + 1
            if path in self.rows:
                path = (*path, self.rows[path] - 1)
        line = node.start_point[0]
        body = self.line_end(line)
        section = LayoutSection(path, self.above(line), node.start_byte, body, body)
        self.fill(section, node)
        return section

    def fill(self, section: LayoutSection, node: Node) -> None:
        section.entries = [self.pair(each, section.path, lines=True) for each in node.children if each.type == "pair"]
        if section.entries:
            section.end = section.entries[-1].end
        if not section.entries and not section.path:
            return
        # Comments that hug the last key belong to the section, unless they hug the next header instead.
        line = end = bisect_right(self.lines, section.end) - 1
        while line in self.comments:
            line += 1
        if line > end and not self.is_header(line):
            section.end = self.lines[line] if line < len(self.lines) else len(self.text)

    def pair(self, node: Node, within: Path, *, lines: bool = False) -> LayoutEntry:
        key, value = node.children[0], node.children[-1]
        value = next((each for each in node.children[2:] if each.type != "comment"), value)
        path = (*within, *self.keys(key))
        entry = self.value(value, path, within)
        entry.key = node.start_byte
        if lines:
            entry.start = self.above(node.start_point[0])
            entry.end = self.line_end(value.end_point[0])
        else:
            entry.start, entry.end = node.start_byte, value.end_byte
        return entry

    def value(self, node: Node, path: Path, within: Path) -> LayoutEntry:
        start, end = node.start_byte, node.end_byte
        entry = LayoutEntry(path, within, start, end, start, start, end, node.type)
        if node.type == "inline_table":
            entry.items = [self.pair(each, path) for each in node.children if each.type == "pair"]
        elif node.type == "array":
            self.elements(entry, node)
        return entry

    def elements(self, entry: LayoutEntry, node: Node) -> None:
        inner = [each for each in node.children if each.is_named]
        comments = {each.start_point[0] for each in inner if each.type == "comment"}
        values = [each for each in inner if each.type != "comment"]
        entry.items = [self.value(each, (*entry.path, n), entry.path) for n, each in enumerate(values)]
        rows = [(each.start_point[0], each.end_point[0]) for each in values]
        edges = [node.start_point[0], *(row for pair in rows for row in pair), node.end_point[0]]
        commas = [each.start_point[0] for each in node.children if each.type == ","]
        entry.shared = not rows or any(a >= b for a, b in zip(edges[::2], edges[1::2], strict=True))
        entry.shared |= any(comma != last for comma, (_, last) in zip(commas, rows, strict=False))
        # Where each element has its lines to itself, it owns them, as keys of a section do.
        comments -= {row for pair in rows for row in pair} | {edges[0]}
        for item, (first, last) in zip(entry.items, [] if entry.shared else rows, strict=False):
            while first - 1 in comments:
                first -= 1
            item.start, item.end = self.lines[first], self.line_end(last)

    def keys(self, node: Node) -> tuple[str, ...]:
        if node.type == "dotted_key":
            return tuple(key for each in node.children if each.type in _KEYS for key in self.keys(each))
        spelled = self.text[node.start_byte : node.end_byte].decode()
        return (next(iter(tomllib.loads(f"{spelled}=0"))) if node.type == "quoted_key" else spelled,)

    def above(self, line: int) -> int:
        while line - 1 in self.comments:
            line -= 1
        return self.lines[line] or (3 if self.text.startswith(b"\xef\xbb\xbf") else 0)

    def line_end(self, line: int) -> int:
        return self.lines[line + 1] if line + 1 < len(self.lines) else len(self.text)

    def is_header(self, line: int) -> bool:
        if line >= len(self.lines):
            return False
        return self.text[self.lines[line] : self.line_end(line)].lstrip().startswith(b"[")
