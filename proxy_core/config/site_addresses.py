"""Addresses and what they stand for in a site's plain data.

People and commands name a row by its id (``("routes", "shop", "path")``), plain data counts rows: a Path has the
position where the Address has the id. This module makes ids for rows that have none, turns Addresses into Paths and
back, and says what data means, so that two spellings of it can be compared. Nothing here knows text or does I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from proxy_core.config.schema import names_something
from proxy_core.errors import Address

Path = tuple[str | int, ...]
Data = dict[str, Any]

_TELLING = ("path", "path_regex", "target", "name", "network", "test", "pattern")
"""Keys that a row's id is made from: the first one that it has."""


def row_ids(rows: Sequence[Any], stem: str) -> tuple[str, ...]:
    """The id of each row of the list named ``stem``: its own, or one made from what the row says.

    That is its path ("/a/b" gives "a-b"), or whichever of ``_TELLING`` it has first. A made id that is taken already
    gets "-2", "-3", …; given ids always win. Rows that are no tables get "".
    """
    given = [row.get("id") if isinstance(row, dict) else None for row in rows]
    taken = {each for each in given if isinstance(each, str) and each}
    ids = []
    count: dict[str, int] = {}
    for row, own in zip(rows, given, strict=True):
        if not isinstance(row, dict):
            ids.append("")
        elif isinstance(own, str) and own:
            ids.append(own)
        else:
            base = _derived(row, stem)
            n = count.get(base, 1)
            while (made := base if n == 1 else f"{base}-{n}") in taken:
                n += 1
            count[base] = n
            taken.add(made)
            ids.append(made)
    return tuple(ids)


def _derived(row: Data, stem: str) -> str:
    text = next((row[key] for key in _TELLING if isinstance(row.get(key), str)), stem)
    return "root" if text == "/" else re.sub(r"[^A-Za-z0-9_.]+", "-", text).strip("-.") or stem


def is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, dict) for each in value)


def resolved(data: Data, address: Address, cache: dict[int, dict[str, int]] | None = None) -> tuple[Path, int]:
    """The path of ``address``, as far as it exists: how many of its keys were found is the second result.

    ``cache`` remembers the ids of each list between calls, by its identity, for data that nobody changes meanwhile.
    """
    value: Any = data
    cache = {} if cache is None else cache
    path: Path = ()
    stem = ""
    for n, key in enumerate(address):
        if isinstance(value, dict) and key in value:
            path, value, stem = (*path, key), value[key], key
        elif isinstance(value, list) and key and key in (numbers := _numbers(value, stem, cache)):
            path, value = (*path, numbers[key]), value[numbers[key]]
        else:
            return path, n
    return path, len(address)


def _numbers(rows: list[Any], stem: str, cache: dict[int, dict[str, int]]) -> dict[str, int]:
    """Where each row stands, by its id; the first of two that share one."""
    if id(rows) not in cache:
        cache[id(rows)] = {name: n for n, name in reversed([*enumerate(row_ids(rows, stem))])}
    return cache[id(rows)]


def address_of(data: Data, path: Path, cache: dict[int, tuple[str, ...]] | None = None) -> Address:
    """The address of a path that exists in ``data``, or of as much of it as can be named.

    ``cache`` remembers the ids of each list between calls, as for ``resolved``.
    """
    value: Any = data
    cache = {} if cache is None else cache
    address: Address = ()
    stem = ""
    for step in path:
        if isinstance(step, int):
            if id(value) not in cache:
                cache[id(value)] = row_ids(value, stem)
            address = (*address, cache[id(value)][step])
        else:
            address, stem = (*address, step), step
        value = value.get(step, {}) if isinstance(value, dict) else value[int(step)]
    return address


def at(data: Data, path: Path) -> Any:
    """The value at a path that exists."""
    value: Any = data
    for step in path:
        value = value[step]
    return value


def with_ids(value: Any, stem: str = "") -> Any:
    """Plain data in which every row has its id, at every depth; what has no rows in it is not copied."""
    if isinstance(value, dict):
        return {key: with_ids(each, key) if isinstance(each, dict | list) else each for key, each in value.items()}
    if any(isinstance(each, dict) for each in value):
        return [
            {**with_ids(row), "id": name} if isinstance(row, dict) else row
            for row, name in zip(value, row_ids(value, stem), strict=True)
        ]
    return value


class MadeId(Struct, frozen=True):
    """A row that has no id of its own, its place, and the id made for it."""

    row: Data
    path: Path
    name: str


def made_ids(value: Any, path: Path = (), stem: str = "") -> Iterator[MadeId]:
    """Every row without an id of its own. An edit changes rows in place, so that they are recognised as objects."""
    if is_rows(value):
        for n, (row, name) in enumerate(zip(value, row_ids(value, stem), strict=True)):
            if not row.get("id"):
                yield MadeId(row, (*path, n), name)
    for key, each in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(each, dict | list):
            yield from made_ids(each, (*path, key), key if isinstance(key, str) else stem)


def meaning(value: Any, address: Address = ()) -> Any:
    """The data without empty tables and lists that say nothing, so that ``[console]`` alone equals no console."""
    if isinstance(value, list):
        return [meaning(each, (*address, "")) for each in value]
    if not isinstance(value, dict):
        return "nan" if value != value else value  # nan equals nothing, itself included
    kept = {key: meaning(each, (*address, key)) for key, each in value.items()}
    return {key: each for key, each in kept.items() if each not in ({}, []) or names_something((*address, key))}
