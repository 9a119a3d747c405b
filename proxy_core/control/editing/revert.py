"""What takes one generation back and nothing that came after it: a three-way merge over plain data.

Three states are compared: before the generation, after it, and now. Where it changed something that is as it left it,
an edit brings back what was there; where somebody changed the same thing since, there is no edit that both would have
meant, and that is said with both sides. The edits are then made on the text of now, so comments stay. Pure.

The theory is that of diff3 (Khanna, Kunal and Pierce, "A Formal Investigation of Diff3", 2007), over keys and row ids
in place of lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from proxy_core.config.editing import spelling
from proxy_core.config.editing.site_edits import Delete, Edit, Insert, Move, Set, Unusable
from proxy_core.config.schema import names_something
from proxy_core.config.site_addresses import Data, is_rows, row_ids
from proxy_core.errors import Address

SHOWN = 80
"""Characters of a value that are shown of each side."""


class _Missing:
    """Stands for what is not there."""


MISSING = _Missing()


def reverting(before: Data, after: Data, now: Data) -> tuple[Edit, ...]:
    """The edits on ``now`` that take back what led from ``before`` to ``after``; none where that is done already.
    Raises Unusable where something that it changed was changed again."""
    return tuple(_table(before, after, now, ()))


def _table(before: Data, after: Data, now: Data, address: Address) -> Iterator[Edit]:
    for key in {**before, **after}:
        states = (before.get(key, MISSING), after.get(key, MISSING), now.get(key, MISSING))
        yield from _value(*states, (*address, key))


def _value(before: Any, after: Any, now: Any, address: Address) -> Iterator[Edit]:
    if _same(before, after) or _same(before, now):
        return
    states = (before, after, now)
    if any(map(is_rows, states)) and all(is_rows(state) or state in (MISSING, []) for state in states):
        was, made, found = ([] if state is MISSING else state for state in states)
        yield from _rows(was, made, found, address)
        return
    if not names_something(address):
        before, after, now = ({} if state is MISSING and _some_table(states) else state for state in states)
    if isinstance(before, dict) and isinstance(after, dict) and isinstance(now, dict):
        yield from _table(before, after, now, address)
    elif not _same(after, now):
        raise _conflict(address, before, after, now)
    elif before is MISSING:
        yield Delete(address)
    else:
        yield Set(address, before)


def _rows(before: list[Data], after: list[Data], now: list[Data], address: Address) -> Iterator[Edit]:
    was, made, found = (_by_id(rows, address[-1]) for rows in (before, after, now))
    order = [*found]
    for name in made.keys() - was.keys() & found.keys():
        if not _same(made[name], found[name]):
            raise _conflict((*address, name), MISSING, made[name], found[name])
    for name in [name for name in made if name not in was and name in found]:
        yield Delete((*address, name))
        order.remove(name)
    for name in [name for name in was if name in made]:
        yield from _row(was[name], made[name], found.get(name, MISSING), (*address, name))
    yield from _moves([*was], [*made], order, address)
    for name in [*reversed(was)]:
        if name in made or _same(was[name], found.get(name)):
            continue
        if name in found:
            raise _conflict((*address, name), was[name], MISSING, found[name])
        above = _above(name, [*was], order, ())
        named = row_ids([was[name]], address[-1]) == (name,)
        yield Insert(address, was[name] if named else {**was[name], "id": name}, above)
        order.insert(order.index(above) if above else len(order), name)


def _row(before: Data, after: Data, now: Any, address: Address) -> Iterator[Edit]:
    if _same(before, after):
        return
    if now is MISSING:
        raise _conflict(address, before, after, now)
    yield from _table(before, after, now, address)


def _moves(was: Sequence[str], made: Sequence[str], now: list[str], address: Address) -> Iterator[Edit]:
    """What brings rows back to the order that they had; ``now`` is their order, and follows what is done."""
    common = {*was} & {*made} & {*now}
    old, new, found = ([name for name in names if name in common] for names in (was, made, now))
    if old == new or found == old:
        return
    if found != new:
        what = f"the rows of {spelling.key(*address)} were brought into an order, and into another one since"
        raise Unusable(what, "move them by hand", address)
    from difflib import SequenceMatcher

    blocks = SequenceMatcher(None, new, old, autojunk=False).get_matching_blocks()
    moving = common - {name for block in blocks for name in old[block.b : block.b + block.size]}
    for name in [name for name in reversed(old) if name in moving]:
        above = _above(name, old, now, moving)
        yield Move((*address, name), above)
        now.remove(name)
        now.insert(now.index(above) if above else len(now), name)
        moving.discard(name)


def _above(name: str, order: Sequence[str], now: Sequence[str], moving: Sequence[str] | set[str]) -> str:
    """The row that ``name`` goes above: the next of its old ``order`` that is there, or whatever stands behind the one
    before it; "" for the end."""
    place = order.index(name)
    for follower in order[place + 1 :]:
        if follower in now and follower not in moving:
            return follower
    for leader in reversed(order[:place]):
        if leader in now and leader not in moving:
            rest = [each for each in now[now.index(leader) + 1 :] if each != name]
            return rest[0] if rest else ""
    return ""


def _by_id(rows: list[Data], stem: str) -> dict[str, Data]:
    return dict(zip(row_ids(rows, stem), rows, strict=True))


def _same(one: Any, other: Any) -> bool:
    return one is other or (one == other and isinstance(one, bool) == isinstance(other, bool))


def _some_table(states: Sequence[Any]) -> bool:
    return any(isinstance(state, dict) for state in states)


def _conflict(address: Address, before: Any, after: Any, now: Any) -> Unusable:
    place = spelling.key(*address)
    what = f"{place} was made {_shown(after)} of {_shown(before)}, and is {_shown(now)} by now"
    return Unusable(what, "change it by hand, or revert what came later first", address)


def _shown(value: Any) -> str:
    if value is MISSING:
        return "nothing"
    text = spelling.value(value, inline=True)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
