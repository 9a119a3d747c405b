"""Groups of requests: what falls together, what is counted, and that a group is what its filter holds for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from proxy_core.control.watching.log_records import Record
from proxy_core.control.watching.record_filter import compiled
from proxy_core.control.watching.record_groups import BY, SPAN, Grouping, RequestGroup
from tests.control.watching.test_record_filter import ROW


def grouped(rows: list[Record], *by: str) -> list[RequestGroup]:
    grouping = Grouping(by)
    grouping.add(rows)
    return [grouping.group(key) for key in grouping.largest(99)]


def row(number: int, **known: object) -> Record:
    return replace(ROW, number=number, **{"status": 200, "total": 0.01, "at": 1000.0 + number, **known})


def test_a_request_that_stands_for_several_is_counted_for_all_of_them() -> None:
    rows = [
        row(1, status=200, weight=90),
        row(2, status=404, weight=5),
        row(3, status=500, total=3.0),
        row(4, weight=4),
    ]
    (group,) = grouped(rows, "route")
    assert (group.requests, group.errors, group.status_4xx) == (100, 1, 5)
    assert max(group.p50, group.p95) < 1.0


def test_a_group_counts_errors_those_whose_client_left_and_how_long_they_took() -> None:
    rows = [row(n, member="a", total=n / 1000) for n in range(1, 97)]
    rows += [row(97, member="b", status=500), row(98, member="b", cut=502), row(99, member="b", status=499)]
    rows += [row(100, member="b", cut=499), row(101, member="b", status=404)]
    first, second = grouped(rows, "member")
    assert (first.names, first.requests, first.errors, first.last) == (("shop/a",), 96, 0, 1096.0)
    assert first.p50 == pytest.approx(0.048, rel=0.1)
    assert first.p95 == pytest.approx(0.091, rel=0.1)
    assert (second.requests, second.errors, second.left, second.status_4xx) == (5, 2, 2, 1)
    assert len(first.per_second) == len(second.per_second) == SPAN
    assert second.per_second[-5:] == (1, 1, 1, 1, 1)
    assert first.per_second[-5:] == (0, 0, 0, 0, 0)
    assert first.per_second[0] == 1


def test_paths_are_grouped_by_their_shape_and_by_two_things_where_that_is_wanted() -> None:
    rows = [row(n, method="GET", target=f"/item/{n}?q={n}", route="ab"[n % 2]) for n in range(10)]
    assert [(each.names, each.requests) for each in grouped(rows, "path")] == [(("GET /item/{n}",), 10)]
    both = grouped(rows, "path", "route")
    assert {each.names: each.requests for each in both} == {("GET /item/{n}", "a"): 5, ("GET /item/{n}", "b"): 5}
    assert both[0].filter in ('shape="GET /item/{n}" route=a', 'shape="GET /item/{n}" route=b')


RECORDS = st.builds(
    lambda **known: replace(ROW, **known),
    method=st.sampled_from(["GET", "PO\tST", ""]),
    target=st.sampled_from(["/", "/item/1", "/item/2?x=)", '/a "quoted" \\path', "/é", "*"]),
    route=st.text(max_size=3),
    rule=st.text(max_size=3),
    balancer=st.sampled_from(["", "shop"]),
    member=st.sampled_from(["", "a", "http://a:8000", "b c"]),
    status=st.sampled_from([200, 404, 499, 502]),
    client=st.sampled_from(["", "10.0.0.1", "2001:db8::1"]),
)


@given(st.lists(RECORDS, max_size=12), st.sampled_from([*((by,) for by in BY), ("path", "route"), ("status", "rule")]))
def test_a_group_is_what_its_filter_holds_for(rows: list[Record], by: tuple[str, ...]) -> None:
    for group in grouped(rows, *by):
        assert sum(map(compiled(group.filter), rows)) == group.requests
