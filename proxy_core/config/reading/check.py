"""Every fault of a site's plain data, in one go and in words for people.

msgspec stops at the first fault and leaves keys out of its paths, so the data is walked here against the model's
fields (``schema``). What one table alone can tell is checked here; what needs two places is checked by
``rules.lint.site``.
Nothing here knows text: a Fault has a path, and ``document`` finds where that stands.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from msgspec import Struct

from proxy_core.config.model import Location, Route, Site
from proxy_core.config.schema import Field, Kind, fields
from proxy_core.config.site_addresses import Path, at, row_ids
from proxy_core.errors import nearest


class Fault(Struct, frozen=True):
    """Something wrong with a site's data."""

    path: Path
    """Where it is: a key, a row, or a table."""
    what: str
    """What is wrong, as the beginning of a sentence."""
    todo: str
    """What to do about it."""
    missing: bool = False
    """Something is not there: in a text with syntax errors it may merely have been lost."""
    of_key: bool = False
    """It is about the key itself, not about what stands behind it."""
    stand_in: tuple[str, Any] | None = None
    """A key and a value with which the table is whole, so that the rest of it can be checked."""


class KindWords(Struct, frozen=True):
    """A kind of value for people."""

    types: type | tuple[type, ...]
    wanted: str
    example: str
    header: str = ""
    """The header that tables of it can have, with {} for the path."""


KINDS: dict[Kind, KindWords] = {
    "text": KindWords(str, "a text", '"…"'),
    "number": KindWords((int, float), "a number", "1.5"),
    "integer": KindWords(int, "a whole number", "1"),
    "switch": KindWords(bool, "true or false", "true"),
    "choice": KindWords(object, "one of a few words", '"…"'),
    "list": KindWords(list, "a list of texts", '["…", "…"]'),
    "pairs": KindWords(dict, "a table of texts", '{ name = "…" }'),
    "table": KindWords(dict, "a table", "{ … }", "[{}]"),
    "tables": KindWords(dict, "tables by name", "{ name = { … } }", "[{}.NAME]"),
    "rows": KindWords(list, "an array of tables", "[{ … }]", "[[{}]]"),
}


def faults(data: dict[str, Any]) -> list[Fault]:
    """Every fault of a whole site's data; none means that it converts to a Site."""
    return list(_table(data, Site, ()))


class Left(Struct, frozen=True):
    """Data without everything faulty, and the names of the tables and the ids of the rows that went with it."""

    data: dict[str, Any]
    gone: frozenset[str]


def without_faults(data: dict[str, Any]) -> Left | None:
    """What is left of a whole site's data, in which every row has its id; None when nothing sensible is."""
    data = deepcopy(data)
    gone: set[str] = set()
    for _ in range(8):  # a key that goes may leave a table that lacks it
        found = {fault.path: fault.stand_in for fault in faults(data)}
        if not found:
            return Left(data, frozenset(gone))
        for path in sorted(found, reverse=True):  # what is inside before what holds it, later rows before earlier ones
            if stand_in := found[path]:
                at(data, path)[stand_in[0]] = stand_in[1]
                continue
            if not path:
                return None
            *above, last = path
            holder = at(data, tuple(above))
            if isinstance(holder[last], dict):
                gone.add(last if isinstance(last, str) else str(holder[last].get("id")))
            del holder[last]
    return None


