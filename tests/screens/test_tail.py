"""The log's rules, without a terminal: what comes in never takes away what one reads."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy_core.control.watching.log_records import Record
from rproxy_tui.widgets.tail import Tail
from tests.screens.fake import FakeEngine


def _one() -> Record:
    engine = FakeEngine()
    engine.advance(1)
    return engine.records(0, 1)[0]


ONE = _one()


def records(first: int, count: int) -> list[Record]:
    return [msgspec.structs.replace(ONE, number=n, status=200 if n % 3 else 500) for n in range(first, first + count)]


def failed(record: Record) -> bool:
    return record.status >= 500


def newest_taken(tail: Tail) -> int:
    return tail.kept[-1].number if tail.kept else tail.whole - 1


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("take"), st.integers(0, 30)),
        st.tuples(st.just("older"), st.integers(0, 10)),
        st.tuples(st.just("move"), st.integers(-15, 15)),
        st.tuples(st.just("scroll"), st.integers(-9, 9)),
        st.tuples(st.just("follow"), st.integers(0, 1)),
        st.tuples(st.just("filter"), st.integers(0, 1)),
        st.tuples(st.just("height"), st.integers(1, 9)),
    ),
    max_size=60,
)


@given(STEPS)
def test_whatever_comes_in_a_paused_reader_keeps_rows_and_cursor_and_memory_is_bounded(
    steps: list[tuple[str, int]],
) -> None:
    tail = Tail(keep=40, slack=5, keep_failed=7, height=6)
    newest, oldest = 1000, 1001
    tail.restart(newest)
    for step, number in steps:
        match step:
            case "take":
                visible = [record.number for record in tail.shown[tail.top : tail.top + tail.height]]
                here, following = tail.current, tail.following
                newest += number
                waiting = records(tail.last + 1, newest - tail.last)
                tail.take(waiting[: tail.room])
                if not following and visible:
                    assert tail.current == here
                    assert [r.number for r in tail.shown[tail.top : tail.top + len(visible)]] == visible
                elif following and tail.shown:
                    assert tail.current == tail.shown[-1]
            case "older" if tail.kept and tail.kept[0].number == oldest and len(tail.kept) + number <= tail.keep:
                here = tail.current
                oldest -= number
                tail.take_older(records(oldest, number))
                assert tail.following or here is None or tail.current == here
            case "move":
                tail.move(number)
                tail.moved()
            case "scroll":
                tail.scroll(number)
                tail.moved()
            case "follow":
                tail.follow(bool(number))
            case "filter":
                tail.show_only(failed if number else None)
            case "height":
                tail.height = number
                tail.settle()
        tail.note()
        numbers = [record.number for record in tail.kept]
        assert numbers == sorted(set(numbers))
        assert len(tail.kept) <= tail.keep + tail.slack + tail.keep_failed
        assert [n for n in numbers if n >= tail.whole] == list(range(tail.whole, newest_taken(tail) + 1))
        assert all(each.went_wrong for each in tail.kept if each.number < tail.whole)
        assert tail.shown == [r for r in tail.kept if tail.passes is None or tail.passes(r)]
        assert tail.count == len(tail.shown)
        assert 0 <= tail.top <= max(0, tail.count - 1)
        assert not tail.shown or tail.top <= tail.cursor < tail.top + tail.height


def test_new_records_below_what_was_visible_are_counted_until_they_are_seen() -> None:
    tail = Tail(height=10)
    tail.take(records(1, 50))
    assert tail.unread(50) == 0
    tail.move(-1)
    tail.moved()
    tail.take(records(51, 128))
    assert tail.unread(180) == 130
    tail.move(30)
    tail.moved()
    assert tail.unread(180) == 130 - 29
    tail.follow(True)
    assert tail.unread(180) == 2


@pytest.mark.parametrize("slack", [0, 5])
def test_following_forgets_the_oldest_and_a_paused_reader_gives_up_only_what_is_above(slack: int) -> None:
    tail = Tail(keep=20, slack=slack, keep_failed=0, height=5)
    tail.take(records(1, 30))
    assert [r.number for r in tail.kept] == list(range(11, 31))
    tail.scroll(-5)
    tail.moved()
    assert tail.room == 10 + slack
    tail.take(records(31, tail.room))
    assert tail.kept[0].number == tail.shown[tail.top].number == 21
    assert tail.room == 0


def test_a_filter_keeps_the_cursor_on_its_record_or_on_the_nearest_before_it() -> None:
    tail = Tail(height=5)
    tail.take(records(1, 30))
    tail.go_to(17)
    tail.show_only(failed)
    assert tail.current is not None
    assert tail.current.number == 15
    tail.show_only(None)
    assert tail.current is not None
    assert tail.current.number == 15


def test_what_went_wrong_stays_when_the_rest_is_given_up_and_the_cursor_with_it() -> None:
    tail = Tail(keep=20, slack=5, keep_failed=6, height=5)
    tail.take(records(1, 20))
    tail.show_only(failed)
    tail.go_to(3)
    for first in range(21, 60, 5):
        tail.take(records(first, min(5, tail.room)))
    assert [r.number for r in tail.shown[:2]] == [3, 6]
    tail.follow(True)
    tail.take(records(61, 100))
    assert tail.whole == 141
    assert [r.number for r in tail.kept if r.number < 141] == [123, 126, 129, 132, 135, 138]
    assert [r.number for r in tail.shown] == [n for n in range(123, 161) if n % 3 == 0]


def test_what_is_fetched_from_before_takes_the_place_of_what_was_held_of_it() -> None:
    tail = Tail(height=5)
    tail.restart(99)
    tail.take(records(100, 6))
    tail.take_older([each for each in records(1, 99) if failed(each)], gaps=True)  # 99, the last one, failed too
    assert (tail.whole, len(tail.kept)) == (100, 33 + 6)
    tail.go_to(60)
    tail.take_older(records(51, 49))
    assert (tail.whole, len(tail.kept)) == (51, 16 + 55)
    assert tail.current is not None
    assert tail.current.number == 60
    assert [r.number for r in tail.kept] == [*range(3, 51, 3), *range(51, 106)]


def test_what_is_known_to_pass_is_not_asked_again_and_what_came_meanwhile_is() -> None:
    tail = Tail(height=5)
    tail.take(records(1, 30))
    asked: list[int] = []

    def passes(record: Record) -> bool:
        asked.append(record.number)
        return failed(record)

    tail.show_only(passes, known={3, 6}, upto=25)
    assert [r.number for r in tail.shown] == [3, 6, 27, 30]
    assert asked == [26, 27, 28, 29, 30]
