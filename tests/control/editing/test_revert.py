"""One generation taken back, and nothing that came after it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy_core.config.editing.site_edits import Unusable, edited
from proxy_core.config.editing.spelling import document
from proxy_core.config.reading.document import parse
from proxy_core.config.site_addresses import meaning
from proxy_core.control.editing.commands import Change, Delete, Insert, Move, Refused, Revert, Set, SetEntry
from proxy_core.control.editing.revert import reverting
from tests.control.editing.harness import SITE, WEIGHT, applied, editing, weigh

NAME = ("site", "server_name")


def change(*edits: Any) -> Change:
    return Change(edits=edits, sentence="a change")


@pytest.mark.parametrize(
    "edits",
    [
        (Set(WEIGHT, 7),),
        (Delete(WEIGHT),),
        (Set(NAME, "x"),),
        (Insert(("routes",), {"path": "/new", "except": True}, "service"),),
        (Delete(("routes", "no-index")),),
        (Move(("routes", "service"), "no-index"),),
        (Delete(("balancers", "backend", "members", "b")),),
        (Set(("balancers", "backend", "members", "c"), {"url": "http://127.0.0.1:8002"}),),
        (Set(("routes", "service", "path"), "/else"), Set(WEIGHT, 9), Delete(("routes", "no-index"))),
    ],
)
async def test_one_generation_is_taken_back_and_later_ones_stay(file: Path, edits: tuple[Any, ...]) -> None:
    async with editing(file) as editor:
        await applied(editor, change(*edits), "ada")
        await applied(editor, change(Set(("console", "theme"), "light")), "ben")
        done = await applied(editor, Revert(2), "ada")
        assert done.sentence == "revert generation 2: a change"
        now = meaning(editor.document.data)
    before = parse(SITE, "x").data
    assert now == meaning({**before, "console": {"theme": "light"}})


async def test_the_comments_of_what_it_does_not_touch_are_kept(file: Path) -> None:
    async with editing(file) as editor:
        await applied(editor, weigh(7), "ada")
        await applied(editor, change(Set(NAME, "x")), "ben")
        await applied(editor, Revert(2), "ada")
        assert editor.document.text.startswith(SITE)
        assert "weight = 1   # the small one" in editor.document.text


async def test_what_was_changed_again_since_is_refused_with_both_sides(file: Path) -> None:
    async with editing(file) as editor:
        await applied(editor, weigh(7), "ada")
        await applied(editor, weigh(9), "ben")
        result = await editor.submit(Revert(2), "ada")
        assert isinstance(result, Refused)
        (problem,) = result.problems
        assert "backend.members.a.weight was made 7 of 1, and is 9 by now" in problem.what
        assert editor.generation == 3


@pytest.mark.parametrize(
    ("edits", "later"),
    [
        ((Insert(("routes",), {"path": "/n", "except": True}, "service"),), (Set(("routes", "n", "path"), "/m"),)),
        ((Set(("routes", "service", "path"), "/else"),), (Delete(("routes", "service")),)),
        ((Delete(("routes", "no-index")),), (Insert(("routes",), {"id": "no-index", "path": "/z", "except": True}),)),
        ((Move(("routes", "service"), "no-index"),), (Move(("routes", "no-index"), "service"),)),
    ],
)
async def test_rows_that_were_changed_again_are_refused_or_done_already(
    file: Path, edits: tuple[Any, ...], later: tuple[Any, ...]
) -> None:
    async with editing(file) as editor:
        await applied(editor, change(*edits), "ada")
        await applied(editor, change(*later), "ben")
        result = await editor.submit(Revert(2), "ada")
        assert isinstance(result, Refused)
        assert editor.generation == 3


@pytest.mark.parametrize("number", [1, 99])
async def test_what_is_not_kept_cannot_be_taken_back(file: Path, number: int) -> None:
    async with editing(file) as editor:
        await applied(editor, weigh(7))
        result = await editor.submit(Revert(number), "ada")
        assert isinstance(result, Refused)
        assert "not kept" in result.problems[0].what


async def test_a_reverted_generation_can_be_undone(file: Path) -> None:
    from proxy_core.control.editing.commands import Undo

    async with editing(file) as editor:
        await applied(editor, weigh(7), "ada")
        await applied(editor, change(Set(NAME, "x")), "ben")
        text = editor.document.text
        await applied(editor, Revert(2), "ada")
        await applied(editor, Undo(), "ada")
        assert editor.document.text == text


async def test_an_entry_of_a_map_file_is_taken_back_unless_it_changed_since(file: Path) -> None:
    table = file.with_name("m.txt")
    table.write_text("a 1\nb 2\n")
    file.write_text(SITE + '\n[maps.m]\ntype = "txt"\nfile = "m.txt"\n')
    async with editing(file) as editor:
        await applied(editor, SetEntry(map="m", key="a", value="9"), "ada")
        await applied(editor, SetEntry(map="m", key="b", value="8"), "ben")
        await applied(editor, Revert(2), "ada")
        assert table.read_text() == "a 1\nb 8\n"
        await applied(editor, SetEntry(map="m", key="b", value="7"), "ben")
        assert isinstance(await editor.submit(Revert(3), "ada"), Refused)
        assert table.read_text() == "a 1\nb 7\n"


names = st.lists(st.sampled_from("abcdef"), unique=True, max_size=6)
tables = st.dictionaries(st.sampled_from("xyz"), st.integers(0, 2), max_size=3)


@st.composite
def sites(draw: st.DrawFn) -> dict[str, Any]:
    rows = [{"id": name, "path": f"/{name}", **draw(tables)} for name in draw(names)]
    return {"version": 1, "routes": rows} if rows else {"version": 1}


@given(sites(), sites())
def test_the_newest_generation_is_always_taken_back_whole(before: dict[str, Any], after: dict[str, Any]) -> None:
    edits = reverting(before, after, copy.deepcopy(after))
    text, _ = edited(parse(document(after), "x"), edits)
    assert meaning(parse(text, "x").data) == meaning(before)


@given(sites(), sites(), sites())
def test_of_three_states_it_comes_to_an_end_and_is_refused_in_words(
    before: dict[str, Any], after: dict[str, Any], now: dict[str, Any]
) -> None:
    try:
        edits = reverting(before, after, now)
    except Unusable as unusable:
        edits = ()
        why = unusable.problem
    else:
        why = None
    assert why is None or why.what
    edited(parse(document(now), "x"), edits)
