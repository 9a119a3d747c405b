"""What a night is played with: a shop's members and its traffic, the service, and a console in a real terminal.

Members and clients are coroutines of this process, the service is ``rproxy`` as it is installed, and the console runs
in a shell under tmux, on a socket of tmux's own: keys go in as keys, and what is read is what stands on the screen.
All of it lives in one folder, and all that was started is stopped by the one who started it.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

BIN = Path(sys.executable).parent
SOCKET = "shop.sock"
Behaviour = Callable[[str, str], tuple[int, float]]
"""Status and seconds of the answer to a method and a path."""
Paths = Sequence[tuple[float, str, str]]
"""Parts of the traffic: how many of a hundred requests, method, and path; ``{n}`` is a number that varies."""
SITE = """\
version = 1

[listeners.http]
address = "127.0.0.1:0"

[maps.links]
type = "txt"
file = "links.txt"

[[rewrites]]
id = "old-pages"
pattern = '^/old/(.*)$'
substitution = '/pages/$1'
flags = ["passthrough"]

[[rewrites]]
id = "short-links"
pattern = '^/go/(.*)$'
substitution = '/pages/${links:$1|missing}'
flags = ["passthrough"]

[[routes]]
id = "shop"
path = "/"
proxy = "balancer://shop/"

[balancers.shop]
method = "byrequests"
"""
MEMBER = """
[balancers.shop.members.{name}]
url = "http://127.0.0.1:{port}"
"""
TMUX = """\
set -g default-terminal tmux-256color
set -g status off
set -s escape-time 0
set -ga terminal-overrides ",*:Tc"
"""
BOUND = 20.0
"""Seconds that a picture may take to come."""


def well(method: str, path: str) -> tuple[int, float]:
    """What a healthy member answers."""
    if path.startswith("/new/") or path == "/pages/missing":
        return 404, 0.003
    return 200, random.lognormvariate(-4.2 if method == "POST" else -4.8, 0.4)


class Shop:
    """Four members, the service in front of them, and clients. ``moods`` says how each member behaves now."""

    def __init__(self, folder: Path, rate: float, paths: Paths) -> None:
        self.folder = folder
        self.rate = rate
        self.paths = paths
        self.moods: dict[str, Behaviour] = dict.fromkeys("abcd", well)
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("TMUX")},
            **{f"XDG_{each}_HOME": str(folder / each.lower()) for each in ("STATE", "CONFIG", "CACHE", "DATA")},
            "XDG_RUNTIME_DIR": str(folder / "runtime"),
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "COLORTERM": "truecolor",
            "PS1": "$ ",
        }
        self.port = 0

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Members, service and traffic for as long as it takes."""
        (self.folder / "state" / "rproxy").mkdir(parents=True)
        (self.folder / "state" / "rproxy" / "console-seen").touch()  # whoever is on call has seen the first run's card
        (self.folder / "links.txt").write_text("".join(f"{n} item-{n}\n" for n in range(50)))
        members = {name: await asyncio.start_server(self._serve(name), "127.0.0.1", 0) for name in self.moods}
        rows = (MEMBER.format(name=name, port=each.sockets[0].getsockname()[1]) for name, each in members.items())
        (self.folder / "shop.toml").write_text(SITE + "".join(rows))
        with (self.folder / "rproxy.log").open("w") as log:
            service = await asyncio.create_subprocess_exec(
                "rproxy", "shop.toml", "--control", SOCKET,
                cwd=self.folder, env=self.environment, stdout=asyncio.subprocess.PIPE, stderr=log,
            )  # fmt: skip
        assert service.stdout is not None
        try:
            ready = await asyncio.wait_for(service.stdout.readline(), BOUND)
            found = re.search(rb":(\d+)", ready)
            assert found, ready
            self.port = int(found[1])
            traffic = asyncio.create_task(self.send(self.rate, self.paths))
            yield
            traffic.cancel()
        finally:
            service.terminate()
            await service.wait()
            for server in members.values():
                server.close()

    def _serve(self, name: str) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                while head := await reader.readuntil(b"\r\n\r\n"):
                    method, path, _ = head.decode("latin-1").split(" ", 2)
                    status, seconds = self.moods[name](method, path)
                    await asyncio.sleep(seconds)
                    writer.write(b"HTTP/1.1 %d said\r\nContent-Length: 5\r\n\r\nshop\n" % status)
            except (OSError, asyncio.IncompleteReadError):
                pass
            finally:
                writer.close()

        return serve

    async def send(self, rate: float, paths: Paths, client: str = "127.0.0.1") -> None:
        """So many requests a second from one address, by chance, each when it is due however long others take."""
        idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        weights = [part for part, _, _ in paths]
        asked: set[asyncio.Task[None]] = set()

        async def ask(method: str, path: str) -> None:
            try:
                if idle:
                    reader, writer = idle.pop()
                else:
                    reader, writer = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(client, 0))
                writer.write(f"{method} {path} HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 0\r\n\r\n".encode())
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"(?i)content-length: (\d+)", head)
                await reader.readexactly(int(length[1]) if length else 0)
                if b"close" in head.lower():
                    writer.close()
                else:
                    idle.append((reader, writer))
            except (OSError, asyncio.IncompleteReadError):
                pass

        due = time.monotonic()
        try:
            while True:
                due += random.expovariate(rate)
                await asyncio.sleep(due - time.monotonic())
                _, method, path = random.choices(paths, weights)[0]
                task = asyncio.create_task(ask(method, path.replace("{n}", str(random.randrange(50)))))
                asked.add(task)
                task.add_done_callback(asked.discard)
        finally:
            for _, writer in idle:
                writer.close()

    async def ctl(self, *words: str) -> str:
        """What ``rproxy ctl`` prints, asked by somebody else than who has the console."""
        return await run("rproxy", "ctl", "-s", str(self.folder / SOCKET), *words, environment=self.environment)

    async def told(self, *words: str, seconds: float = 120.0) -> float:
        """Wait until ``rproxy ctl status`` says these words; the seconds that it took."""
        began = time.monotonic()
        while True:
            said = await self.ctl("status")
            if all(word in said for word in words):
                return time.monotonic() - began
            assert time.monotonic() - began < seconds, f"not told within {seconds} s: {words}; {said}"
            await asyncio.sleep(2)

    async def over(self) -> None:
        """Wait until nothing is told to be wrong any more."""
        began = time.monotonic()
        while "since" in await self.ctl("status"):
            assert time.monotonic() - began < 180, "not over within three minutes"
            await asyncio.sleep(2)
        print(f"over after {time.monotonic() - began:.0f} s", flush=True)


