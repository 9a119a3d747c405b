"""Problems of a site in one line each: what is wrong, what to do, and the address of the field at fault."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import TypeVar

from proxy_core.errors import Address, Problem, nearest

T = TypeVar("T")

_MOST_NAMED = 12


def error(address: Address, what: str, todo: str) -> Problem:
    return Problem(what=what, todo=todo, address=address)


def warning(address: Address, what: str, todo: str) -> Problem:
    return Problem(what=what, todo=todo, severity="warning", address=address)


def unknown(address: Address, what: str, name: str, known: Collection[str], *, warn: bool = False) -> Problem:
    """A name that stands for nothing, with the nearest one that does."""
    near = nearest(name, known)
    names = ", ".join([*list(known)[:_MOST_NAMED], *["…"] * (len(known) > _MOST_NAMED)]) or "none yet"
    todo = f"did you mean {near}?" if near else f"add it, or name one of {names}"
    return (warning if warn else error)(address, f'there is no {what} "{name}"', todo)


def missing(address: Address, key: str, name: str, known: Collection[str]) -> Iterator[Problem]:
    """The problem of a row whose ``key`` names what is not there; "" names nothing."""
    if name and name not in known:
        yield unknown((*address, key), key, name, known)


def each_refused(
    address: Address, todo: str, read: Callable[[tuple[str]], object], values: Collection[str]
) -> Iterator[Problem]:
    """The problems of a list, each of whose values is read by itself, so that none hides another."""
    return refused(address, todo, lambda value: read((value,)), *values)


def refused(address: Address, todo: str, read: Callable[[T], object], *values: T) -> Iterator[Problem]:
    """The problems of values that ``read`` refuses with a ValueError, in its words."""
    for value in values:
        try:
            read(value)
        except ValueError as reason:
            yield error(address, str(reason), getattr(reason, "todo", todo))
