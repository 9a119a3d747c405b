"""Whether an answer may be kept, for how long it is fresh, and when it may serve though it is stale (RFC 9111 §3, §4.2;
RFC 5861; mod_cache's ``cache_save_filter``). Pure: no clock, no store.

All that needs the answer's fields is worked out here, once, when it comes. What is left for each hit is the comparison
of an age with a few numbers (``Lifetime``). hishel 2.0's state machine was tried in its place and does not fit: it
reckons ages without Age and without the delay (§4.2.3), lets what s-maxage and proxy-revalidate forbid be served stale
(§4.2.4), and parses the fields anew at each request.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from proxy_core.cache.directives import Directives, age_of, directives, seconds
from proxy_core.config.model import Cache
from proxy_core.http.dates import epoch_of

HEURISTIC: Final = frozenset((200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501))
"""Statuses of answers that may be fresh though they do not say so (RFC 9110 §15.1)."""
UNDERSTOOD: Final = HEURISTIC | {302, 303, 307, 400, 401, 403, 500, 502, 503, 504}
"""Statuses whose meaning for a cache is known here (must-understand, RFC 9111 §5.2.2.3)."""
ERRORS: Final = frozenset((500, 502, 503, 504))
"""Statuses in whose place something stale may be served (mod_cache; RFC 5861 §4)."""
_NOT_KEPT: Final = frozenset((206, 304))
FieldLines = Sequence[bytes]


class Lifetime(Struct, frozen=True, gc=False):
    """What an answer's fields come to. All are seconds."""

    initial: float
    """Its age when it came."""
    fresh: float
    """The age up to which it is fresh; 0 where each use has to be validated."""
    stale: float = 0.0
    """How long it may be served stale while it is validated anew (stale-while-revalidate)."""
    rescue: float = 0.0
    """How long it may be served stale in place of an error (stale-if-error)."""
    strict: bool = False
    """Nothing else lets it be served stale: no client, no configuration (RFC 9111 §4.2.4)."""
    shared: bool = False
    """It says itself that one user's answer may be another's (RFC 9111 §3.5)."""
    etag: bytes = b""
    """Its ETag, b"" for none."""
    modified: bytes = b""
    """Its Last-Modified, b"" for none."""
    vary: tuple[bytes, ...] = ()
    """The fields that select it, in lower case, sorted."""
    tags: tuple[bytes, ...] = ()
    """What it may be purged by (Cache-Tag, Surrogate-Key)."""


class AskedBy(Struct, frozen=True, gc=False):
    """What of the request counts for keeping its answer."""

    personal: str = ""
    """What ties it to one user, in words: such an answer is kept only where it says that it may be (RFC 9111 §3.5)."""
    no_store: bool = False
    """The client wants nothing kept."""


ANYBODY: Final = AskedBy()
"""A request that nothing ties to a user, and that lets its answer be kept."""


def values(lines: FieldLines, name: bytes) -> list[bytes]:
    """The values of a field, by its lower-case name, in their order."""
    found = []
    for line in lines:
        own, colon, value = line.partition(b":")
        if colon and own.lower() == name:
            found.append(value.strip(b" \t"))
    return found


class Terms(Struct, frozen=True, gc=False):
    """What an answer's fields come to, whoever asked and whenever it came: all that is not reckoned anew where a member
    repeats itself. Seconds as in Lifetime."""

    date: float | None
    """When it was made (epoch), None where it does not say so."""
    age: int
    """What its Age says."""
    claimed: float
    """The age up to which it says that it is fresh, though it may have to be validated at each use."""
    validated: bool
    """It is kept though it is stale when it comes."""
    shared: bool
    """It says itself that one user's answer may be another's (RFC 9111 §3.5)."""
    rest: tuple[float, float, float, bool, bool, bytes, bytes, tuple[bytes, ...], tuple[bytes, ...]]
    """What a Lifetime says behind ``initial``."""


def judged(cache: Cache, asked: AskedBy, status: int, lines: FieldLines, at: float, delay: float) -> Lifetime | str:
    """What keeping the answer to a GET comes to, or why it is not kept. ``lines`` are its field lines, ``at`` is when
    its head came (epoch), ``delay`` how long that took since the request was sent."""
    found = terms(cache, status, lines, at)
    return found if isinstance(found, str) else lifetime(cache, found, asked, at, delay)


def lifetime(cache: Cache, found: Terms, asked: AskedBy, at: float, delay: float) -> Lifetime | str:
    """What keeping an answer on these terms comes to, or why it is not kept; arguments as for ``judged``."""
    if asked.no_store and not cache.store_no_store:
        return "the request says no-store"
    if asked.personal and not found.shared:
        return f"{asked.personal}, and it says neither public nor s-maxage nor must-revalidate"
    date = found.date
    initial = max(0.0, 0.0 if date is None else int(at) - date, found.age + delay)
    if found.claimed <= initial and not found.validated:
        return "it is stale when it comes and has no validator"
    return Lifetime(initial, *found.rest)


