"""When a key has been worked off: the next one is handed out only then.

Textual hands every key to the widget that has the focus at that moment, and works it off later, in the queues of the
widget, its parents, the screen and the app. Keys that come in one read would all go where the first of them went, or
overtake it. Here a mark is sent after a key, through the same queues in the same order; when it has come through, and
the screen and the focus stay what they are, the key has done what it does.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from textual import events
from textual.app import App
from textual.message import Message
from textual.message_pump import MessagePump
from textual.screen import Screen

LONGEST = 1.0
"""Seconds after which the next key is handed out in any case: something waits for more than a key."""
LOOK = 0.02
"""Seconds after which a mark is given up whose widget has gone meanwhile."""
APPLY = "apply"
"""Name of the workers that may close their dialog: keys wait for them."""
_ROUNDS, _TURNS = 8, 4


async def hand_out(app: App[Any], typed: deque[Message], hand: Callable[[Message], object]) -> None:
    """Hand out what was typed in its order, until nothing is left of it."""
    while typed:
        message, way = typed.popleft(), way_of_a_key(app)
        hand(message)
        if isinstance(message, events.Key | events.Paste):
            await settled(app, way)


def way_of_a_key(app: App[Any]) -> list[MessagePump]:
    """The queues that the next key goes through, in order."""
    if not app.is_running or not app.screen_stack:
        return []
    target = app.focused or app.screen
    return [app, *target.ancestors_with_self, app]


def left(dialog: Screen[Any]) -> bool:
    """Whether the person has left a dialog, or the console, while the engine was asked."""
    return not dialog.app.is_running or dialog not in dialog.app.screen_stack


async def settled(app: App[Any], way: list[MessagePump]) -> None:
    """Wait until a key has been worked off; ``way`` are the queues from before it was handed out."""
    try:
        async with asyncio.timeout(LONGEST):
            for pump in way:
                await _passed(pump)
            before: object = None
            for _ in range(_ROUNDS):
                for _ in range(_TURNS):  # a worker that the key has started comes to its first wait
                    await asyncio.sleep(0)
                await _applied(app)
                for pump in way_of_a_key(app)[::-1]:
                    await _passed(pump)
                now = (app.screen, app.focused) if app.is_running and app.screen_stack else None
                if now is None or now == before:
                    return
                before = now
    except TimeoutError:
        return


async def _passed(pump: MessagePump) -> None:
    """Wait until a queue has worked off what is in it now."""
    mark = asyncio.Event()
    if not pump.call_later(mark.set):
        return
    while not mark.is_set() and pump.is_running:
        try:
            await asyncio.wait_for(mark.wait(), LOOK)
        except TimeoutError:
            continue


async def _applied(app: App[Any]) -> None:
    """Wait for what a dialog has begun before it closes, but not while that asks something itself."""
    while _applies(app):  # noqa: ASYNC110 - has no event
        await asyncio.sleep(LOOK / 4)


def _applies(app: App[Any]) -> bool:
    top = app.screen_stack[-1] if app.is_running and app.screen_stack else None
    return any(each.name == APPLY and each.node is top and not each.is_finished for each in app.workers)
