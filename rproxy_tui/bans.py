"""Bans in the operator's words: who is kept out, for how long, and the Change that says so in the site file.

A ban is an edit like any other: it survives a restart, can be taken back, and ends by itself. A new one takes those
with it that have ended, so the list does not grow for ever. Pure: the time is given.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from math import isinf

from proxy_core.config.model import Ban, Site
from proxy_core.control.editing.commands import Change, Delete, Edit, Insert, Set
from proxy_core.rules.access.networks import ends, seen_as
from rproxy_tui import words

_SPAN = re.compile(r"(\d{1,6}(?:\.\d+)?) ?(s|m|h|d)")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LONGEST = 3650 * 86_400


def ban(site: Site, client: str, span: str, now: float) -> Change | str:
    """Keep a client out for ``span`` ("30m", "1h", "7d", "" for good) from ``now`` (epoch seconds) on; or what is
    wrong with the span. Of IPv6 it is the client's whole /64."""
    until = ""
    if span.strip():
        found = _SPAN.fullmatch(span.strip().lower())
        seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
        if not 0 < seconds <= _LONGEST:
            return "A time is a number with its unit: 30m, 1h or 7d; nothing keeps it out for good."
        moment = datetime.fromtimestamp(now, UTC) + timedelta(seconds=seconds)
        until = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    network = seen_as(client)
    if not network:
        return "The request says no address."
    edits: list[Edit] = [Delete(("bans", row.id)) for row in site.bans if row.network != network and _ended(row, now)]
    same = next((row for row in site.bans if row.network == network), None)
    if same is None:
        edits.append(Insert(("bans",), {"network": network} | ({"until": until} if until else {})))
    elif until:
        edits.append(Set(("bans", same.id, "until"), until))
    elif same.until:
        edits.append(Delete(("bans", same.id, "until")))
    else:
        return f"{network} is banned for good already."
    return Change(edits=tuple(edits), sentence=f"ban {network}{f' for {span.strip()}' if until else ''}")


def about(row: Ban, now: float) -> str:
    """How long a ban still holds, and why it was made."""
    left = ends(row.until) - now
    when = "for good" if isinf(left) else "has ended" if left <= 0 else f"{words.span(left)} left"
    return f"{row.network}: {when}{f', {row.note}' if row.note else ''}"


def _ended(row: Ban, now: float) -> bool:
    try:
        return ends(row.until) <= now
    except ValueError:
        return False