def terms(cache: Cache, status: int, lines: FieldLines, at: float) -> Terms | str:
    """What an answer's fields come to, or why it is kept for nobody. ``at``, when its head came (epoch), counts only
    where it has no Date."""
    fields: dict[bytes, list[bytes]] = {}
    for line in lines:
        name, _, value = line.partition(b":")
        name = _KINDS[name]
        if name:
            fields.setdefault(name, []).append(value.strip(b" \t"))
    said = directives(b",".join(fields[b"cache-control"])) if b"cache-control" in fields else _NOTHING
    why = _refused(cache, status, fields, said)
    if why:
        return why
    etag, modified = _only(fields, b"etag"), _only(fields, b"last-modified")
    date = epoch_of(_only(fields, b"date").decode("latin-1"))
    fresh = _lifetime(cache, status, fields, said, (at if date is None else date, modified))
    ages = fields.get(b"age")
    if fresh is None:
        return f"it does not say for how long it is fresh, and with status {status} nothing stands in for that"
    claimed = fresh
    validated = bool(etag or modified or cache.store_expired or b"stale-while-revalidate" in said)
    if b"no-cache" in said or (b"cache-control" not in fields and b"no-cache" in fields.get(b"pragma", ())):
        fresh = 0.0
    hard = b"must-revalidate" in said or b"proxy-revalidate" in said or b"no-cache" in said
    stale = 0.0 if hard or b"stale-while-revalidate" not in said else float(seconds(said[b"stale-while-revalidate"]))
    rescue = 0.0 if hard or b"stale-if-error" not in said else float(seconds(said[b"stale-if-error"]))
    shared = b"public" in said or b"s-maxage" in said or b"must-revalidate" in said
    rest = (
        fresh, stale, rescue, hard or b"s-maxage" in said, shared, etag, modified,
        _listed(fields[b"vary"]) if b"vary" in fields else (), _tags(fields),
    )  # fmt: skip
    return Terms(date, age_of(ages[0]) if ages else 0, claimed, validated, shared, rest)


_NOTHING: Final[Directives] = {}


class _Kinds(dict[bytes, bytes]):
    """The lower-case names of fields that are looked at, by every spelling that was seen; b"" for all others."""

    def __missing__(self, name: bytes) -> bytes:
        known = name.lower()
        kind = known if known in _READ else b""
        if len(self) < 2048 and len(name) <= 64:
            self[name] = kind
        return kind


_READ: Final = frozenset((
    b"cache-control", b"pragma", b"expires", b"date", b"age", b"etag", b"last-modified", b"vary", b"set-cookie",
    b"set-cookie2", b"cache-tag", b"surrogate-key",
))  # fmt: skip
_KINDS: Final = _Kinds()


def _listed(found: Sequence[bytes]) -> tuple[bytes, ...]:
    """The names of a list field in lower case, sorted."""
    return tuple(sorted({name.strip(b" \t").lower() for value in found for name in value.split(b",")} - {b""}))


def _tags(fields: dict[bytes, list[bytes]]) -> tuple[bytes, ...]:
    """What it may be purged by."""
    if b"cache-tag" not in fields and b"surrogate-key" not in fields:
        return ()
    named = [each.strip(b" \t") for value in fields.get(b"cache-tag", ()) for each in value.split(b",")]
    named += [each for value in fields.get(b"surrogate-key", ()) for each in value.split()]
    return tuple(sorted({*named} - {b""}))


def _only(fields: dict[bytes, list[bytes]], name: bytes) -> bytes:
    """The one value of a field, b"" where it is not there or there are several."""
    found = fields.get(name, ())
    return found[0] if len(found) == 1 else b""


def _refused(cache: Cache, status: int, fields: dict[bytes, list[bytes]], said: Directives) -> str:
    """Why an answer is kept for nobody, whatever it says of its age; "" where it may (RFC 9111 §3)."""
    if status < 200 or status in _NOT_KEPT:
        return f"an answer with status {status} is no whole representation"
    understood = b"must-understand" in said and status in UNDERSTOOD
    if b"must-understand" in said and not understood:
        return f"it says must-understand, and nothing is known of status {status}"
    if b"no-store" in said and not (understood or cache.store_no_store):
        return "it says no-store"
    if b"private" in said and not cache.store_private:
        return "it says private"
    if b"vary" in fields and b"*" in _listed(fields[b"vary"]):
        return "it varies by more than fields (Vary: *)"
    cookies = not cache.cookies and (b"set-cookie" in fields or b"set-cookie2" in fields)
    return "it sets a cookie" if cookies and "set-cookie" not in map(str.lower, cache.ignore_fields) else ""


def _lifetime(
    cache: Cache, status: int, fields: dict[bytes, list[bytes]], said: Directives, when: tuple[float, bytes]
) -> float | None:
    """For how long it is fresh (RFC 9111 §4.2.1, §4.2.2); None where it is not kept for lack of a word. ``when``: the
    second that it was made, and its Last-Modified."""
    made, modified = when
    for name in (b"s-maxage", b"max-age"):
        if name in said:
            return float(seconds(said[name]))
    if b"expires" in fields:
        expires = epoch_of(_only(fields, b"expires").decode("latin-1"))
        return max(0.0, expires - made) if expires is not None else 0.0
    if b"no-cache" in said or b"must-revalidate" in said:
        return 0.0
    if status not in HEURISTIC and b"public" not in said:
        return None  # nothing may stand in for the answer's own word
    changed = epoch_of(modified.decode("latin-1")) if modified else None
    if changed is not None and cache.modified_factor:
        return _bounded(cache, max(0.0, made - changed) * cache.modified_factor)
    if cache.default_expire and (b"etag" in fields or modified or cache.ignore_no_last_mod):
        return _bounded(cache, cache.default_expire)
    return 0.0 if b"etag" in fields or modified else None


def _bounded(cache: Cache, fresh: float) -> float:
    return max(cache.min_expire, min(fresh, cache.max_expire))


def merged(stored: FieldLines, new: FieldLines) -> list[bytes]:
    """The field lines of a kept answer after a 304 (RFC 9111 §3.2): each field of the 304 takes the place of the kept
    one, but for those that are about the bytes that are kept."""
    names = {line.partition(b":")[0].lower() for line in new} - _OF_THE_BYTES
    kept = [line for line in stored if line.partition(b":")[0].lower() not in names]
    return kept + [line for line in new if line.partition(b":")[0].lower() in names]


_OF_THE_BYTES: Final = {b"content-length", b"content-encoding", b"content-range", b"transfer-encoding"}
