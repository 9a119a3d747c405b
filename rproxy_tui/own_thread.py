"""The console of a process that serves runs in a thread and a loop of its own, so that no picture holds a request up.

Textual lays out and styles a screen in one call, of up to 100 ms, and draws it in another; no other turn of its loop
comes between. In a thread of its own such a call gives way: whoever waits for the interpreter's lock gets it after the
switch interval (``sys.setswitchinterval``; CPython, Python/ceval_gil.h), wherever the call is in its code.

The engine belongs to its loop. What a console asks of it is called there, and the console waits for the answer; the
engine never waits for a console. A console that is attached, or shows a recording, is alone in its process and needs
none of this.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from inspect import iscoroutinefunction
from threading import Thread
from types import SimpleNamespace
from typing import Any, TypeVar, cast

from proxy_core.control.view import EngineView

T = TypeVar("T")


def beside(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> asyncio.Future[T]:
    """Run ``work`` in ``loop``, which is new, and in a thread that ends with it and that no process waits for at its
    end. What came of it, for the loop that calls."""
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                result = runner.run(work)
        except BaseException as error:  # whatever it is, it is for whoever waits
            outcome.set_exception(error)
        else:
            outcome.set_result(result)

    Thread(target=run, name="console", daemon=True).start()
    return asyncio.wrap_future(outcome)


def across(engine: EngineView, loop: asyncio.AbstractEventLoop) -> EngineView:
    """The engine of ``loop``, for another thread than the one that ``loop`` runs in."""
    methods = {
        name: (_awaited if iscoroutinefunction(method) else _asked)(getattr(engine, name), loop)
        for name, method in vars(EngineView).items()
        if not name.startswith("_")
    }
    return cast(EngineView, SimpleNamespace(**methods))


def _asked(method: Callable[..., Any], loop: asyncio.AbstractEventLoop) -> Callable[..., Any]:
    def ask(*arguments: Any, **named: Any) -> Any:
        answer: Future[Any] = Future()

        def run() -> None:
            try:
                answer.set_result(method(*arguments, **named))
            except Exception as error:
                answer.set_exception(error)

        loop.call_soon_threadsafe(run)
        return answer.result()

    return ask


def _awaited(method: Callable[..., Any], loop: asyncio.AbstractEventLoop) -> Callable[..., Any]:
    async def wait(*arguments: Any, **named: Any) -> Any:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(method(*arguments, **named), loop))

    return wait
