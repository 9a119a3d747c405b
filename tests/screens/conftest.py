"""What all tests of screens share: style sheets that are parsed once, and a pilot that waits no longer than it has to.

An app of one process parses its sheets once and nobody notices; here there are hundreds of apps, and parsing was a
third of their time. What is kept is keyed by all that a parse depends on, the theme's variables among it.

After each key Textual's pilot waits, several times, until the process used next to no processor time for 20 ms. Here
the loop is asked instead: it is idle when nothing is ready to run and nothing waits to be painted.

A picture that no terminal takes is not drawn: what is on the screen is drawn when a test asks for its text.

The keys of one ``press`` come as one write, as from a terminal: their bytes go through the console's own reader of
keys, which hands them out as the driver does. So every test with several keys in a row is one of keys in a burst.
"""

from __future__ import annotations

import asyncio
import string
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
import textual.app
import textual.pilot
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual._compositor import Compositor
from textual._context import active_app
from textual.app import App
from textual.css.stylesheet import Stylesheet
from textual.keys import _character_to_key

from rproxy_tui.key_stream import KeyStream
from rproxy_tui.settling import hand_out

TURNS = 3
"""Turns of the loop without anything else to do, after which it is idle: a future's result takes two to arrive."""
ENDLESS = 100_000
"""Turns after which the console never comes to rest. Counted, for a clock says little about a busy machine."""


async def until_idle(min_sleep: float = 0.0, max_sleep: float = 1.0) -> None:
    """In the place of ``textual._wait.wait_for_idle``; it never gives up early, however slow the machine is."""
    loop, app, quiet = asyncio.get_running_loop(), active_app.get(), 0
    for _ in range(ENDLESS):
        await asyncio.sleep(
            0.005 if app._batch_count and app.is_running else 0
        )  # a change of pages hides what is between
        quiet = 0 if loop._ready or _painted(app) else quiet + 1  # type: ignore[attr-defined]
        if quiet == TURNS:
            return
    raise AssertionError("the console never comes to rest")


def _painted(app: App[object]) -> bool:
    """Whether something was still to be painted. The screen's clock, of sixty pictures a second, is not waited for."""
    if not app.is_running or not app.screen_stack:
        return False
    if app._batch_count:
        return True
    if waiting := app.screen._update_timer._active.is_set():
        app.screen._on_timer_update()
    return waiting


SEQUENCES = {
    keys[0].value: sequence
    for sequence, keys in reversed(ANSI_SEQUENCES_KEYS.items())
    if isinstance(keys, tuple) and len(keys) == 1
} | {_character_to_key(character): character for character in string.punctuation + string.ascii_uppercase}
"""What a terminal sends for a key, by Textual's name of it: the first spelling that Textual lists."""


async def in_one_write(app: App[object], keys: Iterable[str]) -> None:
    """In the place of ``App._press_keys``."""
    stream = KeyStream()
    typed = [*stream.feed("".join(SEQUENCES.get(key, key) for key in keys)), *stream.time_out()]
    for message in typed:
        message.set_sender(app)
    await hand_out(app, deque(typed), app.post_message)
    await until_idle()


@pytest.fixture(autouse=True, scope="session")
def idle_by_the_loop() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module in (textual.app, textual.pilot):
            patch.setattr(module, "wait_for_idle", until_idle)
        patch.setattr(App, "_press_keys", in_one_write)
        yield


def undrawn(self: Compositor, **_: Any) -> None:
    """In the place of ``Compositor.render_update``, whose picture Textual's headless driver throws away."""
    self._dirty_regions.clear()


@pytest.fixture(autouse=True, scope="session")
def drawn_when_asked_for() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Compositor, "render_update", undrawn)
        yield


@pytest.fixture(autouse=True, scope="session")
def parsed_once() -> Iterator[None]:
    parse, known = Stylesheet._parse_rules, {}

    def remembered(self: Stylesheet, *given: Any, **named: Any) -> Any:
        key = (given, tuple(sorted(named.items())), tuple(sorted(self._variables.items())))
        if key not in known:
            known[key] = parse(self, *given, **named)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stylesheet, "_parse_rules", remembered)
        yield
