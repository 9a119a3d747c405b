"""Edits of a site file: small named changes, addressed by keys and row ids.

An Edit is applied to the file's *text* (see ``edited``), so that comments, order and spelling of everything else
stay: ``splice`` replaces the few spans that an edit means. Values are plain TOML data. The same edits are made to the
plain data, and the new text is read again and compared with it: an edit that came out wrong is never handed on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import deepcopy
from datetime import date, time
from typing import Any, NamedTuple

from msgspec import Struct

from proxy_core.config.editing import spelling, splice
from proxy_core.config.reading.document import Document
from proxy_core.config.reading.text_layout import layout
from proxy_core.config.reading.toml_syntax import values
from proxy_core.config.schema import names_something
from proxy_core.config.site_addresses import Data, Path, at, is_rows, made_ids, meaning, resolved, row_ids
from proxy_core.errors import Address, Problem


class Set(Struct, frozen=True, tag=True):
    """Give the key at ``address`` a value; a table as value makes the table. The parent tables are made as needed."""

    address: Address
    value: Any


class Insert(Struct, frozen=True, tag=True):
    """Put a new row into the ordered list at ``address`` above the row with the id ``before`` ("" = at the end)."""

    address: Address
    row: dict[str, Any]
    before: str = ""


class Move(Struct, frozen=True, tag=True):
    """Move the row at ``address`` (``("routes", "service")``) above the row ``before`` ("" = to the end)."""

    address: Address
    before: str = ""


class Delete(Struct, frozen=True, tag=True):
    """Remove a key, a row or a table with all that is in it."""

    address: Address


Edit = Set | Insert | Move | Delete


class Unusable(Exception):
    """An edit that does not fit the document: ``problem`` says why and what to do."""

    def __init__(self, what: str, todo: str, address: Address = ()) -> None:
        super().__init__(what)
        self.problem = Problem(what=what, todo=todo, address=address)


class Edited(NamedTuple):
    """A new text. ``canonical`` says that the old text could not carry the edit and was spelled anew, without its
    comments: keep a copy of the old file and say so."""

    text: str
    canonical: bool


def edited(document: Document, edits: Sequence[Edit]) -> Edited:
    """The text of ``document`` with ``edits`` made one after the other; everything else stays byte for byte.

    A row that would lose the id that was made for it gets it written down. Raises Unusable when an edit does not fit.
    """
    if document.broken:
        raise Unusable("the file is not TOML, so nothing in it can be edited", "correct its errors first")
    data = deepcopy(document.data)
    newline = "\r\n" if re.match(r"[^\n]*\r\n", document.text) else "\n"
    ending = "" if document.text.endswith("\n") or not document.text else newline
    text = (document.text + ending).encode()
    for edit in edits:
        had = {id(made.row): made for made in made_ids(data)}
        text = _made(text, data, edit)
        for made in [*made_ids(data)]:
            if (before := had.get(id(made.row))) is not None and before.name != made.name:
                text = _with_key(text, data, made.path, "id", before.name)
                made.row["id"] = before.name
    spelled = text.decode().removesuffix(ending)
    found = values(spelled)
    carried = not found.problems and meaning(found.data) == meaning(data)
    return Edited(spelled, False) if carried else Edited(spelling.document(data), True)


def _made(text: bytes, data: Data, edit: Edit) -> bytes:
    """One edit made: gives the new text and changes ``data`` in place."""
    match edit:
        case Set():
            return _set(text, data, edit)
        case Insert():
            return _insert(text, data, edit)
        case Move():
            path = _existing(data, edit.address)
            if not isinstance(path[-1], int):
                raise Unusable("only rows of a list can be moved", "give the address of a row", edit.address)
            rows, n = at(data, path[:-1]), path[-1]
            to = _position(data, rows, edit.address[:-1], edit.before)
            text = splice.moved(text, path[:-1], n, to)
            rows.insert(to - (to > n), rows.pop(n))
            return text
        case Delete():
            path = _existing(data, edit.address)
            text = _without(text, path)
            del at(data, path[:-1])[path[-1]]
            return text


def _set(text: bytes, data: Data, edit: Set) -> bytes:
    path, found = resolved(data, edit.address)
    old, rest = at(data, path), edit.address[found:]
    if not edit.address or (rest and not isinstance(old, dict)):
        missing = rest[0] if rest else "address"
        raise Unusable(f"there is no {missing} in {'.'.join(edit.address[:found])}", "reload the site", edit.address)
    value = _plain(edit.value, edit.address)
    if rest:
        for key in reversed(rest[1:]):
            value = {key: value}
        old[rest[0]] = value
        return splice.added(text, (*path, rest[0]), value)
    if isinstance(path[-1], int) and not isinstance(value, dict):
        raise Unusable("a row of a list can only be a table", "set a key of the row, or delete it", edit.address)
    text = _changed(text, data, path, value)
    if isinstance(old, dict) and isinstance(value, dict):  # the very table stays, so that its row is recognised
        old.clear()
        old.update(value)
    else:
        at(data, path[:-1])[path[-1]] = value
    return text


def _insert(text: bytes, data: Data, edit: Insert) -> bytes:
    path, found = resolved(data, edit.address)
    row = _plain(edit.row, edit.address)
    rows = at(data, path) if found == len(edit.address) else []
    if not isinstance(rows, list) or any(not isinstance(each, dict) for each in rows) or not edit.address:
        raise Unusable(f"{'.'.join(edit.address)} is no list of rows", "give the address of a list", edit.address)
    to = _position(data, rows, edit.address, edit.before)
    if row.get("id") and row["id"] in row_ids(rows, edit.address[-1]):
        raise Unusable(f'there is a row "{row["id"]}" already', "choose another id", edit.address)
    if not rows:
        return _set(text, data, Set(edit.address, [row]))
    text = splice.inserted(text, path, to, row)
    rows.insert(to, row)
    return text


def _changed(text: bytes, data: Data, path: Path, value: Any) -> bytes:
    """The text with the value that exists at ``path`` changed: tables and lists key by key and element by element."""
    old = at(data, path)
    if isinstance(old, dict) and isinstance(value, dict):
        for key, each in value.items():
            text = _with_key(text, data, path, key, each)
        for key in [key for key in old if key not in value]:
            text = _without(text, (*path, key))
        return text
    if isinstance(old, list) and isinstance(value, list) and old and value and is_rows(old) == is_rows(value):
        return _listed(text, data, path, value)
    if old == value and isinstance(old, bool) == isinstance(value, bool):
        return text
    headers = is_rows(value) and len(path) == 1  # an empty list, or something else, becomes rows under headers
    new = None if headers else splice.replaced(text, path, value)
    return splice.added(_without(text, path), path, value) if new is None else new


def _with_key(text: bytes, data: Data, path: Path, key: str, value: Any) -> bytes:
    """The text with a value at a key of the table at ``path``, whether it is there already or not."""
    place = (*path, key)
    return _changed(text, data, place, value) if key in at(data, path) else splice.added(text, place, value)


def _listed(text: bytes, data: Data, path: Path, value: list[Any]) -> bytes:
    from difflib import SequenceMatcher  # for edits of whole lists

    old = at(data, path)
    matcher = SequenceMatcher(None, [repr(each) for each in old], [repr(each) for each in value], autojunk=False)
    for tag, a, a_end, b, b_end in reversed(matcher.get_opcodes()):
        if tag == "equal":
            continue
        both = min(a_end - a, b_end - b)
        for n in reversed(range(a + both, a_end)):
            text = splice.removed(text, (*path, n))
        for each in reversed(value[b + both : b_end]):
            text = splice.inserted(text, path, a + both, each)
        for n in range(both):
            text = _changed(text, data, (*path, a + n), value[b + n])
    return text


def _without(text: bytes, path: Path) -> bytes:
    """The text without what is at ``path``. A table above it that says something by being there stays, even empty."""
    gone = splice.removed(text, path)
    spots = layout(gone).spots
    above = [path[:n] for n in range(2, len(path)) if path[:n] not in spots]
    lost = [each for each in above if names_something(each)]
    return splice.removed(splice.added(text, lost[-1], {}), path) if lost else gone


def _plain(value: Any, address: Address) -> Any:
    """A copy of a value, made of what TOML has. Raises Unusable for anything else."""
    match value:
        case dict() if all(isinstance(key, str) for key in value):
            return {_plain(key, address): _plain(each, address) for key, each in value.items()}
        case list() | tuple():
            return [_plain(each, address) for each in value]
        case str() if not any("\ud800" <= char <= "\udfff" for char in value):
            return value
        case bool() | int() | float() | date() | time():
            return value
    raise Unusable(f"TOML cannot spell {value!r}", "delete the key instead of giving it no value", address)


def _existing(data: Data, address: Address) -> Path:
    path, found = resolved(data, address)
    if found < len(address) or not address:
        raise Unusable(f"there is no {'.'.join(address)}", "reload the site: it may have changed", address)
    return path


def _position(data: Data, rows: Sequence[Any], address: Address, before: str) -> int:
    if not before:
        return len(rows)
    ids = row_ids(rows, address[-1])
    if before not in ids:
        raise Unusable(f'there is no row "{before}" in {".".join(address)}', "reload the site", (*address, before))
    return ids.index(before)
