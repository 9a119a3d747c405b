"""The console's work gives way to requests, in the one loop that does both.

Textual lays out, styles and draws a screen in calls that take up to a quarter of a second, and nothing in them awaits.
Here each task of Textual's runs on a stack of its own, a greenlet. At the functions of ``POINTS``, which Textual calls
again and again, a step that has had ``SLICE`` seconds is left as it stands; the loop serves whatever is ready, and then
the step goes on where it was. No other task of Textual's gets on meanwhile, so for the console a step is as undivided
as it ever was: requests alone come between. What is not a task of Textual's is never divided.

Greenlets (https://greenlet.readthedocs.io) are how SQLAlchemy's asyncio runs synchronous code, too. A console that is
attached, or shows a recording, serves nobody and needs none of this.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextvars import copy_context
from functools import wraps
from importlib import import_module
from pathlib import Path
from time import perf_counter
from types import coroutine
from typing import Any, Final

import textual
from greenlet import getcurrent, greenlet

SLICE: Final = 0.0015
"""Seconds that a step may take until requests are served."""
POINTS: Final = (
    ("textual.css.stylesheet", "Stylesheet", "apply"),
    ("textual.css.tokenizer", "Tokenizer", "get_token"),
    ("textual.dom", "DOMNode", "watch"),
    ("textual.widget", "Widget", "arrange"),
    ("textual.widget", "Widget", "get_content_width"),
    ("textual.widget", "Widget", "get_content_height"),
    ("textual.widget", "Widget", "post_message"),
    ("textual.widget", "Widget", "render_lines"),
    ("textual._spatial_map", "SpatialMap", "insert"),
    ("textual._styles_cache", "StylesCache", "render_line"),
    ("textual.strip", "Strip", "apply_filter"),
    ("textual.strip", "Strip", "divide"),
    ("textual.strip", "Strip", "render"),
)
"""Where a step can be left: module, class, function."""

_TEXTUAL: Final = str(Path(textual.__file__).parent)
_LEFT: Final = object()
"""What comes out of a step that is not done."""


class _Turn:
    """Whose turn it is. ``taken``: a step has begun and is not done; ``working``, ``since``: it is at it right now.
    ``left``: seconds for which steps were left, all together."""

    taken = False
    working: greenlet | None = None
    since = 0.0
    left = 0.0


def cooperate(loop: asyncio.AbstractEventLoop) -> None:
    """From now on the tasks of Textual's in ``loop`` give way to all else in it."""
    for module, owner, name in POINTS:
        cls = getattr(import_module(module), owner)
        function = getattr(cls, name)
        if not hasattr(function, "__wrapped__"):
            setattr(cls, name, _giving_way(function))
    loop.set_task_factory(_task)  # type: ignore[arg-type]


def give_way() -> None:
    """Let requests be served, if the step that calls this has had its slice."""
    working = _Turn.working
    if working is not None and (now := perf_counter()) - _Turn.since > SLICE:
        working.parent.switch(_LEFT)
        _Turn.left += _Turn.since - now


def step_clock() -> float:
    """Seconds, which do not pass while a step is left: what a step takes is a difference of them."""
    return perf_counter() - _Turn.left


def _giving_way(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def point(*arguments: Any, **named: Any) -> Any:
        if _Turn.working is not None:
            give_way()
        return function(*arguments, **named)

    return point


def _task(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **named: Any) -> asyncio.Task[Any]:
    code = getattr(work, "cr_code", None)
    if code is None or not code.co_filename.startswith(_TEXTUAL):
        return asyncio.Task(work, loop=loop, **named)
    task = asyncio.Task(divided(work), loop=loop, **named)
    task.add_done_callback(lambda _: work.close())  # one that was cancelled before it began still waits to begin
    return task


async def divided(work: Coroutine[Any, Any, Any]) -> Any:
    """What comes of ``work``, whose steps give way."""
    return await _steps(work)


@coroutine
def _steps(work: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
    stack = greenlet(_drive)
    stack.gr_context = copy_context()  # what a step sets there is there in the next one
    awaited, late = yield from _step(stack, work)
    while not stack.dead:
        value, error = None, late
        if error is None:
            try:
                value = yield awaited
            except BaseException as thrown:
                error = thrown
        awaited, late = yield from _step(stack, value, error)
    return awaited


def _step(stack: greenlet, *given: Any) -> Generator[None, None, tuple[Any, BaseException | None]]:
    """One step on ``stack``: what it awaits, or ends with; and a cancellation that came before it was done, which it
    is to hear of where it awaits."""
    late: BaseException | None = None
    while _Turn.taken:
        late = (yield from _rest()) or late
    _Turn.taken = True
    try:
        came = _slice(stack, *given)
        while came is _LEFT:
            late = (yield from _rest()) or late
            came = _slice(stack)
    finally:
        _Turn.taken = False
    return came, late


def _rest() -> Generator[None, None, BaseException | None]:
    """One turn of the loop."""
    try:
        yield
    except asyncio.CancelledError as late:
        return late
    return None


def _slice(stack: greenlet, *given: Any) -> Any:
    _Turn.working, _Turn.since = stack, perf_counter()
    try:
        return stack.switch(*given)
    finally:
        _Turn.working = None


def _drive(work: Coroutine[Any, Any, Any]) -> Any:
    """On the stack: hand out what ``work`` awaits, and hand in what came of it."""
    value, error = None, None
    while True:
        try:
            awaited = work.send(value) if error is None else work.throw(error)
        except StopIteration as end:
            return end.value
        value, error = getcurrent().parent.switch(awaited)
