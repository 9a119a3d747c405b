"""The Problems that linting makes, made short."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from difflib import get_close_matches

from proxy_core.errors import Address, Problem

MOST_NAMED = 12


def error(address: Address, what: str, todo: str) -> Problem:
    return Problem(what=what, todo=todo, address=address)


def warning(address: Address, what: str, todo: str) -> Problem:
    return Problem(what=what, todo=todo, severity="warning", address=address)


def unknown(address: Address, what: str, name: str, known: Collection[str], *, warn: bool = False) -> Problem:
    """A name that stands for nothing, with the nearest one that does."""
    near = get_close_matches(name, known, 1)
    names = ", ".join([*list(known)[:MOST_NAMED], *["…"] * (len(known) > MOST_NAMED)]) or "none yet"
    todo = f"did you mean {near[0]}?" if near else f"add it, or name one of {names}"
    return (warning if warn else error)(address, f'there is no {what} "{name}"', todo)


def refused(
    address: Address, values: Collection[str], parse: Callable[[tuple[str]], object], todo: str
) -> Iterator[Problem]:
    """An error for each value by itself that ``parse`` refuses with a ValueError."""
    for value in values:
        try:
            parse((value,))
        except ValueError as reason:
            yield error(address, str(reason), getattr(reason, "todo", todo))
