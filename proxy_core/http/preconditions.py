"""Conditional requests: what a server that has a representation makes of their fields (RFC 9110 §13). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC

from proxy_core.http.dates import http_date

_TAGS = re.compile(r'(?:W/)?"[^"]*"').findall


def status(fields: Mapping[str, str], tag: str, modified: int, now: float, *, safe: bool) -> int:
    """The status that the fields of a request (by lower-case name) come to: 304, 412, or 0 for none of both. ``tag``
    and ``modified`` (seconds since the epoch) are those of the representation, ``safe`` says that it is GET or HEAD."""
    match, none_match = fields.get("if-match"), fields.get("if-none-match")
    if match is not None:
        if match.strip() != "*" and (tag.startswith("W/") or tag not in _TAGS(match)):
            return 412
    elif (until := _seconds(fields.get("if-unmodified-since"))) is not None and modified > until:
        return 412
    if none_match is not None:
        if none_match.strip() == "*" or _opaque(tag) in map(_opaque, _TAGS(none_match)):
            return 304 if safe else 412
    elif safe and (since := _seconds(fields.get("if-modified-since"))) is not None and modified <= since <= now:
        return 304
    return 0


def may_be_parts(fields: Mapping[str, str], tag: str, modified: int) -> bool:
    """Whether If-Range lets a Range count: where it has the very tag, a strong one, or the very date."""
    said = fields.get("if-range")
    if said is None:
        return True
    if '"' in said:
        return said.strip() == tag and not tag.startswith("W/")
    return said.strip() == http_date(modified)


def _opaque(tag: str) -> str:
    return tag.removeprefix("W/")


def _seconds(date: str | None) -> float | None:
    """A date of HTTP in seconds since the epoch; None where it is none, as if it were not said."""
    if date is None:
        return None
    from email.utils import parsedate_to_datetime  # most requests have none

    try:
        found = parsedate_to_datetime(date)
    except ValueError:
        return None
    return found.replace(tzinfo=found.tzinfo or UTC).timestamp()
