"""What is offered while a filter is typed."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from proxy_core.control.watching.filter_completion import completion
from tests.control.watching.test_record_filter import ROW

ROWS = [replace(ROW, member=member, status=status) for member, status in (("c", 502), ("b d", 200), ("b d", 503))]


@pytest.mark.parametrize(
    ("typed", "begin", "first", "others"),
    [
        ("", 0, "status>=", ["member=", "ms>="]),
        ("st", 0, "status>=", []),
        ("status>=500 me", 12, "method=", ["member="]),
        ("not (me", 5, "method=", ["member="]),
        ("status=500 o", 11, "or", []),
        ("member=", 7, '"b d"', ["c"]),
        ("member!=c", 8, "c", []),
        ('member="b', 7, '"b d"', []),
        ("status=50", 7, "502", ["503"]),
        ("status=5", 7, "502", ["503", "5xx"]),
        ("shape=", 6, '"POST /api/checkout"', []),
    ],
)
def test_fields_and_values_that_occur_are_offered_the_likeliest_first(
    typed: str, begin: int, first: str, others: list[str]
) -> None:
    found = completion(typed, len(typed), ROWS)
    assert (found.begin, found.words[0]) == (begin, first)
    assert [word for word in others if word not in found.words[1:]] == []


@pytest.mark.parametrize("typed", ["nothing=", "member=zzz", "path~^/a", "status>", "status>=5", "member=c)"])
def test_nothing_is_offered_where_nothing_is_known(typed: str) -> None:
    assert completion(typed, len(typed), ROWS).words == ()


def test_what_stands_behind_the_cursor_is_left_alone() -> None:
    assert completion("mem gen=3", 3, ROWS) == (0, ("member=",))
