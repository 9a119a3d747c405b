"""What the shared cache does, for people: how it served requests, what it holds, and what it may hold. Also what
somebody throws out of it, and why an answer would or would not be kept."""

from __future__ import annotations

from msgspec import Struct

from proxy_core.cache.store import KeptAnswer
from proxy_core.serve.answer_cache import AnswerCache


class CacheLoad(Struct, frozen=True, kw_only=True):
    """The cache of a service since its start."""

    served: dict[str, int]
    """Requests by how it served them: hit, stale, revalidated, collapsed, miss, bypass."""
    saved: int
    """Bytes of bodies that no member was asked for."""
    kept: int
    """Answers that were kept."""
    unkept: int
    """Answers to requests that missed that were not kept."""
    evicted: int
    """Answers that went out for want of room."""
    purged: int
    """Answers that somebody threw out."""
    entries: int
    """Answers that it holds."""
    memory: int
    """Bytes of memory that they take, about."""
    files: int
    """Bytes that bodies in files take."""

    @property
    def hit_rate(self) -> float:
        """The part of requests that no member was asked the whole answer for, of those that did not go past it."""
        asked = sum(self.served.values()) - self.served.get("bypass", 0)
        return (asked - self.served.get("miss", 0)) / asked if asked else 0.0


def cache_load(cache: AnswerCache) -> CacheLoad:
    """What a cache does now."""
    tally, store = cache.tally, cache.store
    return CacheLoad(
        served={**tally.served}, saved=tally.saved, kept=tally.kept, unkept=tally.unkept, evicted=store.evicted,
        purged=tally.purged, entries=store.memory.entries + store.files.entries, memory=store.memory.bytes,
        files=store.files.bytes,
    )  # fmt: skip


async def purge(cache: AnswerCache, url: str = "", prefix: str = "", tag: str = "") -> int:
    """``purged``, for who may have to wait for it where the cache is far away."""
    return purged(cache, url, prefix, tag)


def purged(cache: AnswerCache, url: str = "", prefix: str = "", tag: str = "") -> int:
    """Throw out what was asked by a URL, by URLs that begin so, or what has a tag; how many there were. A URL that
    begins with a slash is meant of every host; one without all of these is meant of everything."""
    if url or prefix:
        wanted, whole = url or prefix, bool(url)
        anywhere = wanted.startswith("/")

        def holds(kept: KeptAnswer) -> bool:
            own = "/" + kept.url.split("/", 3)[3] if anywhere else kept.url
            return own == wanted if whole else own.startswith(wanted)

        return cache.purge(holds)
    if tag:
        return cache.purge(lambda kept: tag.encode("latin-1", "replace") in kept.lifetime.tags)
    return cache.purge(lambda kept: True)
