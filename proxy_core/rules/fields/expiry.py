"""How long an answer may be kept: Expires, and max-age in Cache-Control, as ``expires_filter`` in
modules/metadata/mod_expires.c writes them. It comes before all edits of answers, which see it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from proxy_core.config.model import ExpiryRule
from proxy_core.http.dates import http_date
from proxy_core.rules.decision import Step, Trace
from proxy_core.rules.fields.edit_scope import found, value_of

Expiry = Mapping[str, ExpiryRule]
"""The row for each media type in lower case, "" for all that none is for."""


def dated(
    expiry: Expiry, lines: Sequence[bytes], asked: float, *, of_file: bool = False, trace: Trace | None = None
) -> list[bytes]:
    """The field lines of an answer with the dates of the row that is for its type. ``asked`` is when the request came,
    in seconds since the epoch, ``of_file`` whether a file of the site answers."""
    lines = list(lines)
    if not expiry or found(lines, b"expires"):
        return lines
    row = _row(expiry, lines)
    modified = found(lines, b"last-modified") if of_file else []
    if row is None or (row.since == "modification" and not modified):
        return lines
    since = asked if row.since == "access" else _seconds(value_of(lines[modified[0]]))
    until = max(since + row.after, asked)
    made = [b"Expires: " + http_date(until).encode(), b"max-age=%d" % (until - asked) + b", immutable" * row.immutable]
    said = found(lines, b"cache-control")
    if said:
        lines[said[0]] += b", " + made[1]
    else:
        lines.append(b"Cache-Control: " + made[1])
    lines.append(made[0])
    if trace is not None:
        shown = tuple(each.decode("latin-1") for each in made)
        trace.append(Step(("expires", row.id), "match", f"for {row.type or 'what no other row is for'}", shown))
    return lines


def _seconds(date: str) -> float:
    from email.utils import parsedate_to_datetime  # few sites count from there

    return parsedate_to_datetime(date).timestamp()


def _row(expiry: Expiry, lines: Sequence[bytes]) -> ExpiryRule | None:
    """The row for the type that the answer says: its own, that of its kind, the one for the rest."""
    said = found(lines, b"content-type")
    kind = value_of(lines[said[0]]).partition(";")[0].rstrip().lower() if said else ""
    rows = (expiry.get(each) for each in (kind, f"{kind.partition('/')[0]}/*", ""))
    return next((row for row in rows if row is not None), None)
