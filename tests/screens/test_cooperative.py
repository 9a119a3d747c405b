"""Steps of the console's tasks are left and taken up again, and nothing but the loop's other work comes between."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextvars import ContextVar
from importlib import import_module
from typing import Any

import pytest

from rproxy_tui import cooperative
from rproxy_tui.cooperative import POINTS, cooperate, divided, give_way

NAME: ContextVar[str] = ContextVar("NAME", default="nobody")


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cooperative, "SLICE", 0.0)


def long_call(log: list[str], name: str, pauses: int = 5) -> None:
    log.append(f"{name} begins")
    for _ in range(pauses):
        give_way()
    log.append(f"{name} ends")


async def test_requests_are_served_in_the_middle_of_a_step_and_no_other_step_is_begun() -> None:
    log: list[str] = []

    async def console(name: str) -> None:
        long_call(log, name)

    async def request() -> None:
        log.append("request")

    await asyncio.gather(
        asyncio.create_task(divided(console("a"))), asyncio.create_task(divided(console("b"))), request()
    )
    assert log == ["a begins", "request", "a ends", "b begins", "b ends"]


async def test_what_a_step_awaits_raises_and_returns_comes_through() -> None:
    future = asyncio.get_running_loop().create_future()

    async def fails() -> None:
        give_way()
        raise LookupError("lost")

    async def works() -> str:
        try:
            await fails()
        except LookupError as error:
            return f"{error} {await future}"
        return ""

    task = asyncio.create_task(divided(works()))
    await asyncio.sleep(0.01)
    future.set_result("found")
    assert await task == "lost found"


async def test_what_a_step_sets_for_its_task_is_there_in_the_next_step() -> None:
    async def names() -> str:
        NAME.set("console")
        give_way()
        await asyncio.sleep(0)
        return NAME.get()

    assert await asyncio.create_task(divided(names())) == "console"
    assert NAME.get() == "nobody"


async def test_a_cancelled_step_is_ended_where_it_awaits_and_not_in_its_midst() -> None:
    log: list[str] = []

    async def console() -> None:
        long_call(log, "a")
        try:
            await asyncio.sleep(10)
        finally:
            log.append("cleaned up")

    task = asyncio.create_task(divided(console()))
    while not log:  # noqa: ASYNC110
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log == ["a begins", "a ends", "cleaned up"]


async def test_a_timeout_ends_what_a_step_awaits() -> None:
    async def console() -> str:
        try:
            async with asyncio.timeout(0.01):
                await asyncio.sleep(10)
        except TimeoutError:
            return "late"
        return ""

    assert await asyncio.create_task(divided(console())) == "late"


@pytest.fixture
def textuals_own() -> Iterator[None]:
    kept = {point: getattr(getattr(import_module(point[0]), point[1]), point[2]) for point in POINTS}
    yield
    for (module, owner, name), function in kept.items():
        setattr(getattr(import_module(module), owner), name, function)


@pytest.mark.usefixtures("textuals_own")
@pytest.mark.filterwarnings("error")
async def test_only_the_tasks_of_textual_are_divided_and_one_that_never_begins_is_closed() -> None:
    loop = asyncio.get_running_loop()
    own: dict[str, Any] = {}
    source = "async def console(): return 1"
    exec(compile(source, f"{cooperative._TEXTUAL}/made_up.py", "exec"), own)
    cooperate(loop)
    try:
        assert asyncio.create_task(asyncio.sleep(0)).get_coro().__name__ == "sleep"  # type: ignore[union-attr]
        divided_one, cancelled = asyncio.create_task(own["console"]()), asyncio.create_task(own["console"]())
        cancelled.cancel()
        assert divided_one.get_coro().__name__ == "divided"  # type: ignore[union-attr]
        assert await divided_one == 1
        assert cancelled.cancelled()
    finally:
        loop.set_task_factory(None)


@pytest.mark.parametrize("point", POINTS, ids=".".join)
def test_textual_has_the_functions_at_which_a_step_is_left(point: tuple[str, str, str]) -> None:
    module, owner, name = point
    assert name in vars(getattr(import_module(module), owner)), f"{owner}.{name} is gone, or another class has it"
