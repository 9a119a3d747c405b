"""Changing a site file's text, one place at a time, without touching the rest.

Each function takes the text (UTF-8 bytes that end with a newline) and a path, and gives the new text: a few spans
replaced, every other byte as it was. A block takes its own comments along (see ``text_layout``), free comments stay.
Only in a list whose elements share lines, or whose commas lead, a comment between two elements goes with the one
above. The functions trust that the path fits the text; ``site_edits`` decides what to do and verifies the outcome.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proxy_core.config.editing import spelling
from proxy_core.config.reading.text_layout import Layout, LayoutEntry, LayoutSection, layout
from proxy_core.config.site_addresses import Path, is_rows

Change = tuple[int, int, bytes]
"""A span of the text and what replaces it."""


def replaced(text: bytes, path: Path, value: Any) -> bytes | None:
    """The value at ``path`` replaced in its place; None where it is not spelled as one value."""
    entry = _entry(layout(text), path)
    if entry is None:
        return None
    old = text[entry.value : entry.value_end].decode()
    return _applied(text, [(entry.value, entry.value_end, _spelled(text, value, like=old))])


def added(text: bytes, path: Path, value: Any) -> bytes:
    """A key that is not there yet, spelled as its neighbours are, with the tables above it that are not there."""
    here = layout(text)
    while len(path) > 1 and path[:-1] not in here.spots:
        path, value = path[:-1], {str(path[-1]): value}
    parent = path[:-1]
    tabular = isinstance(value, Mapping) or (is_rows(value) and len(path) == 1)
    if (inline := _entry(here, parent)) is not None:
        return _applied(text, [_into_inline(text, inline, _pair(text, path[len(parent) :], value, inline=True))])
    if tabular and (like := _sibling(here, parent)):
        return _applied(text, [_after(text, like, path, value)])
    if not tabular and (section := _section(here, parent)):
        return _applied(text, [_into_section(text, here, section, path, value)])
    if dotted := _dotted(here, parent):
        return _applied(text, [_after(text, dotted, path, value)])
    if not tabular:  # only the tables below it have headers
        block = spelling.table(parent, {str(path[-1]): value})
        first = _under(here, parent)[0]
        return _applied(text, [(first.start, first.start, _lines(text, block + "\n"))])
    block = spelling.rows(path, value) if is_rows(value) else spelling.table(path, value)
    return _applied(text, [_below(text, _under(here, parent), block)])


def removed(text: bytes, path: Path) -> bytes:
    """Everything under ``path``, however it is spelled, taken out."""
    here = layout(text)
    gone = _under(here, path)
    blocks: list[LayoutSection | LayoutEntry] = list(gone)
    changes: list[Change] = []
    for section in here.sections:
        if section not in gone:
            for entry in section.entries:
                if entry.path[: len(path)] == path:
                    blocks.append(entry)
                elif path[: len(entry.path)] == entry.path:
                    changes += _out_of_inline(text, entry, path)
    return _applied(text, [*changes, *_without(text, blocks)])


def inserted(text: bytes, path: Path, n: int, row: Any) -> bytes:
    """A new row, or element, at position ``n`` of the list at ``path``, which exists."""
    here = layout(text)
    if (array := _entry(here, path)) is not None:
        return _applied(text, _into_array(text, array, n, _spelled(text, row, inline=True)))
    block = _lines(text, spelling.table(path, row, row=True))
    return _applied(text, [_row_at(text, here, path, n, block)])


def moved(text: bytes, path: Path, n: int, to: int) -> bytes:
    """The row at position ``n`` of the list at ``path`` put above the row that is at position ``to`` now."""
    if to in (n, n + 1):
        return text
    here = layout(text)
    if (array := _entry(here, path)) is not None:
        item = array.items[n]
        moving = text[item.start : item.end]
        if not array.shared:
            moving = _with_comma(text, item)
        return _applied(text, [*_out_of_inline(text, array, item.path), *_into_array(text, array, to, moving)])
    chunks = _under(here, (*path, n))
    parts = [text[chunk.start : chunk.end] for chunk in chunks]
    gaps = [_newline(text) if _blank_before(text, chunk.start) else b"" for chunk in chunks[1:]]
    block = parts[0] + b"".join(gap + part for gap, part in zip(gaps, parts[1:], strict=True))
    return _applied(text, [*_without(text, [*chunks]), _row_at(text, here, path, to, block)])


def _entry(here: Layout, path: Path) -> LayoutEntry | None:
    return next((entry for entry in here.entries() if entry.path == path), None)


def _section(here: Layout, path: Path) -> LayoutSection | None:
    return next((section for section in here.sections if section.path == path), None)


def _under(here: Layout, path: Path) -> list[LayoutSection]:
    return [section for section in here.sections[1:] if section.path[: len(path)] == path]


def _dotted(here: Layout, path: Path) -> LayoutEntry | None:
    """The last key that reaches through the table at ``path`` by its dots: ``a.b.c`` reaches through a and a.b."""
    size = len(path)
    through = (e for e in here.entries() if len(e.within) < size < len(e.path) and e.path[:size] == path)
    return max(through, key=lambda each: each.key, default=None)


def _sibling(here: Layout, parent: Path) -> LayoutEntry | None:
    """The last table right under ``parent``, where tables there are spelled as keys and not by headers."""
    if any(len(section.path) > len(parent) for section in _under(here, parent)):
        return None
    size = len(parent)
    tables = [
        each
        for each in here.entries()
        if each.path[:size] == parent
        and len(each.within) <= size
        and (len(each.path) > size + 1 or (len(each.path) == size + 1 and each.kind == "inline_table"))
    ]
    return tables[-1] if tables and isinstance(tables[-1].path[-1], str) else None


def _pair(text: bytes, steps: Path, value: Any, *, inline: bool = False) -> bytes:
    return spelling.key(*steps).encode() + b" = " + _spelled(text, value, inline=inline)


def _spelled(text: bytes, value: Any, *, like: str = "", inline: bool = False) -> bytes:
    return _lines(text, spelling.value(value, like=like, inline=inline))


def _after(text: bytes, entry: LayoutEntry, path: Path, value: Any) -> Change:
    """A key after another one in the same section or inline table."""
    steps = path[len(entry.within) :]
    if entry.end == entry.value_end:  # inside braces: a key of a section ends with its line
        return entry.end, entry.end, b", " + _pair(text, steps, value, inline=True)
    return entry.end, entry.end, _indent(text, entry.key) + _pair(text, steps, value) + _newline(text)


def _into_section(text: bytes, here: Layout, section: LayoutSection, path: Path, value: Any) -> Change:
    if section.entries:
        return _after(text, section.entries[-1], path, value)
    line = _pair(text, path[-1:], value) + _newline(text)
    if section.path or len(here.sections) == 1:
        return section.body, section.body, line
    first = here.sections[1].start  # a first key for the whole file goes above its first table
    return first, first, line + _newline(text)


def _into_inline(text: bytes, entry: LayoutEntry, pair: bytes) -> Change:
    if entry.items:
        end = entry.items[-1].value_end
        return end, end, b", " + pair
    return entry.value, entry.value_end, b"{ " + pair + b" }"


def _into_array(text: bytes, array: LayoutEntry, n: int, item: bytes) -> list[Change]:
    items = array.items
    if not items:
        return [(array.value, array.value_end, b"[" + item + b"]")]
    if array.shared:
        spot = items[n].start if n < len(items) else items[-1].value_end
        return [(spot, spot, item + b", " if n < len(items) else b", " + item)]
    if not item.endswith(b"\n"):
        item = _indent(text, items[0].key) + item + b"," + _newline(text)
    if n < len(items):
        return [(items[n].start, items[n].start, item)]
    last = items[-1]
    comma: list[Change] = [] if _has_comma(text, last) else [(last.value_end, last.value_end, b",")]
    return [*comma, (last.end, last.end, item)]


def _out_of_inline(text: bytes, entry: LayoutEntry, path: Path) -> list[Change]:
    """The pairs or elements of ``entry`` under ``path`` taken out, each with one comma."""
    items = entry.items
    for item in items:
        if path != item.path and path[: len(item.path)] == item.path:
            return _out_of_inline(text, item, path)
    gone = [n for n, item in enumerate(items) if item.path[: len(path)] == path]
    if len(gone) == len(items):
        brackets = b"[]" if entry.kind == "array" else b"{}"
        return [(entry.value, entry.value_end, brackets)]
    if entry.kind == "array" and not entry.shared:
        return [(items[n].start, items[n].end, b"") for n in gone]
    # Up to the next pair's start where there is one; the run at the end goes from the last that stays.
    last = max(n for n in range(len(items)) if n not in gone)
    tail: list[Change] = [(items[last].value_end, items[-1].value_end, b"")] if last < len(items) - 1 else []
    return [(items[n].start, items[n + 1].start, b"") for n in gone if n < last] + tail


def _has_comma(text: bytes, item: LayoutEntry) -> bool:
    return text[item.value_end : item.end].lstrip().startswith(b",")


def _with_comma(text: bytes, item: LayoutEntry) -> bytes:
    comma = b"" if _has_comma(text, item) else b","
    return text[item.start : item.value_end] + comma + text[item.value_end : item.end]


def _row_at(text: bytes, here: Layout, path: Path, n: int, block: bytes) -> Change:
    """A row's text put above row ``n`` of a list under headers, or behind its last row, spaced as its neighbours."""
    heads = [section for section in _under(here, path) if len(section.path) == len(path) + 1 and section.row]
    spaced = len(heads) < 2 or _blank_before(text, heads[1].start)
    gap = _newline(text) if spaced else b""
    if n < len(heads):
        return heads[n].start, heads[n].start, block + gap
    spot = _under(here, heads[-1].path)[-1].end
    tight = spaced and spot < len(text) and not _blank_at(text, spot)
    return spot, spot, gap + block + (gap if tight else b"")


