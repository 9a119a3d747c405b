"""What all tests of screens share: style sheets that are parsed once, and a pilot that waits no longer than it has to.

An app of one process parses its sheets once and nobody notices; here there are hundreds of apps, and parsing was a
third of their time. What is kept is keyed by all that a parse depends on, the theme's variables among it.

After each key Textual's pilot waits, several times, until the process used next to no processor time for 20 ms. Here
the loop is asked instead: it is idle when nothing is ready to run and nothing waits to be painted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import textual.app
import textual.pilot
from textual._context import active_app
from textual.app import App
from textual.css.stylesheet import Stylesheet

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


@pytest.fixture(autouse=True, scope="session")
def idle_by_the_loop() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module in (textual.app, textual.pilot):
            patch.setattr(module, "wait_for_idle", until_idle)
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
