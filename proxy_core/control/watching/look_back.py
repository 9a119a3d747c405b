"""What diagnosis looks back on: the steps of the last hour, put together into a minute, and minutes before it.

Pure. What is compared is compared over the same time: a member that stood aside for a while is held against what its
peers did while it did not, or an end of somebody's trouble would look like the trouble of who was not there to see it
(Simpson's paradox).
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import NamedTuple

from proxy_core.balance.member_state import MemberKey
from proxy_core.runtime.last_hour import CellCounts, CellKey, TenSeconds, merged

WINDOW = 6
"""Steps that are "now": a minute."""
Cells = Sequence[tuple[CellKey, CellCounts]]


class LookBack(NamedTuple):
    """What is looked at: the steps of the hour, oldest first; the last WINDOW of them as one; the minutes before that,
    each as one, and the last of these as one; the members that did anything in each step of now."""

    steps: Sequence[TenSeconds]
    now: Cells
    minutes: Sequence[TenSeconds]
    reference: Cells
    present: Sequence[frozenset[MemberKey | None]]


def look_back(steps: Sequence[TenSeconds], minutes: Sequence[TenSeconds], reference: Cells) -> LookBack:
    window = steps[-WINDOW:]
    present = [frozenset(key.member for key, _ in step.cells) for step in window]
    return LookBack(steps, together(window).cells, minutes, reference, present)


def together(steps: Sequence[TenSeconds]) -> TenSeconds:
    """Steps as one, cell by cell."""
    cells: dict[CellKey, list[CellCounts]] = {}
    for step in steps:
        for key, cell in step.cells:
            cells.setdefault(key, []).append(cell)
    return TenSeconds(steps[-1].at, tuple((key, merged(same)) for key, same in cells.items()))


def peers_of(member: MemberKey, pool: Container[MemberKey | None], past: LookBack) -> Cells:
    """What the others of a pool did in those steps of now in which the member did anything."""
    steps = zip(past.steps[-WINDOW:], past.present, strict=True)
    shared = [step for step, present in steps if member in present]
    cells = past.now if len(shared) == len(past.present) else [each for step in shared for each in step.cells]
    return [each for each in cells if each[0].member in pool and each[0].member != member]
