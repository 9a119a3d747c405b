"""A line in which clients take turns: one entry of each client after the other, however many one of them has.

What waits is bounded. Where all places are taken, the client that has most gives one up to one that has fewer, so many
requests of a few never keep out a newcomer. Pure: whoever uses it wakes what waits.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Generic, TypeVar

Entry = TypeVar("Entry")


class FairLine(Generic[Entry]):
    """``most`` entries may wait; so many are ``waiting``."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: OrderedDict[str, deque[Entry]] = OrderedDict()
        self.waiting = 0

    def join(self, client: str, entry: Entry) -> Entry | None:
        """``entry`` waits from now on. Returns what has no place by that: None, or ``entry`` itself, or the last one of
        the client that has most."""
        lost = None
        if self.waiting >= self._most:
            longest = max(self._waiting, key=lambda name: len(self._waiting[name]))
            if len(self._waiting[longest]) <= len(self._waiting.get(client, ())) + 1:
                return entry
            lost = self._waiting[longest].pop()
            self.waiting -= 1
        self._waiting.setdefault(client, deque()).append(entry)
        self.waiting += 1
        return lost

    def leave(self) -> Entry | None:
        """Take the entry whose turn it is, None where nothing waits. Its client is the last to have a turn again."""
        if not self._waiting:
            return None
        client, entries = self._waiting.popitem(last=False)
        entry = entries.popleft()
        if entries:
            self._waiting[client] = entries
        self.waiting -= 1
        return entry
