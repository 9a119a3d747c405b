"""Addresses and what they stand for in a site's plain data.

People and commands name a row by its id (``("routes", "shop", "path")``), plain data counts rows: a Path has the
position where the Address has the id. Here are the ids that rows without one get, the way from Address to Path and
back, and the meaning of each Edit on plain data, which is what an edit of the text is verified against. Nothing here
knows text or does I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

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
    said = next((row[key] for key in _TELLING if isinstance(row.get(key), str)), stem)
    return "root" if said == "/" else re.sub(r"[^A-Za-z0-9_.]+", "-", said).strip("-.") or stem


def is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, dict) for each in value)


def resolved(data: Data, address: Address, known: dict[int, dict[str, int]] | None = None) -> tuple[Path, int]:
    """The path of ``address``, as far as it exists: how many of its keys were found is the second result.

    ``known`` remembers the ids of each list between calls, by its identity, for data that nobody changes meanwhile.
    """
    here: Any = data
    known = {} if known is None else known
    path: Path = ()
    stem = ""
    for n, key in enumerate(address):
        if isinstance(here, dict) and key in here:
            path, here, stem = (*path, key), here[key], key
        elif isinstance(here, list) and key and key in (numbers := _numbers(here, stem, known)):
            path, here = (*path, numbers[key]), here[numbers[key]]
        else:
            return path, n
    return path, len(address)


def _numbers(rows: list[Any], stem: str, known: dict[int, dict[str, int]]) -> dict[str, int]:
    """Where each row stands, by its id; the first of two that share one."""
    if id(rows) not in known:
        known[id(rows)] = {name: n for n, name in reversed([*enumerate(row_ids(rows, stem))])}
    return known[id(rows)]


def address_of(data: Data, path: Path, known: dict[int, tuple[str, ...]] | None = None) -> Address:
    """The address of a path that exists in ``data``, or of as much of it as can be named.

    ``known`` remembers the ids of each list between calls, as for ``resolved``.
    """
    here: Any = data
    known = {} if known is None else known
    address: Address = ()
    stem = ""
    for step in path:
        if isinstance(step, int):
            if id(here) not in known:
                known[id(here)] = row_ids(here, stem)
            address = (*address, known[id(here)][step])
        else:
            address, stem = (*address, step), step
        here = here.get(step, {}) if isinstance(here, dict) else here[int(step)]
    return address


def at(data: Data, path: Path) -> Any:
    """The value at a path that exists."""
    here: Any = data
    for step in path:
        here = here[step]
    return here


def made_ids(data: Data) -> list[tuple[Data, str]]:
    """The rows that have no id of their own, as objects, and the ids made for them."""
    return [
        (row, name)
        for _, rows, stem in _lists(data, (), "")
        for row, name in zip(rows, row_ids(rows, stem), strict=True)
        if not row.get("id")
    ]


def pins(had: list[tuple[Data, str]], data: Data) -> list[tuple[Path, str]]:
    """Rows that had a made id (as ``made_ids`` said before) and now would get another: where each is, and what it had.

    Rows are recognised as objects: an edit must have changed them in place.
    """
    names = {id(row): name for row, name in had}
    return [
        ((*path, n), names[id(row)])
        for path, rows, stem in _lists(data, (), "")
        for n, (row, name) in enumerate(zip(rows, row_ids(rows, stem), strict=True))
        if not row.get("id") and names.get(id(row), name) != name
    ]


def _lists(here: Any, path: Path, stem: str) -> Iterator[tuple[Path, list[Data], str]]:
    if is_rows(here):
        yield path, here, stem
    if isinstance(here, dict | list):
        for key, value in here.items() if isinstance(here, dict) else enumerate(here):
            if isinstance(value, dict | list):
                yield from _lists(value, (*path, key), str(key) if isinstance(key, str) else stem)


def meaning(here: Any, address: Address = ()) -> Any:
    """The data without empty tables and lists that say nothing, so that ``[console]`` alone equals no console."""
    if isinstance(here, list):
        return [meaning(each, (*address, "")) for each in here]
    if not isinstance(here, dict):
        return "nan" if here != here else here  # nan equals nothing, itself included
    kept = {key: meaning(value, (*address, key)) for key, value in here.items()}
    return {k: v for k, v in kept.items() if v not in ({}, []) or names_something((*address, k))}
