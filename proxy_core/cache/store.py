"""The store: kept answers by their keys, within their bounds, and what throws them out.

A key has two parts. The first is the resource: host and target as they go to the member. The second is all that may
make another answer of it: the listener, the scheme, the pool, the spelling of Host, the lines that rules and clients
have a say in, and the values of the fields that the answers vary by. So what is thrown out by its URL goes in all its
variants at once, and no answer is found by a request that differs in anything of the second part. Nothing here is asked
of a clock or a network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from proxy_core.cache.bodies import FileBody
from proxy_core.cache.eviction import Room, Slot
from proxy_core.cache.freshness import Lifetime

OVERHEAD: Final = 1500
"""Bytes of memory that an answer takes besides its body and its head, about."""
MOST_FILES: Final = 4096
"""Bodies in files at a time: each is an open descriptor."""

Primary = tuple[bytes, bytes]
"""Host in lower case, and target."""
Rest = tuple[object, ...]
"""All that may make another answer of a resource; its last part is what is selected by Vary."""


class CodedVariant:
    """A kept body as it is in a content coding."""

    __slots__ = ("body", "level", "made")

    def __init__(self, level: int, body: bytes) -> None:
        self.level = level
        """How hard its coder tried."""
        self.body = body
        self.made: tuple[object, object] | None = None
        """The head that it was sent with last, behind the one that that was made of."""


class KeptAnswer(Slot):
    """A kept answer."""

    __slots__ = (
        "asked", "body", "born", "coded", "lifetime", "lines", "made", "primary", "raw", "rest", "shown", "shown_at",
        "status",
    )  # fmt: skip

    lifetime: Lifetime
    """What its fields came to."""
    status: int
    """Its status."""
    raw: bytes
    """Its head as it came from the member."""
    lines: list[bytes]
    """Its status line and its field lines, without Age and Content-Length."""
    body: bytes | FileBody
    """Its body."""
    coded: dict[str, CodedVariant] | None
    """Its body by content codings, as far as it was asked for so; None for none."""
    born: float
    """When it was made or validated last (monotonic), by its own word."""
    made: float
    """The same in seconds of the epoch."""
    asked: tuple[str, bytes, bytes]
    """The scheme, the host and the target that it was asked by first, as its client had them."""
    shown: object
    """What serving has made of it for one second of its age."""
    shown_at: int
    """That second; -1 for none."""

    def __init__(self, primary: Primary, rest: Rest, size: int) -> None:
        super().__init__((primary, rest), size)
        self.primary = primary
        self.rest = rest
        self.shown = self.coded = None
        self.shown_at = -1

    @property
    def url(self) -> str:
        """The URL that it was asked by first."""
        scheme, host, target = self.asked
        return f"{scheme}://{host.decode('latin-1')}{target.decode('latin-1')}"

    @property
    def length(self) -> int:
        return len(self.body) if isinstance(self.body, bytes) else self.body.length


class Resource:
    """The variants of one target of one host. ``names`` are the fields that any of them varies by."""

    __slots__ = ("names", "variants")

    def __init__(self) -> None:
        self.names: tuple[bytes, ...] = ()
        self.variants: dict[Rest, KeptAnswer] = {}


class Store:
    """``find`` is the table's own: a call less for each hit."""

    def __init__(self, memory: int, entries: int, files: int) -> None:
        self._resources: dict[Primary, Resource] = {}
        self.find: Callable[[Primary], Resource | None] = self._resources.get
        self.memory = Room(memory, entries, self._out)
        self.files = Room(files, min(entries, MOST_FILES), self._out)
        self.evicted = 0

    def bound(self, memory: int, entries: int, files: int) -> None:
        """Other bounds hold from now on."""
        for room, most, count in ((self.memory, memory, entries), (self.files, files, min(entries, MOST_FILES))):
            room.most, room.count = most, count
            room.fit()

    def put(self, kept: KeptAnswer) -> None:
        """Keep it, in the place of what was there under its key."""
        resource = self._resources.get(kept.primary)
        if resource is None:
            resource = self._resources[kept.primary] = Resource()
        old = resource.variants.get(kept.rest)
        if old is not None:
            self._room(old).remove(old)
            kept.uses = old.uses
        resource.variants[kept.rest] = kept
        self._room(kept).add(kept)

    def vary(self, primary: Primary, names: tuple[bytes, ...]) -> tuple[bytes, ...]:
        """The fields that all variants of a resource are told apart by, with these."""
        resource = self._resources.get(primary)
        if resource is None:
            resource = self._resources[primary] = Resource()
        if not names:
            return resource.names
        missing = set(names) - set(resource.names)
        if missing:
            resource.names = tuple(sorted({*resource.names, *missing}))
            for kept in [*resource.variants.values()]:  # their keys lack what is told apart now
                self.drop(kept)
            self._resources[primary] = resource
        return resource.names

    def add_coded(self, kept: KeptAnswer, coding: str, variant: CodedVariant) -> None:
        """Keep a coded body beside the plain one, within the same bound."""
        if kept.gone:
            return
        if kept.coded is None:
            kept.coded = {}
        old = kept.coded.get(coding)
        kept.coded[coding] = variant
        self._room(kept).grow(kept, len(variant.body) - (len(old.body) if old is not None else 0))

    def drop(self, kept: KeptAnswer) -> None:
        """Throw one out."""
        if not kept.gone:
            self._room(kept).remove(kept)
            self._forget(kept)

    def invalidate(self, primary: Primary) -> int:
        """Throw out all variants of a resource; how many there were."""
        resource = self._resources.pop(primary, None)
        if resource is None:
            return 0
        for kept in resource.variants.values():
            self._room(kept).remove(kept)
        return len(resource.variants)

    def purge(self, holds: Callable[[KeptAnswer], bool]) -> int:
        """Throw out all for which ``holds``; how many there were."""
        gone = [kept for kept in self if holds(kept)]
        for kept in gone:
            self.drop(kept)
        return len(gone)

    def __iter__(self) -> Iterator[KeptAnswer]:
        for resource in self._resources.values():
            yield from resource.variants.values()

    def _room(self, kept: KeptAnswer) -> Room:
        return self.memory if isinstance(kept.body, bytes) else self.files

    def _out(self, place: Slot) -> None:
        assert isinstance(place, KeptAnswer)
        self.evicted += 1
        self._forget(place)

    def _forget(self, kept: KeptAnswer) -> None:
        resource = self._resources.get(kept.primary)
        if resource is not None and resource.variants.get(kept.rest) is kept:
            del resource.variants[kept.rest]
            if not resource.variants:
                del self._resources[kept.primary]
