"""Heartbeats: reads what a member reports of its load, for method heartbeat.

The form is mod_heartbeat's, as mod_heartmonitor reads it: ``v=1&ready=5&busy=2``, with ``&port=8001`` where several
members share an address. A report of another form is ignored; nothing that a sender writes is an error. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from urllib.parse import parse_qsl

from msgspec import Struct

from proxy_core.balance.member_state import Beat
from proxy_core.balance.pool import BoundMember

LONGEST = 1000
"""Bytes of a report that are looked at."""
_MOST = 100_000


class LoadReport(Struct, frozen=True):
    """Free and busy slots; ``port`` is 0 where the sender's address alone says who it is."""

    ready: int
    busy: int
    port: int = 0


def report(raw: bytes) -> LoadReport | None:
    """What the text says; None when it is no report of version 1."""
    fields = dict(parse_qsl(raw[:LONGEST].decode("latin-1").strip(), keep_blank_values=True, max_num_fields=None))
    if fields.get("v") != "1":
        return None
    try:
        numbers = [_number(fields[name]) for name in ("ready", "busy")]
        return LoadReport(numbers[0], numbers[1], _number(fields.get("port", "0")))
    except (KeyError, ValueError):
        return None


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        raise ValueError(text)
    return min(int(text), _MOST)


def heard(
    load: LoadReport, sender: str, members: Iterable[BoundMember], addresses: Callable[[str], Iterable[str]], now: float
) -> int:
    """Note a report for the members that it is about, and return how many those are. ``addresses`` knows what a
    member's name stands for."""
    found = 0
    for member in members:
        upstream = member.upstream
        mine = upstream.host == sender or sender in addresses(upstream.host)
        if mine and load.port in (0, upstream.port):
            member.state.beat = Beat(load.ready, load.busy, now)
            found += 1
    return found
