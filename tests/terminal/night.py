"""Play nights on call by keys, in a real terminal of 80×24 on a service under load, and print what each step takes:

    python -m tests.terminal.night FOLDER [NIGHT …]

Needs tmux. Each night takes five minutes or so: diagnosis has to know what is usual first. FOLDER gets what stood on
the screen after each step, as text and as SVG. Nothing is mocked; a step that does not show what it should is an error.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from tests.screens.picture import portable
from tests.terminal.night_scene import SOCKET, Paths, Screen, Shop, well

QUIET = 130.0
"""Seconds of traffic before anything happens: two minutes are the least against which a rule is held."""
RATE = 120.0
PATHS: Paths = (
    (50, "POST", "/api/checkout"),
    (30, "GET", "/item/{n}"),
    (10, "GET", "/old/{n}"),
    (10, "GET", "/go/{n}"),
)

BEHIND = TerminalTheme((0x14, 0x17, 0x1C), (0xD5, 0xD9, 0xE0), [(0, 0, 0)] * 8)
"""What is behind the picture: the console's dark theme, which says all its other colours itself."""


class Step(NamedTuple):
    """What was done, with how many keys, and the seconds until the screen showed it."""

    what: str
    keys: int
    seconds: float


class Player:
    """Who is on call: presses keys, looks, and keeps what was seen."""

    def __init__(self, screen: Screen, folder: Path, name: str) -> None:
        self.screen = screen
        self.steps: list[Step] = []
        self._folder = folder
        self._name = name

    async def attach(self, *words: str) -> None:
        """One command, and what then stands there without a key."""
        await self.screen.type(f"rproxy-tui attach {SOCKET}")
        began = time.monotonic()
        await self.screen.press("Enter")
        await self.screen.shows("req/s")
        await self._over("attach (1 command)", 0, began)
        await self.screen.shows(*words)
        await self._over("what is wrong, on screen", 0, began)

    async def step(self, what: str, *presses: tuple[str, str]) -> None:
        """Keys, each once the words after the one before are there."""
        began = time.monotonic()
        for key, words in presses:
            await self.screen.press(key)
            await self.screen.shows(words)
        await self._over(what, len(presses), began)

    async def _over(self, what: str, keys: int, began: float) -> None:
        self.steps.append(Step(what, keys, time.monotonic() - began))
        await self.keep()

    async def keep(self) -> None:
        """Write down what stands on the screen now."""
        file = self._folder / f"{self._name}-{len(self.steps)}"
        file.with_suffix(".txt").write_text(await self.screen.text())
        file.with_suffix(".svg").write_text(picture(await self.screen.colours()))


def picture(colours: str) -> str:
    """What a terminal of 80 columns shows, as SVG."""
    console = Console(record=True, width=80, file=tempfile.TemporaryFile("w"), force_terminal=True)  # noqa: SIM115
    console.print(Text.from_ansi(colours), end="")
    return portable(console.export_svg(title="rproxy-tui attach", theme=BEHIND))


async def checkout(shop: Shop, player: Player) -> None:
    """A member fails 2 % of one path and slows; a colleague's rule sends old pages to the wrong place."""

    def ill(method: str, path: str) -> tuple[int, float]:
        status, seconds = well(method, path)
        return (500 if random.random() < 0.02 else status, 10 * seconds) if method == "POST" else (status, seconds)

    await shop.ctl("set", "rewrites.old-pages.substitution", "/new/$1")
    await asyncio.sleep(25)
    await shop.ctl("set", "site.timeout", "50")
    await asyncio.sleep(65)
    shop.moods["c"] = ill
    print(f"told after {await shop.told('shop/c: 5xx', 'POST /api/checkout', 'rule old-pages: 4xx'):.0f} s", flush=True)
    await player.attach("shop/c 5xx", "of it POST /api/checkout", "rule old-pages 4xx", "just after g2")
    await player.step("drain the member", ("D", "Drain shop/c?"), ("y", "applied as g4"))
    await player.step("what changed, and what it did", ("7", "generation 2 root"))
    await player.step("revert that one generation", ("R", "Take back what generation 2"), ("y", "applied as g5"))
    await player.step("write the note", ("!", "note written"))
    await asyncio.sleep(60)
    await player.step("a minute later", ("1", "requests/s"))
    print(await shop.ctl("status"), await shop.ctl("history"))


