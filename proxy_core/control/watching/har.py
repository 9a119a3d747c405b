"""Finished requests as a HAR file (HTTP Archive 1.2, w3c.github.io/web-performance/specs/HAR), which browsers and
others open.

It is made of Records alone, so it holds the fields of a head that these know, and no body. Names that begin with ``_``
are ours, as the format allows. What is secret is masked. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from msgspec.json import encode

from proxy_core import __version__
from proxy_core.control.watching.log_records import Record, public
from proxy_core.printable import printable_json

OWN = ("number", "client", "route", "rule", "balancer", "member", "generation", "attempts", "retries", "cut", "cause")
"""What a Record knows beyond the format, each under its name with ``_`` before it."""


def har_text(records: Iterable[Record], scheme: str = "http") -> str:
    """The file, an entry a line: each is made and spelled by itself, so that a thread that does it leaves the
    interpreter to others in between. ``scheme`` is that of addresses, which Records do not know."""
    log = {"version": "1.2", "creator": {"name": "rproxy", "version": __version__}, "entries": ()}
    begin = encode({"log": log}).decode().removesuffix(_END)
    entries = ",\n".join(printable_json(encode(_entry(public(each), scheme)).decode()) for each in records)
    return f"{begin}\n{entries}\n{_END}\n"


_END = "]}}"


def _entry(record: Record, scheme: str) -> dict[str, Any]:
    version = f"HTTP/{record.version or '1.1'}"
    fields = (("Host", record.host), ("User-Agent", record.user_agent), ("Referer", record.referer))
    target = record.target
    url = f"{scheme}://{record.host or 'localhost'}{target}" if target.startswith("/") else target
    query = parse_qsl(target.partition("?")[2], keep_blank_values=True)
    return {
        "startedDateTime": datetime.fromtimestamp(record.at).astimezone().isoformat(timespec="milliseconds"),
        "time": _ms(record.total),
        "request": {
            "method": record.method,
            "url": url,
            "httpVersion": version,
            "cookies": [],
            "headers": [{"name": name, "value": value} for name, value in fields if value],
            "queryString": [{"name": name, "value": value} for name, value in query],
            "headersSize": -1,
            "bodySize": record.received,
        },
        "response": {
            "status": record.status,
            "statusText": _reason(record.status),
            "httpVersion": version,
            "cookies": [],
            "headers": [],
            "content": {"size": record.sent, "mimeType": ""},
            "redirectURL": "",
            "headersSize": -1,
            "bodySize": record.sent,
        },
        "cache": {},
        "timings": _timings(record),
    } | {f"_{name}": getattr(record, name) for name in OWN}


def _timings(record: Record) -> dict[str, float]:
    """Where the time went. What is not known is -1, and the three that the format wants are 0 then."""
    waited, first, total = max(0.0, record.waited), record.first, record.total
    wait = (first if first >= 0 else total) - waited
    receive = total - first if first >= 0 else 0.0
    return {"blocked": _ms(waited), "send": 0, "wait": _ms(wait), "receive": _ms(receive)}


def _ms(seconds: float) -> float:
    return round(max(0.0, seconds) * 1000, 3)


def _reason(status: int) -> str:
    return HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else ""
