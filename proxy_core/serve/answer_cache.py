"""The cache of a server: the store, who gets what just now, what is known not to be kept, and what is counted.

It outlives every rule set: a new [cache] changes its bounds, and what is kept stays. What edits do to answers is done
on the way out (``kept_answer``), so new rules change kept answers at once.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from random import random
from time import monotonic
from typing import Any, Final, Protocol

from proxy_core.cache.bodies import Growing
from proxy_core.cache.store import KeptAnswer, Primary, Rest, Store
from proxy_core.cache.wishes import CONDITIONS, Wishes, selected, wishes_of
from proxy_core.config.model import Cache, Site
from proxy_core.rules.fields.edits import Edits

MOST_READ: Final = 4096
"""Blocks of fields whose wishes are remembered."""
MOST_UNKEPT: Final = 8192
"""Keys that are known to have answers that are not kept."""
UNKEPT_SECONDS: Final = 10.0
"""For how long requests for such a key do not wait for each other."""
LOOKED_AT: Final = 1 / 16
"""Of the requests for such a key, the part whose answers are looked at all the same: they may be kept again."""
SEEN: Final = 1 << 16
"""Places for marks of keys whose answers were not kept once."""
REFRESHES: Final = 64
"""Answers that are validated at a time while they are served stale."""


WORDS: Final = ("hit", "stale", "revalidated", "collapsed", "miss", "bypass")
"""How the cache serves a request: with what is fresh; with what is stale; with what a member said is still good; with
the answer to another one's request; with an answer that a member was asked for; past it."""


@dataclass(slots=True)
class CacheTally:
    """What the cache did since the start."""

    served: dict[str, int] = field(default_factory=lambda: dict.fromkeys(WORDS, 0))
    """Requests of routes with a cache by how it served them, as in their records."""
    saved: int = 0
    """Bytes of bodies that no member was asked for."""
    kept: int = 0
    """Answers that were kept."""
    unkept: int = 0
    """Answers that were not."""
    purged: int = 0
    """Answers that were thrown out by somebody."""


CacheKey = tuple[Primary, Rest]


class Sharer(Protocol):
    """A request for an answer that others may wait for, or that waits for another one's."""

    key: CacheKey
    """What they all want."""
    waiters: list[Sharer] | None
    """Those others; None before the first."""
    spoiled: bool
    """What it asked for was thrown out before it came."""

    def arrived(self) -> None:
        """The answer that it waited for is there, or it never will be: look again."""


