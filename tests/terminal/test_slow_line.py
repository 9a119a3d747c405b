"""An evening at the far end of a bad line: a console in a terminal, a service under load, and 200 ms and 64 kbit/s
between them. Kept out of the suite; it prints what it measures.

What needs no line must not wait for one: pages, help, palette, problems and questions are there at once. Figures keep
coming, the log goes on, and what is asked of the service takes as long as the line does, once.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from tests.control.door.harness import open_door
from tests.control.door.remote import Relay, until
from tests.control.door.test_remote_view import SLOW, loaded, port
from tests.control.harness import member, site_with
from tests.terminal.terminal import Terminal
from tests.terminal.test_terminal import ATTACH

FIGURES = 15.0
"""Seconds for which the figures of a page are watched."""
UNCOVERED = "38;5;246;48;5;16mRestore"
"""A key of page 7 in the colour that it has while nothing lies over the page: under a dialog it is dimmed. A key
that is pressed behind an Escape too early makes one key with it."""
AT_ONCE = (
    ("2", "following"), ("3", "Except a path"), ("4", "byrequests"), ("5", "No rule yet"), ("6", "No map yet"),
    ("7", "in force"), ("?", "Keys of this page"), ("\x1b", UNCOVERED), (":", "Search for commands"),
    ("\x1b", UNCOVERED), ("p", "Nothing is wrong"), ("\x1b", UNCOVERED), ("1", "peak"), ("4", "byrequests"),
)  # fmt: skip
"""Keys whose answers are here already, and words that they bring."""
ASKED = (
    ("D", "Drain b/m0?"), ("y", "applied as g2"), ("7", "drain b/m0"), ("R", "Take back what generation 2"),
    ("y", "applied as g3"), ("2", "following"), ("k", "paused"), ("w", "verdict"), ("\x1b", "paused"),
    ("\r", "user agent"),
)  # fmt: skip
"""Keys that the service has to be asked about."""


async def pressed(terminal: Terminal, key: str, words: str, seconds: float) -> float:
    """Seconds until the words are on the terminal."""
    terminal.forget()
    began = time.monotonic()
    terminal.press(key)
    await until(lambda: words in terminal.output, f"{words!r} after {key!r}: {terminal.output[-2000:]!r}", seconds)
    return time.monotonic() - began


async def pictures(terminal: Terminal, seconds: float) -> float:
    """How often a second something new is painted while nobody presses a key."""
    end, count, seen = time.monotonic() + seconds, 0, len(terminal.output)
    while time.monotonic() < end:
        await asyncio.sleep(0.1)
        count, seen = count + (len(terminal.output) > seen), len(terminal.output)
    return count / seconds


@pytest.mark.soak
async def test_keys_are_answered_at_once_and_figures_come_over_a_line_of_200_ms_and_64_kbit(tmp_path: Path) -> None:
    async with (
        member() as upstream,
        open_door(tmp_path, site_with(upstream, upstream, upstream, upstream)) as there,
        Relay(tmp_path / "relay.sock", there.path, **SLOW) as relay,
    ):
        enough = asyncio.Event()
        load = asyncio.create_task(loaded(port(there), enough))
        began = time.monotonic()
        terminal = await asyncio.to_thread(Terminal, relay.path, program=ATTACH)
        try:
            await until(lambda: "ms line" in terminal.output, "attached", 40)
            opened = time.monotonic() - began
            at_once = {f"{n} {key!r}": await pressed(terminal, key, words, 8) for n, (key, words) in enumerate(AT_ONCE)}
            asked = {f"{n} {key!r}": await pressed(terminal, key, words, 20) for n, (key, words) in enumerate(ASKED)}
            terminal.press("\x1b1")
            await asyncio.sleep(2)
            carried = relay.carried
            on_dashboard = await pictures(terminal, FIGURES)
            carried = relay.carried - carried
            terminal.press("q")
            await until(lambda: "detached" in terminal.output, "detached", 10)
        finally:
            enough.set()
            await load
            await asyncio.to_thread(terminal.kill)
    quick, slow = sorted(at_once.values()), sorted(asked.values())
    print(f"\nopened in {opened:.1f} s; at once: median {quick[len(quick) // 2]:.2f} s, worst {quick[-1]:.2f};")
    print(f"asked: median {slow[len(slow) // 2]:.2f} s, worst {slow[-1]:.2f}; {on_dashboard:.1f} pictures a second;")
    print(f"{carried / FIGURES:.0f} bytes a second both ways")
    print("  ".join(f"{key} {took:.2f}" for key, took in {**at_once, **asked}.items()))
    assert quick[len(quick) // 2] < 0.4
    assert quick[-1] < 1.5
    assert slow[-1] < 6
    assert on_dashboard >= 1.5
