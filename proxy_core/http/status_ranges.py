"""Sets of statuses as a site file spells them: "503", and ranges "500-599" with both ends (RFC 9110 §15)."""

from __future__ import annotations

import re
from collections.abc import Iterable

_WRITTEN = re.compile(r"([1-5][0-9][0-9])(?:-([1-5][0-9][0-9]))?")


def status_ranges(written: Iterable[str]) -> frozenset[int]:
    """The statuses that are meant. Raises ValueError with a sentence for what is none."""
    found: set[int] = set()
    for each in written:
        matched = _WRITTEN.fullmatch(each)
        if matched is None:
            raise ValueError(f'"{each}" is no status and no range of statuses')
        low, high = int(matched[1]), int(matched[2] or matched[1])
        if high < low:
            raise ValueError(f'"{each}" ends before it begins')
        found.update(range(low, high + 1))
    return frozenset(found)
