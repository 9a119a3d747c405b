"""Something happens at the n-th place where a task of the proxy waits: found by counting, not by the clock.

``Steps`` puts itself between the loop and every coroutine of ``proxy_core`` that is made a task. Each time one of them
is about to wait it counts, and at the chosen number it does the chosen thing; so n = 1, 2, … until nothing is done any
more visits every await on the way of a request, those inside of asyncio and of threads as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from typing import Any

Happening = Callable[["asyncio.Task[Any]", Any], None]
"""Gets the task that is about to wait, and the future that it waits for (None where it only lets others go first)."""


def cancelled(task: asyncio.Task[Any], awaited: Any) -> None:
    task.cancel()


def cancelled_as_it_comes_true(task: asyncio.Task[Any], awaited: Any) -> None:
    """The wait is over, and the task is cancelled before it wakes up: what it was given must not be lost."""
    if awaited is None:
        task.cancel()
    else:
        awaited.add_done_callback(lambda _: task.cancel())


class Steps:
    """``done`` says whether it happened since ``at`` was called; ``tasks`` are those that were watched."""

    def __init__(self) -> None:
        self.done = True
        self.tasks: set[asyncio.Task[Any]] = set()
        self._left = 0
        self._happening: Happening = cancelled

    def install(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.set_task_factory(self._made)

    def at(self, number: int, happening: Happening) -> None:
        """From now on, at the ``number``-th wait, this happens."""
        self.done, self._left, self._happening = False, number, happening

    def _made(self, loop: asyncio.AbstractEventLoop, what: Any, **options: Any) -> asyncio.Task[Any]:
        code = getattr(what, "cr_code", None)
        if code is None or "/proxy_core/" not in code.co_filename:
            return asyncio.Task(what, loop=loop, **options)
        task = asyncio.Task(_Watched(what, self._waits), loop=loop, **options)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def _waits(self, awaited: Any) -> None:
        self._left -= 1
        if self._left == 0 and not self.done:
            self.done = True
            task = asyncio.current_task()
            assert task is not None
            self._happening(task, awaited)


class _Watched(Coroutine[Any, Any, Any]):
    """A coroutine that tells of each wait before it begins, and is otherwise the one that it stands for."""

    def __init__(self, what: Coroutine[Any, Any, Any], waits: Callable[[Any], None]) -> None:
        self._what = what
        self._waits = waits

    def send(self, value: Any) -> Any:
        awaited = self._what.send(value)
        self._waits(awaited)
        return awaited

    def throw(self, *error: Any) -> Any:
        awaited = self._what.throw(*error)
        self._waits(awaited)
        return awaited

    def close(self) -> None:
        self._what.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._what.__await__()
