"""The console beside the engine: the engine is touched in its own loop alone, and no picture holds that loop up."""

from __future__ import annotations

import asyncio
import dis
import threading
import time
from collections.abc import Callable
from typing import cast

import pytest
from textual.drivers.linux_driver import LinuxDriver

from proxy_core.control.view import EngineView, Generation, IncidentNote
from rproxy_tui.own_thread import across, beside
from tests.screens.fake import FakeEngine


class Watched:
    """An engine that notes in which thread each method of it ran."""

    def __init__(self) -> None:
        self.threads: dict[str, str] = {}

    def __getattr__(self, name: str) -> Callable[..., object]:
        def asked(*_: object) -> str:
            self.threads[name] = threading.current_thread().name
            return name

        async def awaited(*_: object) -> str:
            await asyncio.sleep(0)
            return asked()

        return awaited if asyncio.iscoroutinefunction(getattr(EngineView, name)) else asked


async def elsewhere(work: Callable[[], object]) -> object:
    """What a function gives in a loop and thread of its own."""

    async def run() -> object:
        made = work()
        return await made if asyncio.iscoroutine(made) else made

    return await beside(asyncio.new_event_loop(), run())


async def test_everything_that_a_console_asks_is_done_in_the_thread_of_the_engine() -> None:
    watched = Watched()
    view = across(cast(EngineView, watched), asyncio.get_running_loop())
    names = [name for name in vars(EngineView) if not name.startswith("_")]

    async def all_of_them() -> list[str]:
        answers = [getattr(view, name)() for name in names]
        return [await each if asyncio.iscoroutine(each) else each for each in answers]

    assert await elsewhere(all_of_them) == names
    assert watched.threads == dict.fromkeys(names, threading.current_thread().name)
    assert len(names) > 20


class Refusing(FakeEngine):
    def history(self) -> tuple[Generation, ...]:
        raise LookupError("no generation")

    async def note(self, since: float) -> IncidentNote:
        raise OSError("no room")


async def test_what_the_engine_raises_is_raised_in_the_console() -> None:
    view = across(Refusing(), asyncio.get_running_loop())
    with pytest.raises(LookupError, match="no generation"):
        await elsewhere(view.history)
    with pytest.raises(OSError, match="no room"):
        await elsewhere(lambda: view.note(60.0))


async def test_the_loop_of_the_engine_turns_while_the_console_works_out_a_picture() -> None:
    def paint() -> float:
        began = time.thread_time()
        while time.thread_time() < began + 0.03:
            pass
        return time.thread_time() - began

    painting, turns = asyncio.ensure_future(elsewhere(paint)), 0
    while not painting.done():
        await asyncio.sleep(0)
        turns += 1
    assert cast(float, painting.result()) >= 0.03
    assert turns > 3, "it waited for the whole picture"


def test_the_console_s_driver_sets_what_linux_driver_would_have_set() -> None:
    """It begins without the constructor of its base, which binds signals; a new attribute there is noticed here."""
    made = {each.argval for each in dis.get_instructions(LinuxDriver.__init__) if each.opname == "STORE_ATTR"}
    used = {"fileno", "input_tty", "attrs_before", "_in_band_window_resize", "_mouse_pixels"}
    of_its_threads = {"_file", "exit_event", "_key_thread", "_writer_thread", "_must_signal_resume"}
    assert made == used | of_its_threads