def _table(data: dict[str, Any], struct: type[Struct], path: Path) -> Iterator[Fault]:
    by_name = {field.name: field for field in fields(struct)}
    meant = set()
    for key, value in data.items():
        if key in by_name:
            yield from _value(value, by_name[key], (*path, key))
        else:
            close = nearest(key.lower().replace("-", "_"), by_name)
            meant.update([close] if close else [])
            todo = f"did you mean {close}?" if close else f"delete it; the keys here are {', '.join(by_name)}"
            yield Fault((*path, key), f"{_shown(key)} is no key{_inside(path)}", todo, of_key=True)
    for field in by_name.values():
        if field.required and field.name not in data and field.name not in meant:
            yield Fault(path, f"{field.name} is missing", f"add {_example(field)}", missing=True)
    if struct is Route:
        yield from _one_action(data, meant, path)
        yield from _one_of(data, path, ("path", "path_regex"), 'path = "/app" or path_regex = "…"')
    if struct is Location:
        todo = 'path = "/app", path_regex = "…", target = "http://host:port", folder = "…" or files = "…"'
        keys = ("path", "path_regex", "target", "target_regex", "folder", "folder_regex")
        yield from _one_of(data, path, keys if {"folder", "folder_regex"} & data.keys() else (*keys, "files"), todo)


_ACTIONS = {
    "proxy": "forwards",
    "redirect": "redirects",
    "folder": "serves files",
    "except": "is an exception",
}
"""What a route does, in words; one of them."""


def _one_action(row: dict[str, Any], meant: set[str], path: Path) -> Iterator[Fault]:
    given = [key for key in _ACTIONS if key in row and (key != "except" or row[key] is True)]
    for key in given[1:]:
        what = f"the route both {_ACTIONS[given[0]]} and {_ACTIONS[key]}"
        yield Fault((*path, key), what, f"delete {given[0]} or {key}", of_key=True)
    if not given and not meant & {*_ACTIONS}:
        todo = 'add proxy = "http://host:port/path", or except = true to leave the path to no later route'
        yield Fault(path, "the route does nothing", todo, missing=True, stand_in=("except", True))


def _one_of(row: dict[str, Any], path: Path, keys: tuple[str, ...], examples: str) -> Iterator[Fault]:
    """Exactly one of ``keys`` says what a row is for."""
    given = [key for key in keys if key in row]
    if not given:
        what = "the row does not say what it is for"
        yield Fault(path, what, f"add {examples}", missing=True, stand_in=("path", "/"))
    for key in given[1:]:
        what = f"the row has both {given[0]} and {key}"
        yield Fault((*path, key), what, "delete one, or write two rows", of_key=True)


def _value(value: Any, field: Field, path: Path) -> Iterator[Fault]:
    words = KINDS[field.kind]
    if not isinstance(value, words.types) or (isinstance(value, bool) and field.kind in ("number", "integer")):
        header = words.header.format(".".join(map(str, path)))
        yield Fault(path, f"{field.name} is {found(value)}, not {words.wanted}", f"write {header or _example(field)}")
    elif field.kind == "choice" and not any(value == each and type(value) is type(each) for each in field.choices):
        yield Fault(path, f"{field.name} cannot be {_shown(value)}", _choice(value, field))
    elif field.kind in ("text", "number", "integer"):
        yield from _limits(value, field, path)
    elif field.kind in ("list", "pairs"):
        yield from _texts(value, field, path)
    elif field.struct is not None:
        yield from _tables(value, field, field.struct, path)


def _tables(value: Any, field: Field, struct: type[Struct], path: Path) -> Iterator[Fault]:
    if field.kind == "table":
        yield from _table(value, struct, path)
    elif field.kind == "tables":
        for name, each in value.items():
            yield from _name(name, field, (*path, name))
            if isinstance(each, dict):
                yield from _table(each, struct, (*path, name))
            else:
                todo = f"write it as [{'.'.join(str(step) for step in (*path, name))}]"
                yield Fault((*path, name), f"{name} is {found(each)}, not a table", todo)
    else:
        seen: dict[str, int] = {}
        for n, (row, name) in enumerate(zip(value, row_ids(value, field.name), strict=True)):
            if not isinstance(row, dict):
                yield Fault((*path, n), f"row {n + 1} of {field.name} is {found(row)}, not a table", "write { … }")
                continue
            if name in seen:
                todo = "rename one of them, or delete the id and one is made"
                yield Fault((*path, n, "id"), f'the id "{name}" is used twice in {field.name}', todo)
            seen[name] = n
            yield from _table(row, struct, (*path, n))


