"""In what an answer to a copy differs from the real one, and how differences are grouped."""

from __future__ import annotations

import pytest

from proxy_core.rules.decision import ReverseRow
from proxy_core.runtime.last_hour import REST
from proxy_core.runtime.shadow_comparison import (
    BODY,
    LENGTH,
    LONGEST,
    MOST,
    STATUS,
    Body,
    Difference,
    Said,
    ShadowTally,
    differences,
    said,
)
from proxy_core.runtime.upstreams.response_head import read_head

NAMES = (b"content-type", b"location")
REAL = Said(200, ("text/html", None), 5, b"\x01" * 16)


@pytest.mark.parametrize(
    ("copy", "unlike"),
    [
        (REAL, []),
        (Said(500, ("text/plain", None), 9, b""), [(STATUS, "200", "500")]),
        (Said(200, ("text/plain", None), 5, REAL.digest), [("content-type", "text/html", "text/plain")]),
        (Said(200, (None, None), 5, REAL.digest), [("content-type", "text/html", "(none)")]),
        (Said(200, ("a", "/"), 5, REAL.digest), [("content-type", "text/html", "a"), ("location", "(none)", "/")]),
        (Said(200, REAL.fields, 6, b"\x02" * 16), [(LENGTH, "5 bytes", "6 bytes")]),
        (Said(200, REAL.fields, 6, b"\x02" * 16, longer=True), [(LENGTH, "5 bytes", "more than 5 bytes")]),
        (Said(200, REAL.fields, 5, b"\x02" * 16), [(BODY, "01010101", "02020202")]),
    ],
)  # fmt: skip
def test_another_status_is_all_that_is_said_and_a_body_differs_by_length_or_content(
    copy: Said, unlike: list[Difference]
) -> None:
    assert [*differences(NAMES, REAL, copy)] == unlike


@pytest.mark.parametrize(
    ("head", "pieces", "seen"),
    [
        (b"Content-Length: 5\r\nContent-Type: a", [b"he", b"llo"], (("a", None), 5)),
        (b"Transfer-Encoding: chunked", [b"he", b"llo"], ((None, None), 5)),
        (b"Content-Length: 9", [], ((None, None), 9)),
        (b"Content-Type: a\r\ncontent-type: b\r\nContent-Length: 0", [], (("a, b", None), 0)),
        (b"Location: http://new:81/there\r\nContent-Length: 0", [], ((None, "http://site/there"), 0)),
    ],
)
def test_what_is_compared_is_told_by_head_and_body_with_addresses_as_clients_see_them(
    head: bytes, pieces: list[bytes], seen: tuple[tuple[str | None, ...], int]
) -> None:
    body = Body()
    for piece in pieces:
        body.add(piece)
    answer = read_head(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n")
    found = said(answer, body, NAMES, ((ReverseRow("http://new:81/", "/"),), "http://site"))
    assert (found.fields, found.length) == seen


def test_a_body_is_the_same_however_it_came() -> None:
    one, other = Body(), Body()
    one.add(b"hello")
    other.add(b"hel")
    other.add(b"lo")
    assert one.digest == other.digest


def test_a_long_value_is_cut() -> None:
    (unlike,) = differences((b"etag",), Said(200, ("a",), 0, b""), Said(200, ("b" * 500,), 0, b""))
    assert len(unlike.copy) == LONGEST


def test_differences_of_one_kind_and_shape_are_one_group_with_the_last_of_them() -> None:
    tally = ShadowTally()
    tally.compared((), "GET /a", 1.0, 1)
    tally.compared((Difference(STATUS, "200", "500"),), "GET /a", 2.0, 2)
    tally.compared((Difference(STATUS, "200", "404"), Difference("etag", "1", "2")), "GET /a", 3.0, 3)
    assert (tally.requests, tally.same, dict(tally.kinds)) == (3, 1, {STATUS: 2, "etag": 1})
    group = tally.groups["GET /a", STATUS]
    assert (group.count, group.at, group.real, group.copy, group.record) == (2, 3.0, "200", "404", 3)


def test_groups_are_bounded_and_the_rest_is_counted_together() -> None:
    tally = ShadowTally()
    for number in range(3 * MOST):
        tally.compared((Difference(STATUS, "200", "500"),), f"GET /{number}", 1.0, number)
    assert len(tally.groups) == MOST + 1
    assert tally.groups[REST, STATUS].count == 2 * MOST
    assert tally.kinds[STATUS] == 3 * MOST
