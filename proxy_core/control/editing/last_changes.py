"""Which generation changed each row and table of the site last, as ``git blame`` has it: worked out from the diffs.

The lines that each diff adds are followed through all later ones, and those that are left belong to the row or table
they stand in now. A line that is taken out counts for the row it stood in; one that is but a comment counts for none,
and a row that goes, or goes elsewhere, for no other. What was changed before the oldest generation that is kept is not
known. Pure, but for ``LastChanges``, which works it out once for each revision, when somebody asks.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from proxy_core.config.reading.document import Document
from proxy_core.control.editing.editor import Editor
from proxy_core.control.view import Generation, LastChange
from proxy_core.errors import Address

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")


class DiffBlock(NamedTuple):
    """Lines of a diff that belong together: ``gone`` lines stood at line ``at`` (from 1, of the text before), and
    ``added`` are there now. ``within`` says that no row as a whole has gone with them."""

    at: int
    gone: int
    added: Sequence[str]
    within: bool


def blocks(diff: str, file: str) -> Iterator[DiffBlock]:
    """The blocks of the part of a unified diff that is of this file, in the order of the text."""
    of_file, line, left = False, 0, (0, 0)
    gone, added = list[str](), list[str]()

    def block() -> Iterator[DiffBlock]:
        if gone or added:
            header = any(each.lstrip().startswith("[") for each in gone)
            yield DiffBlock(line - len(gone), len(gone), tuple(added), not header)
        gone.clear()
        added.clear()

    for text in diff.split("\n"):
        if left == (0, 0):
            yield from block()
            if text.startswith("+++ "):
                of_file = text[4:].split("\t")[0] == file
            elif of_file and (found := _HUNK.match(text)):
                begin, before, _, after = (1 if each is None else int(each) for each in found.groups())
                line, left = begin + (before == 0), (before, after)
            continue
        sign = text[:1]
        if sign == "+":
            added.append(text[1:])
        elif sign == "-":
            gone.append(text[1:])
            line += 1
        else:
            yield from block()
            line += 1
        left = (left[0] - (sign != "+"), left[1] - (sign != "-"))
    yield from block()


def changed_lines(diffs: Iterable[tuple[int, str]], file: str) -> dict[int, int]:
    """The lines of the text as it is now (from 1) that a generation changed, with the newest that did; ``diffs`` are
    (generation, diff), oldest first."""
    marks: dict[int, int] = {}
    for number, diff in diffs:
        if not (changes := [*blocks(diff, file)]):
            continue
        moved: dict[int, int] = {}
        shifts, shift = [(0, 0)], 0
        for each in changes:
            first = each.at + shift
            said = [n for n, text in enumerate(each.added) if text.strip() and not text.lstrip().startswith("#")]
            moved |= {first + n: number for n in said}
            if each.gone and not each.added and each.within:
                moved[max(1, first - 1)] = number
            shift += len(each.added) - each.gone
            shifts.append((each.at + each.gone, shift))
        starts = [start for start, _ in shifts]
        ranges = [(each.at, each.at + each.gone) for each in changes]
        for line, old in marks.items():
            if not any(begin <= line < end for begin, end in ranges):
                moved.setdefault(line + shifts[bisect_right(starts, line) - 1][1], old)
        marks = moved
    return marks


def last_changes(document: Document, entries: Sequence[Generation], file: str) -> tuple[LastChange, ...]:
    """Each row and table that a generation changed which is kept, with those that did."""
    marks = changed_lines([(each.number, each.diff) for each in entries], file)
    if not marks:
        return ()
    times = {each.number: each.at for each in entries}
    places = document.places()
    lines = [line for line, _ in places]
    by_row: dict[Address, set[int]] = {}
    for line, number in marks.items():
        place = bisect_right(lines, line) - 1
        address = _row(places[place][1]) if place >= 0 else ()
        if address:
            by_row.setdefault(address, set()).add(number)
    return tuple(
        LastChange(address=address, generations=tuple(sorted(numbers, reverse=True)), at=times[max(numbers)])
        for address, numbers in by_row.items()
    )


def _row(address: Address) -> Address:
    """The row or table that an address lies in: a member, or what has a name in the site."""
    return address[: 4 if address[0] == "balancers" and address[2:3] == ("members",) else 2]


class LastChanges:
    """Those of an editor's site."""

    def __init__(self, editor: Editor) -> None:
        self._editor = editor
        self._revision = 0
        self._found: tuple[LastChange, ...] = ()

    def now(self) -> tuple[LastChange, ...]:
        editor = self._editor
        if editor.revision != self._revision:
            self._revision = editor.revision
            self._found = last_changes(editor.document, editor.history.entries, editor.file.name)
        return self._found
