"""What conditions of a request come to, for a file that has a tag and a date."""

from __future__ import annotations

import pytest

from proxy_core.http.preconditions import may_be_parts, status

AT = 1_000_000_000
SAME, BEFORE, AFTER = (
    "Sun, 09 Sep 2001 01:46:40 GMT",
    "Sun, 09 Sep 2001 01:46:39 GMT",
    "Sun, 09 Sep 2001 01:46:41 GMT",
)


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({}, 0),
        ({"if-match": '"b", "a"'}, 0),
        ({"if-match": "*"}, 0),
        ({"if-match": '"b"'}, 412),
        ({"if-match": 'W/"a"'}, 412),
        ({"if-match": '"a"', "if-unmodified-since": BEFORE}, 0),
        ({"if-unmodified-since": SAME}, 0),
        ({"if-unmodified-since": BEFORE}, 412),
        ({"if-unmodified-since": "soon"}, 0),
        ({"if-none-match": '"a"'}, 304),
        ({"if-none-match": 'W/"a"'}, 304),
        ({"if-none-match": "*"}, 304),
        ({"if-none-match": '"b"'}, 0),
        ({"if-none-match": '"b"', "if-modified-since": SAME}, 0),
        ({"if-modified-since": SAME}, 304),
        ({"if-modified-since": AFTER}, 304),
        ({"if-modified-since": BEFORE}, 0),
        ({"if-modified-since": "Fri, 09 Sep 2101 01:46:41 GMT"}, 0),
        ({"if-modified-since": "Sunday, 09-Sep-01 01:46:40 GMT"}, 304),
        ({"if-modified-since": "Sun Sep  9 01:46:40 2001"}, 304),
        ({"if-match": '"a"', "if-none-match": '"a"'}, 304),
    ],
)
def test_conditions_are_looked_at_in_the_order_of_rfc_9110(fields: dict[str, str], found: int) -> None:
    assert status(fields, '"a"', AT, AT + 9, safe=True) == found


def test_what_is_there_already_fails_a_request_that_changes_something() -> None:
    assert status({"if-none-match": "*"}, '"a"', AT, AT + 9, safe=False) == 412
    assert status({"if-modified-since": SAME}, '"a"', AT, AT + 9, safe=False) == 0


@pytest.mark.parametrize(
    ("said", "counts"),
    [('"a"', True), ('"b"', False), ('W/"a"', False), (SAME, True), (BEFORE, False), (AFTER, False), ("x", False)],
)
def test_a_range_counts_where_what_the_client_has_is_what_is_there(said: str, counts: bool) -> None:
    assert may_be_parts({"if-range": said}, '"a"', AT) is counts


def test_a_weak_tag_is_of_no_use_for_parts() -> None:
    assert may_be_parts({}, 'W/"a"', AT)
    assert not may_be_parts({"if-range": 'W/"a"'}, 'W/"a"', AT)