def _texts(value: Any, field: Field, path: Path) -> Iterator[Fault]:
    for key, each in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(key, str):
            yield from _name(key, field, (*path, key))
        if not isinstance(each, str):
            where = key if isinstance(key, str) else f"item {key + 1} of {field.name}"
            yield Fault((*path, key), f"{where} is {found(each)}, not a text", "put it into quotes")
        elif field.kind == "list" and field.pattern and not re.search(field.pattern, each):
            what = f"item {key + 1} of {field.name} is {_shown(each)}, not {field.wanted}"
            yield Fault((*path, key), what, f"write {_example(field)}")


def _name(name: str, field: Field, path: Path) -> Iterator[Fault]:
    if field.pattern and not re.search(field.pattern, name):
        what = f"{_shown(name)} cannot be a name in {field.name}"
        yield Fault(path, what, f"use {field.wanted}", of_key=True)


def _limits(value: Any, field: Field, path: Path) -> Iterator[Fault]:
    if isinstance(value, str):
        size = len(value)
        if field.pattern and not re.search(field.pattern, value):
            yield Fault(path, f"{field.name} is {_shown(value)}, not {field.wanted}", f"write {_example(field)}")
        elif field.minimum and size < field.minimum:
            yield Fault(path, f"{field.name} is empty", f"write {_example(field)}")
        elif field.maximum is not None and size > field.maximum:
            todo = f"at most {field.maximum:g} are allowed"
            yield Fault(path, f"{field.name} has {size} characters", todo)
        return
    # Written so that nan, which compares as false with everything, is refused.
    low = field.minimum is None or (value > field.minimum if field.above else value >= field.minimum)
    high = field.maximum is None or value <= field.maximum
    if not (low and high):
        yield Fault(path, f"{field.name} cannot be {_shown(value)}", f"it must be {bounds(field)}")


def bounds(field: Field) -> str:
    """The range of a number in words: "more than 0 and at most 86400"; "" for none."""
    least = "more than" if field.above else "at least"
    words = ((least, field.minimum), ("at most", field.maximum))
    return " and ".join(f"{word} {_number(value)}" for word, value in words if value is not None)


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.12g}"


def _choice(value: Any, field: Field) -> str:
    words = [str(each) for each in field.choices]
    close = nearest(str(value), words)
    if close and len(words) > 1:
        return f'write "{close}"; the choices are {", ".join(words)}'
    shown = [_shown(each) for each in field.choices]
    return f"write {shown[0]}" if len(shown) == 1 else f"write one of {', '.join(shown)}"


def _inside(path: Path) -> str:
    names = [step for step in path if isinstance(step, str)]
    return f" in {'.'.join(names)}" if names else ""


def found(value: Any) -> str:
    """What a value is, in words: ``the text "30"``."""
    match value:
        case bool() | int() | float():
            return _shown(value)
        case str():
            return f"the text {_shown(value)}"
        case list():
            return "a list"
        case dict():
            return "a table"
        case datetime.datetime() | datetime.date() | datetime.time():
            return "a date or time"
    return type(value).__name__


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return "a number this large" if abs(value) >= 10**15 else str(value)
    if isinstance(value, str):
        short = value if len(value) <= 60 else f"{value[:57]}…"
        return '"' + short.encode("unicode_escape").decode() + '"' if not short.isprintable() else f'"{short}"'
    return found(value)


def _example(field: Field) -> str:
    value = field.example if field.example is not None else field.default
    if field.kind == "choice":
        value = field.choices[0]
    if isinstance(value, list):
        return f"{field.name} = [{', '.join(map(_shown, value))}]"
    if value in (None, "", (), {}) or isinstance(value, Struct):
        return f"{field.name} = {KINDS[field.kind].example}"
    return f"{field.name} = {_shown(value)}"
