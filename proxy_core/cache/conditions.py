"""What of a kept answer a client gets: the whole, nothing that it has already, or some ranges (RFC 9110 §13.2, §14.2;
RFC 9111 §4.3.2). Pure."""

from __future__ import annotations

import re
from typing import Final

from proxy_core.cache.wishes import Wishes
from proxy_core.http.dates import epoch_of

WHOLE: Final = (0, -1)
_TAGS: Final = re.compile(rb'(?:W/)?"[^"]*"').findall
_RANGE: Final = re.compile(rb"bytes=[ \t]*(\d{0,18})-(\d{0,18})[ \t]*", re.IGNORECASE).fullmatch

Validators = tuple[bytes, bytes, float]
"""ETag, Last-Modified (both b"" for none), and the second that the answer was made."""


def not_modified(wishes: Wishes, validators: Validators) -> bool:
    """Whether the client has the answer already: by If-None-Match, and without one by If-Modified-Since."""
    etag, modified, made = validators
    if wishes.if_none_match:
        if wishes.if_none_match == b"*":
            return True
        tags = _TAGS(wishes.if_none_match) or [wishes.if_none_match]
        return bool(etag) and etag.removeprefix(b"W/") in {tag.removeprefix(b"W/") for tag in tags}
    since = epoch_of(wishes.if_modified_since.decode("latin-1")) if wishes.if_modified_since else None
    if since is None:
        return False
    changed = epoch_of(modified.decode("latin-1")) if modified else made
    return changed is not None and changed <= since


def range_of(wishes: Wishes, validators: Validators, length: int) -> tuple[int, int] | None:
    """The first byte and the one behind the last that the client wants, of a body of ``length`` bytes; WHOLE where it
    gets all of it, also for several ranges. None: no byte of it is there (416)."""
    if not wishes.range:
        return WHOLE
    etag, modified, _ = validators
    if wishes.if_range:
        strong = etag and etag[:2] != b"W/" and wishes.if_range == etag
        if not (strong or (modified and wishes.if_range == modified)):
            return WHOLE
    match = _RANGE(wishes.range)
    if match is None or not (match[1] or match[2]):
        return WHOLE
    if not match[1]:
        most = int(match[2])
        return (max(0, length - most), length) if most and length else None
    first = int(match[1])
    last = int(match[2]) if match[2] else length - 1
    if match[2] and last < first:
        return WHOLE
    return (first, min(last, length - 1) + 1) if first < length else None
