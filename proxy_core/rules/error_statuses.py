"""Statuses of errors as a site file names them: one by one, or a class at a time."""

from __future__ import annotations

from collections.abc import Sequence


def error_statuses(said: Sequence[str]) -> list[int]:
    """The statuses from 400 on that texts such as "404" and "5xx" stand for. Raises ValueError."""
    found: list[int] = []
    for each in said:
        if each in ("4xx", "5xx"):
            found += range(int(each[0]) * 100, int(each[0]) * 100 + 100)
        elif len(each) == 3 and each.isascii() and each.isdigit() and each[0] in "45":
            found.append(int(each))
        else:
            raise ValueError(f'"{each}" is no status of an error: write "404", "4xx" or "5xx"')
    return found