class Screen:
    """A terminal of 80 columns and 24 rows with a shell in it."""

    def __init__(self, shop: Shop, size: tuple[int, int] = (80, 24)) -> None:
        self._shop = shop
        self._size = size
        self._tmux = ("tmux", "-S", str(shop.folder / "tmux"))

    async def __aenter__(self) -> Screen:
        (self._shop.folder / "tmux.conf").write_text(TMUX)
        width, height = map(str, self._size)
        await self._ask(
            "-f", str(self._shop.folder / "tmux.conf"), "new-session", "-d", "-x", width, "-y", height,
            "-c", str(self._shop.folder), "sh",
        )  # fmt: skip
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._ask("kill-server")

    async def _ask(self, *words: str) -> str:
        return await run(*self._tmux, *words, environment=self._shop.environment)

    async def press(self, key: str) -> None:
        """A character, or a key by tmux's name: Enter, Escape, Down."""
        await self._ask("send-keys", *(("-l",) if len(key) == 1 else ()), key)

    async def type(self, line: str) -> None:
        await self._ask("send-keys", "-l", line)

    async def text(self) -> str:
        return await self._ask("capture-pane", "-p")

    async def colours(self) -> str:
        """What stands there with its escape sequences."""
        return await self._ask("capture-pane", "-p", "-e", "-N")

    async def shows(self, *words: str, seconds: float = BOUND) -> None:
        """Wait until all of these stand on the screen, wherever lines are broken."""
        end = time.monotonic() + seconds
        while True:
            picture = await self.text()
            if all(word in " ".join(picture.split()) for word in words):
                return
            assert time.monotonic() < end, f"not within {seconds} s: {words}\n{picture}"
            await asyncio.sleep(0.05)


async def run(*words: str, environment: dict[str, str]) -> str:
    """What a command prints; that it failed is an error."""
    process = await asyncio.create_subprocess_exec(
        *words, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said = (await process.communicate())[0].decode()
    assert not process.returncode, f"{words}: {said}"
    return said
