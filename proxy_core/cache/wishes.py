"""What a request says to a cache, read from the field lines that go to the member (RFC 9111 §5.2.1; RFC 9110 §13, §14).
Pure.

Clients repeat their fields, so who asks remembers what was read by the lines themselves.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from proxy_core.cache.directives import MOST_SECONDS, directives, seconds

ANY: Final = MOST_SECONDS
"""max-stale without a number."""

_OVERRIDES: Final = (
    b"x-http-method-override", b"x-http-method", b"x-method-override", b"x-original-url", b"x-rewrite-url",
    b"x-original-uri", b"x-override-url",
)  # fmt: skip
"""Fields by which some frameworks take the request for another one than its first line says."""
_PRECONDITIONS: Final = (b"if-match", b"if-unmodified-since")
_READ: Final = (
    b"cache-control", b"pragma", b"authorization", b"range", b"if-range", b"if-none-match", b"if-modified-since",
    *_PRECONDITIONS, *_OVERRIDES,
)  # fmt: skip
_CLAIMS: Final = rb"x-forwarded(?!-for:|-server:)[a-z-]*|forwarded|x-host|x-scheme"
"""Fields that say by which address or scheme the client came, as far as it may say so: answers are made of them."""
_FIELD: Final = re.compile(
    rb"(?:^|\n)(" + b"|".join(re.escape(name) for name in _READ) + rb"|" + _CLAIMS + rb"):[ \t]*([^\r]*)", re.IGNORECASE
).findall
_FOR: Final = re.compile(rb"\s*(?:for|by)=(?:\"[^\"]*\"|[^;,]*)\s*;?", re.IGNORECASE).sub


class Wishes(Struct, frozen=True, gc=False):
    """What counts of a request's fields. Seconds are -1 where it says nothing."""

    plain: bool = True
    """Nothing of what follows but ``keyed``: any fresh answer will do."""
    past: str = ""
    """Why it goes past the cache, in words."""
    no_store: bool = False
    """Nothing of it is to be kept."""
    no_cache: bool = False
    """Nothing is to be used unvalidated."""
    only_if_cached: bool = False
    """No member is to be asked."""
    max_age: int = -1
    """The greatest age that will do."""
    min_fresh: int = -1
    """For how long it has to stay fresh."""
    max_stale: int = -1
    """For how long it may be stale already."""
    authorization: bool = False
    """It shows credentials."""
    range: bytes = b""
    """Range."""
    if_range: bytes = b""
    """If-Range."""
    if_none_match: bytes = b""
    """If-None-Match."""
    if_modified_since: bytes = b""
    """If-Modified-Since."""
    keyed: bytes = b""
    """Lines that are part of the key."""


def wishes_of(lines: bytes, names: frozenset[bytes] = frozenset()) -> Wishes:
    """What field lines say, which end in CRLF each. Lines with one of ``names`` (lower case), which the site's rules
    had a hand in, are part of the key."""
    said: dict[bytes, bytes] = {}
    keyed: list[bytes] = []
    for name, value in _FIELD(lines):
        name, value = name.lower(), value.strip(b" \t")
        if name in _READ:
            said[name] = said[name] + b", " + value if name in said else value
        elif (value := _FOR(b"", value) if name == b"forwarded" else value) and name not in names:
            keyed.append(name + b":" + value)
    if names:
        given = [line for line in lines.split(b"\r\n") if line.partition(b":")[0].lower() in names]
        keyed += sorted(given)
    key = b"\n".join(keyed)
    if not said:
        return Wishes(keyed=key)
    past = next((f"it has {name.decode()}" for name in (*_OVERRIDES, *_PRECONDITIONS) if name in said), "")
    asked = directives(said.get(b"cache-control", b""))
    pragma = b"cache-control" not in said and b"no-cache" in said.get(b"pragma", b"").lower()

    def number(name: bytes, missing: int) -> int:
        return -1 if name not in asked else seconds(asked[name]) if asked[name] else missing

    return Wishes(
        plain=False,
        past=past,
        no_store=b"no-store" in asked,
        no_cache=b"no-cache" in asked or pragma,
        only_if_cached=b"only-if-cached" in asked,
        max_age=number(b"max-age", -1),
        min_fresh=number(b"min-fresh", -1),
        max_stale=number(b"max-stale", ANY),
        authorization=b"authorization" in said,
        range=said.get(b"range", b""),
        if_range=said.get(b"if-range", b""),
        if_none_match=said.get(b"if-none-match", b""),
        if_modified_since=said.get(b"if-modified-since", b""),
        keyed=key,
    )


def selected(lines: bytes, names: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """The values of the fields that an answer varies by, as far as they are alike: several lines are one list, white
    space about its commas says nothing (RFC 9111 §4.1). Languages and codings have no case and, without weights, no
    order that counts."""
    if not names:
        return ()
    found: dict[bytes, list[bytes]] = {name: [] for name in names}
    for line in lines.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if (name := name.lower()) in found:
            found[name] += [each.strip(b" \t") for each in value.split(b",")]
    return tuple(_alike(name, values) for name, values in found.items())


def _alike(name: bytes, values: list[bytes]) -> bytes:
    if name in (b"accept-language", b"accept-encoding"):
        values = sorted(b"".join(value.lower().split()) for value in values)
    return b",".join(values) if values else b"\0"


def without(lines: bytes, names: frozenset[bytes]) -> bytes:
    """Field lines, with the empty line, but for those with one of these lower-case names."""
    return b"\r\n".join(line for line in lines.split(b"\r\n") if line.partition(b":")[0].lower() not in names)


CONDITIONS: Final = frozenset((b"if-none-match", b"if-modified-since", b"if-range", b"range"))
"""What a request for the whole answer must not have, and one that validates has of its own."""
