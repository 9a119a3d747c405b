"""Facts are asked for once, kept, and never made up."""

from __future__ import annotations

import pytest

from proxy_core.rules.facts import Facts, Unknown


def test_what_is_not_known_is_unknown() -> None:
    with pytest.raises(Unknown) as unknown:
        Facts().answer("map", "m", "k")
    assert unknown.value.key == ("map", "m", "k")


def test_an_immediate_answer_is_kept_and_asked_for_once() -> None:
    answers = iter(["first", "second"])
    facts = Facts(ask=lambda key: (True, next(answers)))
    assert [facts.answer("map", "m", "k"), facts.answer("map", "m", "k")] == ["first", "first"]
    assert facts.answers == {("map", "m", "k"): "first"}


def test_no_answer_is_an_answer() -> None:
    assert Facts({("map", "m", "k"): None}).answer("map", "m", "k") is None


def test_an_answer_that_takes_waiting_is_unknown_until_it_is_added() -> None:
    facts = Facts(ask=lambda key: (False, None))
    with pytest.raises(Unknown):
        facts.answer("file", "-f", "/x")
    facts.answers["file", "-f", "/x"] = "1"
    assert facts.answer("file", "-f", "/x") == "1"
