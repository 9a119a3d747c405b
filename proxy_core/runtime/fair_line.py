"""A line in which clients take turns: one entry of each client after the other, however many one of them has.

What waits is bounded, for each client and in all. Where all places are taken, the client that has most gives one up to
one that has fewer, so many requests of a few never keep out a newcomer. Pure: whoever uses it wakes what waits.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Generic, TypeVar

Entry = TypeVar("Entry")


class FairLine(Generic[Entry]):
    """``of_client`` entries of one client may wait, ``most`` in all; so many are ``waiting``."""

    def __init__(self, of_client: int, most: int) -> None:
        self._of_client = of_client
        self._most = most
        self._waiting: OrderedDict[str, deque[Entry]] = OrderedDict()
        self.waiting = 0

    def join(self, client: str, entry: Entry) -> Entry | None:
        """``entry`` waits from now on. Returns what has no place by that: None, or ``entry`` itself, or the last one of
        the client that has most."""
        own = len(self._waiting.get(client, ()))
        if own >= self._of_client:
            return entry
        lost = None
        if self.waiting >= self._most:
            longest = max(self._waiting, key=lambda name: len(self._waiting[name]))
            if len(self._waiting[longest]) <= own + 1:
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
