"""Dates as HTTP spells them (RFC 9110 §5.6.7): in English and in GMT, whatever the system speaks. Pure."""

from __future__ import annotations

import re
from calendar import timegm
from datetime import datetime
from functools import lru_cache
from time import gmtime
from typing import Final

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def http_date(epoch: float) -> str:
    """A second since the epoch, as in "Sun, 06 Nov 1994 08:49:37 GMT"."""
    year, month, day, hour, minute, second, weekday, *_ = gmtime(epoch)
    return f"{_DAYS[weekday]}, {day:02} {_MONTHS[month - 1]} {year:04} {hour:02}:{minute:02}:{second:02} GMT"


_DAY: Final = "(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)"
_MONTH: Final = f"(?P<month>{'|'.join(_MONTHS)})"
_TIME: Final = r"(?P<h>\d\d):(?P<m>\d\d):(?P<s>\d\d)"
_FORMS: Final = [
    re.compile(form, re.IGNORECASE | re.ASCII).fullmatch
    for form in (
        rf"{_DAY}, (?P<day>\d\d) {_MONTH} (?P<year>\d{{4}}) {_TIME} GMT",
        rf"{_DAY}(?:day)?, (?P<day>\d\d)-{_MONTH}-(?P<year>\d\d) {_TIME} GMT",
        rf"{_DAY} {_MONTH} (?P<day>[ \d]\d) {_TIME} (?P<year>\d{{4}})",
    )
]
"""IMF-fixdate and the two obsolete forms that every recipient reads: of RFC 850, and of C's asctime."""


@lru_cache(512)
def epoch_of(date: str) -> float | None:
    """The second since the epoch that an HTTP date names (RFC 9110 §5.6.7), in any of its three forms and in any case;
    None for everything else. A year of two digits lies at most 50 years ahead."""
    found = next((match for form in _FORMS if (match := form(date))), None)
    if found is None:
        return None
    year = int(found["year"])
    if len(found["year"]) == 2:
        now = gmtime().tm_year
        year += now - now % 100
        year -= 100 * (year > now + 50)
    month = [name.lower() for name in _MONTHS].index(found["month"].lower()) + 1
    day, hour, minute, second = int(found["day"]), int(found["h"]), int(found["m"]), int(found["s"])
    try:
        datetime(year, month, day, hour, minute, min(second, 59))
    except ValueError:
        return None
    return float(timegm((year, month, day, hour, minute, second)))
