"""Statuses of answers (RFC 9110 §15): their reason phrases, and how a site file spells sets of them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus

REASONS = {status.value: status.phrase.encode() for status in HTTPStatus} | {
    413: b"Content Too Large",
    414: b"URI Too Long",
}
"""Reason phrases by status (RFC 9110 §15)."""

_RANGE = re.compile(r"([1-5][0-9][0-9])(?:-([1-5][0-9][0-9]))?").fullmatch
_ERRORS = re.compile(r"[45](?:[0-9][0-9]|xx)").fullmatch


def status_ranges(written: Iterable[str]) -> frozenset[int]:
    """The statuses that "503" and "500-599", both ends included, stand for. Raises ValueError with a sentence."""
    found: set[int] = set()
    for each in written:
        matched = _RANGE(each)
        if matched is None:
            raise ValueError(f'"{each}" is no status and no range of statuses')
        low, high = int(matched[1]), int(matched[2] or matched[1])
        if high < low:
            raise ValueError(f'"{each}" ends before it begins')
        found.update(range(low, high + 1))
    return frozenset(found)


def error_statuses(written: Iterable[str]) -> list[int]:
    """The statuses from 400 on that "404" and "5xx" stand for. Raises ValueError with a sentence."""
    found: list[int] = []
    for each in written:
        if not _ERRORS(each):
            raise ValueError(f'"{each}" is no status of an error: write "404", "4xx" or "5xx"')
        found += range(int(each.replace("x", "0")), int(each.replace("x", "9")) + 1)
    return found
