"""What may stand next in a filter that is being typed: fields, comparisons, and values that occur. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from proxy_core.control.watching.log_records import Record
from proxy_core.control.watching.record_filter import FIELDS, term, values_of

MOST = 12
"""Words that are offered at most."""
_BEGUN = re.compile(r"(?:^|(?<=[\s(]))(?P<field>[a-z_]*)(?:(?P<test>!=|=)(?P<value>[^\s()]*))?$")
_WORDS = ("and", "or", "not")
_CLASSES = ("5xx", "4xx", "3xx", "2xx")


class Completion(NamedTuple):
    """What may take the place of the text from ``begin`` to where one types."""

    begin: int
    words: tuple[str, ...]


def completion(text: str, at: int, records: Sequence[Record]) -> Completion:
    """What may stand where one types in a filter, at character ``at``: the best first, none where nothing fits."""
    begun = _BEGUN.search(text[:at])
    if begun is None:
        return Completion(at, ())
    name, test, value = begun["field"], begun["test"], begun["value"]
    if test is None:
        words = [f"{field}{'>=' if each.number else '='}" for field, each in FIELDS.items() if field.startswith(name)]
        words += [word for word in _WORDS if name and word.startswith(name)]
        return Completion(begun.start(), tuple(words[:MOST]) if name else tuple(words))
    if name not in FIELDS:
        return Completion(at, ())
    return Completion(begun.start("value"), _values(name, value.lstrip("\"'"), records))


def _values(field: str, begun: str, records: Sequence[Record]) -> tuple[str, ...]:
    """The values of a field that begin so, as they are spelled; the one that occurs most first."""
    counts = Counter(map(values_of((field,)), records))
    found = [str(value) for (value,), _ in counts.most_common() if not isinstance(value, float)]
    if field == "status":
        found += _CLASSES
    return tuple(term(field, value).partition("=")[2] for value in found if value.startswith(begun) and value)[:MOST]