async def flapping(shop: Shop, player: Player) -> None:
    """A member answers 503 for six seconds of each twenty."""
    shop.moods["b"] = lambda method, path: (503, 0.001) if time.monotonic() % 20 < 6 else well(method, path)
    print(f"told after {await shop.told('shop/b: 5xx'):.0f} s", flush=True)
    await player.attach("shop/b 5xx", "D drain")
    await player.step("drain the member", ("D", "Drain shop/b?"), ("y", "applied as g2"))
    await shop.over()


async def deploy(shop: Shop, player: Player) -> None:
    """The new version on one member copes with 40 requests a second; a colleague gives it six times the weight."""
    times: deque[float] = deque(maxlen=40)

    def new_version(method: str, path: str) -> tuple[int, float]:
        now = time.monotonic()
        full = len(times) == 40 and now - times[0] < 1
        if not full:
            times.append(now)
        return (503, 0.001) if full else well(method, path)

    shop.moods["d"] = new_version
    await asyncio.sleep(10)
    await shop.ctl("weight", "shop/d", "6")
    print(f"told after {await shop.told('shop/d: 5xx', 'just after g2'):.0f} s", flush=True)
    await player.attach("shop/d 5xx", "R revert g2")
    await player.step("what changed, and what it did", ("7", "5xx 0"))
    await player.step("revert that one generation", ("R", "Take back what generation 2"), ("y", "applied as g3"))
    await shop.over()


async def map_gone(shop: Shop, player: Player) -> None:
    """The file of a map goes away; the rule that asks it takes its default."""
    links = shop.folder / "links.txt"
    kept = links.read_text()
    links.unlink()
    print(f"told after {await shop.told('rule short-links: 4xx'):.0f} s", flush=True)
    await player.attach("rule short-links 4xx", "map links: links.txt: no such file")
    await player.step("to the rule", ("Enter", "links:$1"))
    await player.step("to the map", ("6", "rules take their defaults"))
    links.write_text(kept)
    await player.step("the file is put back, and read", ("0", "● ok"))
    await shop.over()


async def flood(shop: Shop, player: Player) -> None:
    """One client asks 150 times a second."""
    flooding = asyncio.create_task(shop.send(150.0, ((1, "GET", "/item/{n}"),), "127.0.0.9"))
    await asyncio.sleep(60)
    await player.attach("requests/s")
    await player.step(
        "who it is",
        ("2", "following"), ("g", "by path"), ("g", "by route"), ("g", "by rule"), ("g", "by member"),
        ("g", "by status"), ("g", "by client"),
    )  # fmt: skip
    await player.step("only the requests of that client", ("Enter", "filter client=127.0.0.9"))
    await player.step("ban it for an hour", ("b", "Ban 127.0.0.9 for how long?"), ("Enter", "applied as g2"))
    await asyncio.sleep(10)
    await player.step("it is kept out", ("1", "limits reached: deny"))
    flooding.cancel()


NIGHTS: Mapping[str, Callable[[Shop, Player], Awaitable[None]]] = {
    "checkout": checkout, "flapping": flapping, "deploy": deploy, "map": map_gone, "flood": flood,
}  # fmt: skip


async def play(name: str, folder: Path) -> None:
    """One night from its quiet hours to its end."""
    with tempfile.TemporaryDirectory(prefix="night-") as home:
        shop = Shop(Path(home), RATE, PATHS)
        async with shop.opened(), Screen(shop) as screen:
            await asyncio.sleep(QUIET)
            player = Player(screen, folder, name)
            try:
                await NIGHTS[name](shop, player)
            finally:
                for step in player.steps:
                    print(f"| {name} | {step.what} | {step.keys} | {step.seconds:.1f} |", flush=True)


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[2:] or NIGHTS:
        asyncio.run(play(name, folder))


if __name__ == "__main__":
    main()