def _below(text: bytes, sections: list[LayoutSection], block: str) -> Change:
    """A block under headers, behind the last of its relatives, or at the end of the file."""
    spot = sections[-1].end if sections else len(text)
    gap = b"" if not text[:spot].strip(b"\xef\xbb\xbf \t\r\n") else _newline(text)
    if not sections and gap and _blank_before(text, spot):
        gap = b""
    tight = spot < len(text) and not _blank_at(text, spot)
    return spot, spot, gap + _lines(text, block) + (_newline(text) if tight else b"")


def _without(text: bytes, blocks: list[LayoutSection | LayoutEntry]) -> list[Change]:
    """Whole blocks taken out; those with only blank lines between them go as one."""
    spans: list[tuple[int, int]] = []
    for block in sorted(blocks, key=lambda each: each.start):
        if spans and not text[spans[-1][1] : block.start].strip():
            spans[-1] = (spans[-1][0], block.end)
        else:
            spans.append((block.start, block.end))
    return [(*_with_gap(text, *span), b"") for span in spans]


def _with_gap(text: bytes, start: int, end: int) -> tuple[int, int]:
    """A block's span with the blank lines that its going would leave double."""
    after = end
    while after < len(text) and _blank_at(text, after):
        after = text.find(b"\n", after) + 1 or len(text)
    if not _blank_before(text, start):
        return start, end
    if after < len(text) or start == 0:
        return start, after
    while start and _blank_before(text, start):
        start = text.rfind(b"\n", 0, start - 1) + 1
    return start, after


def _blank_at(text: bytes, start: int) -> bool:
    end = text.find(b"\n", start)
    return not text[start : end if end >= 0 else len(text)].strip()


def _blank_before(text: bytes, start: int) -> bool:
    return start == 0 or not text[text.rfind(b"\n", 0, start - 1) + 1 : start].strip()


def _indent(text: bytes, key: int) -> bytes:
    line = text[text.rfind(b"\n", 0, key) + 1 : key]
    return line if not line.strip() else b""


def _newline(text: bytes) -> bytes:
    return b"\r\n" if text.find(b"\r\n") == text.find(b"\n") - 1 and b"\r\n" in text else b"\n"


def _lines(text: bytes, spelled: str) -> bytes:
    return spelled.encode().replace(b"\n", _newline(text))


def _applied(text: bytes, changes: list[Change]) -> bytes:
    """All changes made, from the end of the text. Spans taken out may overlap; what is put in never lies in one."""
    done = len(text)
    parts: list[bytes] = []
    for start, end, new in sorted(changes, key=lambda each: (each[1], each[0]), reverse=True):
        if end < done:
            parts.append(text[end:done])
        parts.append(new)
        done = min(done, start)
    return b"".join([text[:done], *reversed(parts)])
