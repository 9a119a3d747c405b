"""The filter language: what each filter holds for, and where a bad one goes wrong."""

from __future__ import annotations

from collections import Counter
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from benchmarks.filters import FILTER, by_hand, rows
from proxy_core.control.watching.log_records import Record
from proxy_core.control.watching.record_filter import BadFilter, also, compiled, term, values_of

ROW = Record(
    number=7, at=1.0, client="10.1.2.3", method="POST", target="/api/checkout?x=1", host="shop.example", version="1.1",
    status=502, received=10, sent=2000, route="all", balancer="shop", member="c", attempts=2, generation=3,
    waited=0.001, first=0.2, total=0.251, cause="the member reset the connection", referer="", user_agent="curl/8 é",
)  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "status>=500 member=c path~^/api ms>250 method=POST client=10.0.0.0/8 gen=3 cause~reset",
        "status=5xx",
        "status!=2xx",
        "status=502.0",
        "not status<500",
        "not not status=502",
        "status=404 or member=c",
        "status=502 and (member=a or member=c)",
        "(status=502)(member=c)",
        "member=a or member=b or status=502 method=POST",
        "path=/api/checkout",
        "target=/api/checkout?x=1",
        "path~^/(api|x)$|checkout",
        "(path~^/(api|x)/check.*)",
        'cause="the member reset the connection"',
        "cause='the member reset the connection'",
        'agent~"curl/8 é"',
        'referer=""',
        "client=10.1.2.3",
        "client!=192.0.2.0/24",
        "cause!~refused",
        "attempts>1 retries=0 sent>=2e3 received<11 number=7",
        "host=shop.example route=all balancer=shop",
    ],
)
def test_a_filter_holds_for_what_it_says(text: str) -> None:
    assert compiled(text)(ROW)
    if text.strip():
        assert not compiled(f"not ({text})")(ROW)


@pytest.mark.parametrize(
    ("text", "position", "word"),
    [
        ("status", 0, "comparison"),
        ("status>=", 8, "value"),
        ("stauts=5", 0, "no field stauts"),
        ("status=abc", 7, "number"),
        ("status=nan", 7, "number"),
        ("status~5", 0, "number"),
        ("member>c", 6, "text"),
        ("member=c )", 9, "opens"),
        ("(member=c", 0, "closes"),
        ("member=c or", 11, "missing"),
        ("not", 3, "missing"),
        ("or member=c", 0, "comparison"),
        ('cause="x', 6, "quotation"),
        ("path~a(", 7, "regular"),
        ("path~[", 6, "regular"),
        ("client=10.0.0.0/99", 7, "network"),
        ("=5", 0, "comparison"),
        ("status=5 %", 9, "comparison"),
        ("not " * 60 + "status=5", 200, "parentheses"),
    ],
)
def test_a_bad_filter_is_told_with_its_place(text: str, position: int, word: str) -> None:
    with pytest.raises(BadFilter, match=word) as found:
        compiled(text)
    assert found.value.position == position
    assert f"character {position + 1}" in str(found.value)


@given(st.text("status=5member~^/()<>!or not\"'xX. \\", max_size=40))
def test_no_text_is_more_than_a_filter_or_a_bad_one(text: str) -> None:
    try:
        assert isinstance(compiled(text)(ROW), bool)
    except BadFilter as bad:
        assert 0 <= bad.position <= len(text)  # noqa: PT017


def test_a_pattern_that_runs_away_is_stopped() -> None:
    began = perf_counter()
    assert not compiled("path~^(a+)+$")(replace(ROW, target="/" + "a" * 5000 + "!"))
    assert perf_counter() - began < 1


def test_it_reads_no_more_of_a_record_than_the_same_written_by_hand() -> None:
    """What each costs is for ``python -m benchmarks.filters``."""
    reads: Counter[str] = Counter()

    class Read:
        def __init__(self, record: Record) -> None:
            self.record = record

        def __getattr__(self, name: str) -> object:
            reads[name] += 1
            return getattr(self.record, name)

    found = {}
    for predicate in (compiled(FILTER), by_hand):
        reads.clear()
        found[predicate] = [row.number for row in rows(500) if predicate(Read(row))], dict(reads)  # type: ignore[arg-type]
    made, hand = found.values()
    assert made == hand
    assert made[0]


@pytest.mark.parametrize(
    "text", ["", "status=502", "member=a or member=c", "(member=a or gen=3)", "not (gen=1 or gen=2)"]
)
@pytest.mark.parametrize("more", ["method=GET", "not (method=GET)", 'shape="POST /api/checkout"'])
def test_a_term_that_is_added_holds_beside_all_that_was_there(text: str, more: str) -> None:
    rows = [replace(ROW, member=member, method=method) for member in "abc" for method in ("GET", "POST")]
    both = compiled(also(text, more))
    assert [both(row) for row in rows] == [compiled(text)(row) and compiled(more)(row) for row in rows]


@given(st.text(max_size=12))
def test_a_value_is_spelled_so_that_the_term_holds_for_it_alone(value: str) -> None:
    holds = compiled(term("cause", value))
    assert holds(replace(ROW, cause=value))
    assert not holds(replace(ROW, cause=value + "x"))


def test_the_values_of_fields_are_those_that_a_filter_asks_for() -> None:
    row = replace(ROW, target="/item/17?x=1", rule="old")
    assert values_of(("path", "shape", "rule", "ms"))(row) == ("/item/17", "POST /item/{n}", "old", 251.0)
