"""What goes on and off very often is few lines, and the last of them says how it is."""

from __future__ import annotations

from collections.abc import Iterable

from proxy_core.control.watching.events import Event, Level
from proxy_core.control.watching.floods import MINUTE, MOST, Spells, thinned

NOW = 1000.0


def about(name: str, text: str, level: Level = "info") -> Event:
    return Event(level=level, kind="k", text=text, about=name)


def told(looks: Iterable[tuple[float, list[Event]]]) -> list[tuple[float, str, str]]:
    spells: Spells = {}
    lines = []
    for at, found in looks:
        said, spells = thinned(spells, found, at)
        lines += [(at - NOW, each.level, each.text) for each in said]
    return lines


def test_a_member_that_flaps_each_second_for_an_hour_is_a_line_a_minute_after_the_first() -> None:
    flaps = ([about("m", "is down", "warning")] if n % 2 else [about("m", "is up again")] for n in range(3600))
    lines = told((NOW + n, found) for n, found in enumerate(flaps))
    assert len(lines) == MOST + 59
    assert lines[MOST] == (MINUTE, "warning", "is down (54 more like this in 60 s)")


def test_the_last_line_says_how_it_is_when_it_comes_to_rest() -> None:
    looks = [(NOW + n, [about("m", "is down" if n % 2 else "is up again", "warning")]) for n in range(21)]
    lines = told([*looks, *((NOW + n, []) for n in range(21, 600))])
    assert lines[-1] == (MINUTE, "warning", "is up again (15 more like this in 60 s)")
    assert len(lines) == MOST + 1


def test_after_a_quiet_minute_each_is_told_again() -> None:
    burst = [about("m", "x")] * 100
    lines = told([(NOW, burst), (NOW + MINUTE, []), (NOW + 2 * MINUTE, []), (NOW + 2 * MINUTE, burst)])
    assert len(lines) == MOST + 1 + MOST


def test_one_that_is_seldom_and_one_that_is_about_nothing_are_told_each_time() -> None:
    assert len(told((NOW + 30 * n, [about("m", "x")]) for n in range(100))) == 100
    assert len(told((NOW, [about("", "x")]) for n in range(100))) == 100


def test_another_is_told_though_one_flaps() -> None:
    lines = told([(NOW, [about("m", "x")] * 100 + [about("n", "y")])])
    assert [text for _, _, text in lines] == ["x"] * MOST + ["y"]


def test_the_worst_level_of_what_was_kept_back_is_told() -> None:
    found = [about("m", "x")] * MOST + [about("m", "failed", "error"), about("m", "is well")]
    assert told([(NOW, found), (NOW + MINUTE, [])])[-1] == (MINUTE, "error", "is well (2 more like this in 60 s)")


def test_a_clock_that_is_set_back_keeps_nothing_back_for_ever() -> None:
    assert len(told([(NOW, [about("m", "x")] * 100), (NOW - 5000, [about("m", "y")])])) == MOST + 1
