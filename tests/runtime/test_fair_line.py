"""Clients take turns in a FairLine, and what waits in it is bounded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy_core.runtime.fair_line import FairLine


def test_clients_take_turns_whoever_came_first_and_has_most() -> None:
    line: FairLine[str] = FairLine(99)
    for entry in ("a1", "a2", "a3", "b1", "c1", "c2"):
        assert line.join(entry[0], entry) is None
    assert [line.leave() for _ in range(7)] == ["a1", "b1", "c1", "a2", "c2", "a3", None]


def test_who_has_most_gives_up_a_place_to_who_has_fewer_and_to_nobody_else() -> None:
    line: FairLine[str] = FairLine(4)
    for entry in ("a1", "a2", "a3", "b1"):
        assert line.join(entry[0], entry) is None
    assert line.join("a", "a4") == "a4"
    assert line.join("c", "c1") == "a3"
    assert line.join("b", "b2") == "b2"  # it would have as many as a has
    assert [line.leave() for _ in range(4)] == ["a1", "b1", "c1", "a2"]


@given(st.lists(st.sampled_from("abcde") | st.none(), max_size=200))
def test_every_entry_is_given_once_or_lost_once_and_the_bounds_hold(steps: list[str | None]) -> None:
    line: FairLine[tuple[str, int]] = FairLine(7)
    waiting: set[tuple[str, int]] = set()
    for number, client in enumerate(steps):
        if client is None:
            left = line.leave()
            assert (left is None) == (not waiting)
            waiting -= {left} if left is not None else set()
        else:
            waiting.add((client, number))
            lost = line.join(client, (client, number))
            assert lost is None or lost in waiting
            waiting -= {lost} if lost is not None else set()
        assert line.waiting == len(waiting) <= 7
    while (left := line.leave()) is not None:
        waiting.remove(left)
    assert not waiting