class AnswerCache:
    """``config`` is the [cache] in force."""

    def __init__(self, folder: Path = Path()) -> None:
        self.config = Cache()
        self.tally = CacheTally()
        self.store = Store(self.config.memory, self.config.entries, self.config.files)
        self.asked_for = False
        """A route or a location of the site in force has a cache."""
        self.whole_targets = True
        """No part of a target is left out of the key."""
        self.folder = ""
        self.attempts = 0
        """Members that were asked in the background."""
        self.pending = 0
        """Bytes of memory that bodies take which are still coming."""
        self._folder = folder
        self._leading: dict[CacheKey, Sharer] = {}
        self._beside: set[Sharer] = set()
        self._unkept: dict[CacheKey, float] = {}
        self._past: dict[CacheKey, float] = {}
        self._seen = bytearray(SEEN)
        self._wishes: dict[bytes | tuple[bytes, frozenset[bytes]], Wishes] = {}
        self._names: dict[int, tuple[Edits, frozenset[bytes]]] = {}
        self._site: Site | None = None
        self._refreshing: set[CacheKey] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def adopt(self, site: Site) -> None:
        """Another site is in force."""
        if site is self._site:
            return
        self._site = site
        self.asked_for = any(row.cache for row in site.routes) or any(row.cache for row in site.locations)
        self._wishes.clear()
        self._names.clear()
        self._unkept.clear()
        self._past.clear()
        if site.cache != self.config:
            self.config = site.cache
            self.whole_targets = not (site.cache.ignore_query or site.cache.ignore_session_ids)
            self.store.bound(self.config.memory, self.config.entries, self.config.files)
        named = self.config.folder
        self.folder = os.fspath(self._folder / named) if named else ""

    # -- reading requests

    def wishes(self, lines: bytes, edits: Edits | None) -> Wishes:
        """What a request's lines say; ``edits`` are those of the site that had a hand in them."""
        names = self._given(edits) if edits is not None else _NOTHING
        known = (lines, names) if names else lines
        found = self._wishes.get(known)
        if found is None:
            if len(self._wishes) >= MOST_READ:
                self._wishes.clear()
            found = self._wishes[known] = wishes_of(lines, names)
        return found

    def _given(self, edits: Edits) -> frozenset[bytes]:
        """The fields that edits of requests have a hand in, but for those that change no answer, and for conditions,
        which say what the client has."""
        known = self._names.get(id(edits))
        if known is None or known[0] is not edits:
            unkeyed = {name.lower().encode("latin-1") for name in self.config.unkeyed}
            named = {e.name for e in (*edits.early, *edits.request) if e.action not in ("id", "via", "tell")}
            known = self._names[id(edits)] = edits, frozenset(named - unkeyed - CONDITIONS)
        return known[1]

    # -- who gets what

    def leads(self, sharer: Sharer, waits: bool, now: float) -> bool:
        """Whether a request asks a member; else another one with its key does already, and it ``waits`` for that."""
        first = self._leading.setdefault(sharer.key, sharer)
        if first is sharer:
            return True
        if waits and not first.spoiled and self._unkept.get(sharer.key, 0.0) <= now:
            if first.waiters is None:
                first.waiters = []
            first.waiters.append(sharer)
            return False
        self._beside.add(sharer)
        return True

    def leaves(self, sharer: Sharer) -> None:
        """It waits no longer."""
        first = self._leading.get(sharer.key)
        if first is not None and first.waiters is not None and sharer in first.waiters:
            first.waiters.remove(sharer)

    def over(self, sharer: Sharer, *, unkept: bool = False) -> None:
        """Its answer is kept, or will not be: those that wait look again. ``unkept``: nor is anybody to wait for the
        next one; where nobody did, there is nothing to remember, so a flood of paths that come once costs no memory."""
        if unkept and (sharer.waiters or sharer.key in self._unkept):
            if len(self._unkept) >= MOST_UNKEPT:
                self._unkept.clear()
            self._unkept[sharer.key] = monotonic() + UNKEPT_SECONDS
        if self._leading.get(sharer.key) is sharer:
            del self._leading[sharer.key]
        else:
            self._beside.discard(sharer)
        waiters, sharer.waiters = sharer.waiters, None
        for waiter in waiters or ():
            waiter.arrived()

    def never_kept(self, key: CacheKey, now: float) -> None:
        """An answer for this key is not kept, whoever had asked for it. From the second time on, most requests for it
        go past the cache for a while; of the first there is a mark alone, so paths that come once cost nothing."""
        mark = hash(key)
        place, mark = mark % SEEN, (mark >> 20) % 255 + 1
        if self._seen[place] != mark:
            self._seen[place] = mark
            return
        if len(self._past) >= MOST_UNKEPT:
            self._past.clear()
        self._past[key] = now + UNKEPT_SECONDS

    def goes_past(self, key: CacheKey, now: float) -> bool:
        """Whether a request does so, for which nothing is kept. Some never do, so nobody keeps a page out of the cache
        by what is not in its key."""
        return bool(self._past) and self._past.get(key, 0.0) > now and random() >= LOOKED_AT

    # -- keeping

    def growing(self, length: int) -> Growing | None:
        """Room for a body that is to come, of ``length`` bytes, below 0 for nobody knows; None where there is none."""
        config = self.config
        most = config.largest if self.folder else min(config.largest, config.in_memory)
        if length > most or self.pending > config.memory:
            return None
        return Growing(config.in_memory, self.folder)

    def keep(self, kept: KeptAnswer, lines: bytes) -> None:
        """Keep an answer to a request with these lines. Its key is completed by the fields that it varies by."""
        names = self.store.vary(kept.primary, kept.lifetime.vary)
        if names or kept.rest[-1]:
            kept.rest = (*kept.rest[:-1], selected(lines, names))
            kept.name = kept.primary, kept.rest
        self.store.put(kept)
        self.tally.kept += 1
        self._past.pop((kept.primary, kept.rest), None)
        self._unkept.pop((kept.primary, kept.rest), None)

    def invalidate(self, primary: Primary) -> None:
        """An unsafe request has changed a resource (RFC 9111 §4.4)."""
        self.store.invalidate(primary)
        for sharer in (*self._leading.values(), *self._beside):
            sharer.spoiled = sharer.spoiled or sharer.key[0] == primary

    def purge(self, holds: Callable[[KeptAnswer], bool]) -> int:
        """Throw out all that ``holds`` for, and all that is on its way; how many there were."""
        for sharer in (*self._leading.values(), *self._beside):
            sharer.spoiled = True
        count = self.store.purge(holds)
        self.tally.purged += count
        return count

    # -- in the background

    def refresh(self, key: CacheKey, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Validate a kept answer while it is served stale, unless that is under way."""
        if key in self._refreshing or len(self._tasks) >= REFRESHES:
            return
        self._refreshing.add(key)
        task = asyncio.get_running_loop().create_task(work())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: self._refreshing.discard(key))

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()


_NOTHING: Final = frozenset[bytes]()
