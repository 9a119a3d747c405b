"""From match to match: what stands between is kept, an empty match goes on, and there is an end."""

from __future__ import annotations

import pytest

from proxy_core.rules.expression.functions import ExprFailure
from proxy_core.rules.expression.sub_and_split import STEPS, steps, walk
from proxy_core.rules.text.pattern import PatternError


@pytest.mark.parametrize(
    ("source", "text", "found"),
    [
        ("b", "abcb", [("a", "b"), ("c", "b")]),
        ("b", "ac", [("ac", None)]),
        ("^a", "aab", [("", "a"), ("", "a"), ("b", None)]),
        ("b*", "abc", [("", ""), ("a", "b"), ("", ""), ("c", None)]),
        ("(?i)B", "abc", [("a", "b"), ("c", None)]),
        ("x", "", [("", None)]),
    ],
)
def test_each_step_looks_at_what_the_last_one_left(source: str, text: str, found: list[tuple[str, str | None]]) -> None:
    made = [
        (step.before, step.groups[0] if step.groups is not None else None) for step in steps(walk(source, False), text)
    ]
    assert made == found


def test_groups_keep_their_numbers() -> None:
    (first, *_) = steps(walk("(a)(x)?(b)", False), "1ab2")
    assert first.groups == ("ab", "a", None, "b")


def test_a_text_with_too_many_matches_has_no_value() -> None:
    with pytest.raises(ExprFailure):
        list(steps(walk("a", False), "a" * (STEPS + 1)))


def test_a_pattern_that_does_not_stand_in_a_group_is_none() -> None:
    with pytest.raises(PatternError):
        walk("(*UTF)a", False)
