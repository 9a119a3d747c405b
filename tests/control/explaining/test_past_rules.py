"""The rules of a generation that is past, from its text in the journal."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from proxy_core.control.editing.history import History, HistoryEntry
from proxy_core.control.explaining import past_rules
from proxy_core.control.explaining.explain import explain
from proxy_core.control.explaining.past_rules import PastRules
from proxy_core.control.question import Question
from proxy_core.runtime.fact_lookups import Outside
from tests.control.harness import site_with


def journal(*texts: str) -> History:
    history = History()
    for number, text in enumerate(texts, 1):
        history.add(HistoryEntry(number=number, at=0.0, author="console", sentence="", diff="", text=text))
    return history


OLD = site_with(8001)
NEW = OLD.replace('path = "/"', 'path = "/new"')


async def test_a_request_is_explained_by_the_rules_of_the_generation_that_is_asked_for() -> None:
    past = PastRules(journal(OLD, NEW).find)
    found = [await explain(await past.of(number), Outside(), Question(url="/x")) for number in (1, 2)]
    assert [(each.generation, each.outcome) for each in found] == [(1, "forward"), (2, "respond")]


async def test_what_the_journal_does_not_have_or_this_version_does_not_understand_is_said() -> None:
    past = PastRules(journal("version = 99").find)
    with pytest.raises(ValueError, match="generation 7 is not in the journal"):
        await past.of(7)
    with pytest.raises(ValueError, match="generation 1 is not understood"):
        await past.of(1)


async def test_rules_are_made_once_and_anew_where_their_generation_was_amended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past_rules, "KEPT", 1)
    history = journal(OLD, NEW)
    past = PastRules(history.find)
    first = await past.of(2)
    assert await past.of(2) is first
    history.amend(replace(history.entries[-1], text=OLD))
    second = await past.of(2)
    assert second.site.routes[0].path == "/"
    await past.of(1)
    assert await past.of(2) is not second
