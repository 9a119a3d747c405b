"""The control socket of another machine, brought here by ssh: what an attached console takes for the one at home.

One ssh runs as a child (ssh(1), ControlMaster), asks for what it must on the terminal before the console begins, and
ends with it. Which sockets there are is asked through it, by a line that every shell understands, so nothing of ours
has to be installed over there; then it forwards one of them (StreamLocal). When the line breaks ssh is started again,
without questions. It decides who may: whoever the other machine takes one for is who asks at the door there.
"""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from proxy_core.control.door.async_client import ended

AGAIN = 3.0
"""Seconds after which a line that broke is tried again."""
LOOK = 0.05
ANSWER = 30.0
"""Seconds that the other machine may take to answer over a line that stands."""
LISTING = (
    'for s in /run/rproxy/*.sock "${XDG_RUNTIME_DIR:-/run/user/$(id -u)}"/rproxy/*.sock '
    '"${XDG_STATE_HOME:-$HOME/.local/state}"/rproxy/*/*.sock; do if [ -S "$s" ]; then echo "$s"; fi; done'
)
"""What the other machine is asked: the places that ``socket_path`` knows."""
OPTIONS = (
    "-C", "-N", "-T", "-o", "ControlMaster=yes", "-o", "ControlPersist=no", "-o", "ServerAliveInterval=5",
    "-o", "ServerAliveCountMax=3", "-o", "ConnectTimeout=15", "-o", "EscapeChar=none",
)  # fmt: skip


class NoTunnel(Exception):
    """There is no way to the service; the words say why."""


class Far(NamedTuple):
    """Where a service is: the machine as ssh takes it, and the name or the path of the socket, "" for the one."""

    machine: str
    name: str


def far(said: str) -> Far:
    """``ssh://user@host:port/NAME``; with two slashes before it NAME is a path. Raises NoTunnel."""
    try:
        parts = urlsplit(said)
        port = parts.port
    except ValueError as error:
        raise NoTunnel(f"{said}: {error}") from None
    if not parts.hostname or parts.hostname.startswith("-") or (parts.username or "").startswith("-"):
        raise NoTunnel(f"{said} names no machine: give ssh://user@host, or ssh://user@host/NAME")
    user = f"{parts.username}@" if parts.username else ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return Far(f"ssh://{user}{host}{f':{port}' if port else ''}", unquote(parts.path).removeprefix("/"))


def chosen(sockets: list[str], name: str) -> str:
    """The socket that is meant. Raises NoTunnel."""
    found = [each for each in sockets if name in ("", Path(each).name, Path(each).stem)]
    if len(found) == 1:
        return found[0]
    listed = "".join(f"\n  {each}" for each in found or sockets)
    if not found:
        what = f"no service is called {name} there" if name else "no service runs there whose socket may be asked"
        raise NoTunnel(f"{what}{'; there are:' if listed else ''}{listed}")
    raise NoTunnel(f"several services run there: name one (ssh://HOST/NAME){listed}")


class SshTunnel:
    """A socket here, at ``path``, that leads to the one of ``where``."""

    def __init__(self, where: Far) -> None:
        self._where = where
        self._folder = tempfile.TemporaryDirectory(prefix="rproxy-")  # only its owner may enter it
        self._master: asyncio.subprocess.Process | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._remote = ""
        self.path = self._in("door.sock")

    def _in(self, name: str) -> Path:
        return Path(self._folder.name) / name

    async def open(self) -> None:
        """Bring the socket here; ssh may ask on the terminal. Raises NoTunnel."""
        await self._connect()
        name = self._where.name
        self._remote = name if name.startswith("/") else chosen((await self._over(LISTING)).splitlines(), name)
        await self._forward()
        self._keeping = asyncio.create_task(self._keep())

    async def close(self) -> None:
        if self._keeping is not None:
            await ended(self._keeping)
        await self._end()
        self._folder.cleanup()

    async def _connect(self, *more: str) -> None:
        log, control = self._in("log"), self._in("master")
        control.unlink(missing_ok=True)
        command = ("ssh", *OPTIONS, *more, "-E", str(log), "-S", str(control), "--", self._where.machine)
        try:
            self._master = await asyncio.create_subprocess_exec(*command, stdin=subprocess.DEVNULL)
        except OSError as error:
            raise NoTunnel(f"ssh cannot be started: {error.strerror}") from None
        while not control.exists():
            if self._master.returncode is not None:
                raise NoTunnel(self._said(log.read_text(errors="replace") if log.exists() else ""))
            await asyncio.sleep(LOOK)

    async def _forward(self) -> None:
        self.path.unlink(missing_ok=True)
        await self._run("-O", "forward", "-L", f"{self.path}:{self._remote}", self._where.machine)

    async def _over(self, line: str) -> str:
        return await self._run("-T", "--", self._where.machine, line)

    async def _run(self, *arguments: str) -> str:
        command = ("ssh", "-S", str(self._in("master")), *arguments)
        running = await asyncio.create_subprocess_exec(
            *command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        try:
            async with asyncio.timeout(ANSWER):
                answer, trouble = await running.communicate()
        except TimeoutError:
            raise NoTunnel(f"{self._where.machine} does not answer") from None
        finally:
            if running.returncode is None:
                running.kill()
        if running.returncode:
            raise NoTunnel(self._said(trouble.decode(errors="replace")))
        return answer.decode(errors="replace")

    def _said(self, words: str) -> str:
        return f"ssh to {self._where.machine} failed: {words.strip() or 'it says nothing'}"

    async def _keep(self) -> None:
        """Start ssh again when it has ended; nobody can be asked for a password then."""
        while True:
            assert self._master is not None
            await self._master.wait()
            await asyncio.sleep(AGAIN)
            try:
                await self._connect("-o", "BatchMode=yes")
                await self._forward()
            except NoTunnel:  # an ssh that forwards nothing is of no use
                await self._end()

    async def _end(self) -> None:
        if self._master is not None and self._master.returncode is None:
            self._master.terminate()
            await self._master.wait()
