"""Where two states of a site file differ, so that an edit that nobody worded can be told in a line.

Pure, over plain data. It names places and never values, which may be secrets.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from proxy_core.config.site_addresses import Data, is_rows, meaning, row_ids
from proxy_core.errors import Address

MOST = 3
"""Places that are named; of the others only how many there are."""


def places_in_words(before: Data, after: Data) -> str:
    """The places where two sites differ: "routes.shop.path, listeners.tls and 4 more"; "comments alone" for none."""
    found = differences(before, after)
    named = [".".join(address) for address in islice(found, MOST)]
    more = sum(1 for _ in found)
    return ", ".join(named) + (f" and {more} more" if more else "") or "comments alone"


def differences(before: Any, after: Any, address: Address = ()) -> Iterator[Address]:
    """Each place at which plain data differs; a table that only one of them has is one place, and so is a list whose
    rows stand in another order. What is equal is not looked into, for a site may have very many rows."""
    if is_rows(before) and is_rows(after):
        before, after = _by_id(before, address[-1]), _by_id(after, address[-1])
        if before == after:
            yield address
    if not (isinstance(before, dict) and isinstance(after, dict)):
        yield address
        return
    for key in {**before, **after}:
        old, new = before.get(key), after.get(key)
        if old is None or new is None:
            if meaning({key: new if old is None else old}, address):
                yield (*address, key)
        elif old != new:
            yield from differences(old, new, (*address, key))


def _by_id(rows: list[Data], stem: str) -> dict[str, Data]:
    return dict(zip(row_ids(rows, stem), rows, strict=True))
