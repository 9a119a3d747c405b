"""S3-FIFO: which entries stay when there is no room for all (Yang et al., "FIFO Queues are All You Need for Cache
Eviction", SOSP 2023). Pure.

What is new waits in a small queue, a tenth of the room. What is asked for again while it waits goes on to the main
queue; what is not goes out, and its name is remembered for a while: if it comes again, it goes to the main queue at
once. There, what was asked for since it came to the front goes round once more. So a flood of rare paths passes through
the small queue and leaves the main one as it is, which LRU does not do. A hit adds one to a number and moves nothing.

Against W-TinyLFU: on the trace of tests/cache it keeps as many hits within a hundredth, without a sketch to keep up at
each hit.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from typing import Final

SMALL: Final = 10
"""The small queue has one part in so many of the room."""
MOST_USES: Final = 3
"""Uses that count."""


class Slot:
    """An entry as the queues know it. ``uses`` is added to at each hit, up to MOST_USES."""

    __slots__ = ("gone", "name", "size", "small", "uses")

    def __init__(self, name: Hashable, size: int) -> None:
        self.name = name
        self.size = size
        self.uses = 0
        self.small = True
        self.gone = False


class Room:
    """Room for ``most`` bytes in ``count`` entries. ``out`` is told of each that has to go."""

    def __init__(self, most: int, count: int, out: Callable[[Slot], None]) -> None:
        self.most = most
        self.count = count
        self.bytes = 0
        self.entries = 0
        self._out = out
        self._small: deque[Slot] = deque()
        self._main: deque[Slot] = deque()
        self._small_bytes = 0
        self._ghosts: OrderedDict[int, None] = OrderedDict()

    def add(self, place: Slot) -> None:
        """It comes in, and others go out for it, perhaps itself."""
        known = hash(place.name)
        if known in self._ghosts:
            del self._ghosts[known]
            place.small = False
            self._main.append(place)
        else:
            self._small.append(place)
            self._small_bytes += place.size
        self.bytes += place.size
        self.entries += 1
        self.fit()

    def grow(self, place: Slot, more: int) -> None:
        """One that is in takes so many bytes more, and others go out for it, perhaps itself."""
        place.size += more
        self.bytes += more
        if place.small:
            self._small_bytes += more
        self.fit()

    def fit(self) -> None:
        """Put out what there is no room for."""
        while (self.bytes > self.most or self.entries > self.count) and self.entries:
            if self._small and (not self._main or self._small_bytes * SMALL > self.bytes):
                self._from_small()
            elif self._main:
                self._from_main()
            else:
                self._from_small()

    def remove(self, place: Slot) -> None:
        """It is gone already, for another reason. Its turn in a queue comes later."""
        if not place.gone:
            place.gone = True
            self.bytes -= place.size
            self.entries -= 1
            if place.small:
                self._small_bytes -= place.size
            self._swept()

    def _swept(self) -> None:
        """Where most of what stands in the queues is gone, they are made anew."""
        if len(self._small) + len(self._main) > 2 * self.entries + 64:
            self._small = deque(place for place in self._small if not place.gone)
            self._main = deque(place for place in self._main if not place.gone)

    def _from_small(self) -> None:
        place = self._small.popleft()
        if place.gone:
            return
        self._small_bytes -= place.size
        place.small = False
        if place.uses > 1:
            place.uses = 0
            self._main.append(place)
            return
        self._ghosts[hash(place.name)] = None
        while len(self._ghosts) > max(64, self.entries):
            self._ghosts.popitem(last=False)
        self._put_out(place)

    def _from_main(self) -> None:
        place = self._main.popleft()
        if place.gone:
            return
        if place.uses:
            place.uses -= 1
            self._main.append(place)
            return
        self._put_out(place)

    def _put_out(self, place: Slot) -> None:
        place.gone = True
        self.bytes -= place.size
        self.entries -= 1
        self._out(place)
