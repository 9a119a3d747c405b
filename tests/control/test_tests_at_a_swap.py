"""Rows of [[tests]] at a swap: an edit by which one fails that held is refused, unless it is forced."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from proxy_core.control.editing.commands import Applied, Delete, Insert, Refused, Set, by_force
from proxy_core.control.editing.commands import Change as Changes
from proxy_core.control.engine import Engine
from tests.control.harness import serving, site_with, submitted
from tests.waiting import until

TESTS = """
[[tests]]
id = "shop"
request = "GET /shop"
pool = "b"
target = "/shop"

[[tests]]
id = "wrong"
request = "GET /shop"
status = 418
"""
MOVE = Set(("routes", "all", "path"), "/elsewhere")


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    file = tmp_path / "site.toml"
    file.write_text(site_with(9) + TESTS)
    async with serving(file) as (engine, _):
        yield engine


async def test_an_edit_by_which_a_test_fails_that_held_is_refused_and_says_how_it_comes_out(engine: Engine) -> None:
    refused = await submitted(engine, MOVE)
    assert isinstance(refused, Refused)
    (problem,) = refused.problems
    assert problem.what == (
        "test shop held and would fail: GET /shop: pool none, expected b, target none, expected /shop"
    )
    assert (problem.address, problem.line, refused.forcible) == (("tests", "shop"), 16, True)
    assert engine.site().generation == 1


async def test_by_force_it_is_done_and_the_failing_test_is_a_warning_until_it_holds_again(engine: Engine) -> None:
    done = await engine.submit(by_force(Changes(edits=(MOVE,), sentence="move")))
    assert isinstance(done, Applied)
    failing = [each.what for each in engine.problems() if each.address[:1] == ("tests",)]
    assert [what.partition(":")[0] for what in failing] == ["test shop fails", "test wrong fails"]
    assert [bool(each.otherwise) for each in await engine.tests()] == [True, True]
    assert isinstance(await submitted(engine, Set(("site", "timeout"), 9)), Applied), "it failed before as well"
    assert isinstance(await submitted(engine, Set(("routes", "all", "path"), "/")), Applied)
    assert [each.address[1] for each in engine.problems() if each.address[:1] == ("tests",)] == ["wrong"]


async def test_a_test_that_is_new_or_changed_or_gone_holds_nothing_up(engine: Engine) -> None:
    for edit in (
        Insert(("tests",), {"id": "new", "request": "/", "status": 500}),
        Set(("tests", "shop", "target"), "/other"),
        Delete(("tests", "shop")),
    ):
        assert isinstance(await submitted(engine, edit), Applied), edit
    fresh = Insert(("tests",), {"id": "fresh", "request": "/fresh", "pool": "b"})
    assert isinstance(await submitted(engine, fresh, MOVE), Applied), "it holds by the rules before, and is new"


async def test_a_changed_file_by_which_a_test_fails_is_not_taken_and_shown_as_one_with_an_error(engine: Engine) -> None:
    engine.file.write_text(engine.file.read_text().replace('path = "/"', 'path = "/elsewhere"'))
    await until(lambda: engine.snapshot().saved == "drift")
    assert engine.problems()[0].what.startswith("test shop held and would fail")
    assert engine.site().generation == 1
