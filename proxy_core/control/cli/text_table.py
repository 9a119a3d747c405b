"""A table as text: columns as wide as what is in them, two blanks apart. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    all_rows = [head, *rows]
    widths = [max(len(row[n]) for row in all_rows) for n in range(len(head))]
    return "\n".join(_cells(row, widths) for row in all_rows)


def _cells(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
