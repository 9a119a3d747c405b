"""A service that is asked first is asked for an explanation only when that says so, and what it was told is hidden."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from proxy_core.control.cli.__main__ import main
from proxy_core.control.editing.commands import Set
from proxy_core.control.engine import Engine
from proxy_core.control.explaining.question_line import asked, spelled
from proxy_core.control.question import Question
from proxy_core.control.watching.events import events
from proxy_core.control.watching.metrics import exposition
from tests.control.harness import get, member, serving, site_with, submitted
from tests.e2e.harness import Upstream, answers, upstream

ANNA = b"HTTP/1.1 200 OK\r\nX-User: anna\r\nSet-Cookie: session=sesame\r\nContent-Length: 0\r\n\r\n"
SSO = """
[forward_auth.sso]
url = "http://127.0.0.1:{}/verify"
user_header = "X-User"
response_headers = ["Set-Cookie"]

[[locations]]
id = "app"
path = "/app"
forward_auth = "sso"
"""


@asynccontextmanager
async def guarded(folder: Path, *said: bytes) -> AsyncIterator[tuple[Engine, int, Upstream]]:
    file = folder / "site.toml"
    async with member() as port, upstream(answers(*said)) as service:
        file.write_text(site_with(port, more=SSO.format(service.port)))
        async with serving(file) as (engine, own):
            yield engine, own, service


QUESTION = Question(url="/app/x", fields=("Cookie: id=topsecret",))


async def test_it_says_that_a_service_would_be_asked_and_asks_only_when_told(tmp_path: Path) -> None:
    async with guarded(tmp_path, ANNA) as (engine, _, service):
        told = await engine.explain(QUESTION)
        assert told.sentence == "forward_auth sso is asked first, and decides; --ask really asks it"
        assert (told.steps[-1].address, told.steps[-1].verdict) == (("forward_auth", "sso"), "skipped")
        assert "is asked about /app/x: only 2xx lets it through" in told.steps[-1].reason
        assert not service.heads
        told = await engine.explain(asked("/app/x -H 'Cookie: id=topsecret' --ask"))
        assert len(service.heads) == 1
        assert told.outcome == "forward"
        assert "X-User: anna" in told.forwarded
        assert ("forward_auth", "sso", "/app/x", "200") in told.facts
        assert any((each.name, each.value) == ("forward_auth", "sso") for each in told.settings)
        assert not {"topsecret", "sesame"} & {*str(told).replace("=", " ").replace("'", " ").split()}


async def test_it_says_which_twin_of_what_was_told_is_dropped(tmp_path: Path) -> None:
    async with guarded(tmp_path, ANNA) as (engine, _, _):
        told = await engine.explain(asked("/app/x -H 'X_Requested-With: x' --ask"))
        reasons = [step.reason for step in told.steps if step.address == ("forward_auth", "sso")]
        assert "drop X_Requested-With: members may take it for X-Requested-With" in reasons
        assert "set X-User" in reasons


async def test_a_question_that_is_being_typed_asks_nobody(tmp_path: Path) -> None:
    async with guarded(tmp_path, ANNA) as (engine, _, service):
        await engine.explain(Question(url="/app/x", ask=True, unfinished=True))
        assert not service.heads


def test_the_line_of_a_question_holds_that_it_asks() -> None:
    assert asked("/x --ask").ask
    assert not asked("/x").ask
    assert asked(spelled(asked("/x --ask"))) == asked("/x --ask")


async def test_what_was_asked_of_a_request_stands_in_the_inspector_without_being_asked_again(tmp_path: Path) -> None:
    async with guarded(tmp_path, b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno") as (engine, own, service):
        assert await get(own, "/app/x", "Cookie: id=topsecret\r\n") == (403, "no")
        seen = await engine.inspect(1)
        assert seen is not None
        assert seen.explanation is not None
        (step,) = (step for step in seen.explanation.steps if step.address == ("forward_auth", "sso"))
        assert step.reason.endswith("/verify is asked about /app/x: it answered 403")
        assert "topsecret" not in str(seen)
        assert len(service.heads) == 1


async def test_a_dead_service_is_a_problem_an_event_and_a_number(tmp_path: Path) -> None:
    async with guarded(tmp_path, ANNA) as (engine, own, service):
        await get(own, "/app")
        before = engine.sight()
        await service.die()
        assert (await get(own, "/app"))[0] == 503
        problem = next(each for each in engine.problems() if each.address == ("forward_auth", "sso"))
        assert "forward_auth sso lets nobody in, 503 is answered" in problem.what
        (told,) = (each for each in events(before, engine.sight()) if each.kind == "problem")
        assert told.level == "error"
        page = exposition(engine.snapshot(), engine.sight(), engine._recorder, engine._registry)
        assert 'rproxy_forward_auth_total{service="sso",outcome="failed"} 1.0' in page
        assert 'rproxy_forward_auth_total{service="sso",outcome="admitted"} 1.0' in page
        assert 'rproxy_forward_auth_up{service="sso"} 0.0' in page


async def test_what_was_wrong_with_another_service_is_no_problem_of_the_one_in_its_place(tmp_path: Path) -> None:
    async with guarded(tmp_path, ANNA) as (engine, own, service), upstream(answers(ANNA)) as other:
        await get(own, "/app")
        await service.die()
        await get(own, "/app")
        assert any(each.address == ("forward_auth", "sso") for each in engine.problems())
        await submitted(engine, Set(("forward_auth", "sso", "url"), f"http://127.0.0.1:{other.port}/check"))
        assert not any(each.address == ("forward_auth", "sso") for each in engine.problems())


async def test_an_edit_leads_to_another_service_from_the_next_request_on(tmp_path: Path) -> None:
    async with guarded(tmp_path, ANNA) as (engine, own, service), upstream(answers(ANNA)) as other:
        await submitted(engine, Set(("forward_auth", "sso", "url"), f"http://127.0.0.1:{other.port}/check"))
        await get(own, "/app")
        assert [head.split()[1] for head in other.heads] == [b"/check"]
        assert not service.heads


def test_the_command_asks_nobody_by_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "site.toml"
    file.write_text(site_with(1, more=SSO.format(1)))
    assert main(["explain", str(file), "/app"]) == 0
    assert "forward_auth sso is asked first" in capsys.readouterr().out
    assert main(["explain", str(file), "/app", "--ask", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == 503
