"""[cache]: answers that are kept, and for how long. Which requests it is for, routes and locations say.

Names and meanings are those of RFC 9111 and of Apache httpd's mod_cache.
"""

from typing import Annotated, Literal

from msgspec import Meta

from proxy_core.config.model.site_table import SiteTable
from proxy_core.config.model.types import NonEmpty, SecondsOrNone, example

Lifetime = Annotated[float, Meta(ge=0, le=31_536_000)]


class Cache(SiteTable, frozen=True, kw_only=True):
    """[cache]: answers of members that are kept for other clients (RFC 9111), on routes and locations that say
    ``cache = true``. Access, passwords and bans come first, at every request. docs/caching.md tells what is kept.

    [cache]
    memory = 67108864
    folder = "/var/cache/rproxy"

    [[routes]]
    path = "/shop"
    proxy = "http://localhost:8000/shop"
    cache = true
    """

    memory: Annotated[int, Meta(ge=0, le=1 << 40)] = 16 * 1024 * 1024
    """Bytes of memory that kept answers take at most, about. Apache: CacheSocacheMaxSize."""

    entries: Annotated[int, Meta(ge=1, le=1 << 24)] = 100_000
    """Answers that are kept at most."""

    folder: Annotated[NonEmpty | None, example("/var/cache/rproxy")] = None
    """Folder, relative to the site file, for bodies longer than in_memory; without it they are not kept. Its files have
    no names: they end with the process. Apache: CacheRoot."""

    files: Annotated[int, Meta(ge=0, le=1 << 50)] = 1 << 30
    """Bytes that bodies in files take at most."""

    in_memory: Annotated[int, Meta(ge=0, le=1 << 30)] = 256 * 1024
    """Bytes of the longest body that is kept in memory."""

    largest: Annotated[int, Meta(ge=0, le=1 << 50)] = 64 * 1024 * 1024
    """Bytes of the longest body that is kept. Apache: CacheMaxFileSize."""

    default_expire: Lifetime = 0.0
    """Seconds for which an answer with an ETag is fresh that says no more. 0: it is validated at each use. Apache:
    CacheDefaultExpire."""

    min_expire: Lifetime = 0.0
    """Seconds for which an answer is fresh at least where the cache itself reckons for how long. Apache:
    CacheMinExpire."""

    max_expire: Lifetime = 86_400.0
    """Seconds for which an answer is fresh at most where the cache itself reckons for how long. Apache:
    CacheMaxExpire."""

    modified_factor: Annotated[float, Meta(ge=0, le=10)] = 0.1
    """Part of the time since Last-Modified for which an answer is fresh that says no more. Apache:
    CacheLastModifiedFactor."""

    ignore_no_last_mod: bool = False
    """Keep answers for default_expire that have no validator, too. Apache: CacheIgnoreNoLastMod."""

    ignore_fields: tuple[str, ...] = ()
    """Fields of answers that are not kept with them. With Set-Cookie here, answers that set cookies are kept without
    them. Apache: CacheIgnoreHeaders."""

    cookies: bool = False
    """Keep answers that set cookies, with their cookies: every client gets the same. mod_cache does so."""

    ignore_query: bool = False
    """Take targets that differ in their query alone for the same. Apache: CacheIgnoreQueryString."""

    ignore_session_ids: Annotated[tuple[str, ...], example(["jsessionid"])] = ()
    """Names of parameters in paths (``;name=``) and queries that are no part of the key. Apache:
    CacheIgnoreURLSessionIdentifiers."""

    ignore_client: bool = False
    """Answer with what is fresh, whatever Cache-Control the request has. Apache: CacheIgnoreCacheControl."""

    unkeyed: Annotated[tuple[str, ...], example(["X-Request-Start"])] = ()
    """Fields that the site's rules set for members and that change no answer: they are no part of the key. All others
    that rules set are part of it."""

    store_no_store: bool = False
    """Keep answers with no-store, too. Apache: CacheStoreNoStore."""

    store_private: bool = False
    """Keep answers with private, too. Apache: CacheStorePrivate."""

    store_expired: bool = False
    """Keep answers that are stale when they come and have no validator. Apache: CacheStoreExpired."""

    stale_on_error: bool = True
    """Answer with what is stale where the member's answer is 500, 502, 503 or 504, or there is none, unless the kept
    answer forbids it. stale-if-error in an answer says so for it alone. Apache: CacheStaleOnError."""

    wait: SecondsOrNone = 5.0
    """Seconds for which requests wait for the one that gets the same answer already, before they get it themselves. 0:
    none waits. Apache: CacheLock, CacheLockMaxAge."""

    status: Literal["off", "hits", "all"] = "hits"
    """Which answers say in Cache-Status (RFC 9211) how the cache served them. Apache: CacheHeader, CacheDetailHeader.
    """
