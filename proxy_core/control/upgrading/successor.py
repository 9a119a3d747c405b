"""The old process's side of an upgrade: start the program as it is on disk now, and leave to it what there is.

The two speak in lines of JSON over a pair of sockets: the new process asks for the state and says that it is ready, or
why it is not; the old one answers with the state, says when it has let go, and at its end what it counted meanwhile.
Until the new one is ready nothing has been given away: the sockets are its too, and whoever dies leaves the other
serving. The program is started through a small Python that makes it nobody's child here, so that a service manager
becomes its parent, and that puts the descriptors where sd_listen_fds(3) has them; its code is in this process, so no
file that is replaced just now is needed for it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec import DecodeError, Struct, json

from proxy_core.control.upgrading.handed_state import State, gained, opened, sealed
from proxy_core.control.upgrading.handing_over import HandingOver, NotUpgraded
from proxy_core.control.upgrading.listen_fds import CHANNEL, CONTROL, LOCK

READY_WITHIN: Final = 60.0
"""Seconds that the new process may take until it serves."""
INITS: Final = ("catatonit", "docker-init", "dumb-init", "tini")
"""Process 1 of containers whose end comes with that of the process they started."""
LONGEST: Final = 1 << 28
"""Bytes of a line."""

LAUNCHER: Final = """
import fcntl, json, os, sys
given = json.loads(sys.argv[1])
if os.fork():
    os._exit(0)
channel = given["channel"]
try:
    high = [fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, 3 + len(given["fds"])) for each in given["fds"]]
    for place, each in enumerate(high):
        os.dup2(each, 3 + place)
    channel = 3 + given["fds"].index(channel)
    os.environ.update(given["environment"], LISTEN_PID=str(os.getpid()), WATCHDOG_PID=str(os.getpid()))
    os.write(channel, json.dumps({"pid": os.getpid()}).encode() + b"\\n")
    os.execv(given["command"][0], given["command"])
except OSError as error:
    os.write(channel, json.dumps({"failed": f"{given['command'][0]}: {error.strerror}"}).encode() + b"\\n")
    os._exit(1)
"""


class Word(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line between the two."""

    pid: int = 0
    """The new process is this one."""
    asks: bool = False
    """The new process asks for the state."""
    ready: bool = False
    """The new process serves."""
    failed: str = ""
    """The new process cannot serve, and why."""
    yours: bool = False
    """The old process has let go."""
    counted: State | None = None
    """What the old process counted since it sent its state."""


class Successor:
    """A process that takes over, or is about to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.pid = 0
        self._reader, self._writer = reader, writer
        self._before = State()

    async def until_ready(self, handing_over: HandingOver, control: str) -> None:
        """Answer what it asks until it serves. Raises NotUpgraded with what it says of itself."""
        while True:
            word = await self._word()
            if word.failed:
                raise NotUpgraded(f"the new program cannot serve: {word.failed}")
            if word.ready:
                return
            if word.asks:
                line = sealed(handing_over.state(), control)
                self._before = opened(line)[1] or State()
                self._writer.write(line)
                await self._writer.drain()
            self.pid = word.pid or self.pid

    async def _word(self) -> Word:
        try:
            line = await self._reader.readline()
            if line.endswith(b"\n"):
                return json.decode(line, type=Word)
        except (OSError, ValueError, DecodeError) as error:
            raise NotUpgraded(f"what the new program says is not understood: {error}") from None
        raise NotUpgraded("the new program ended before it served; what it said of it is on standard error")

    def let_go(self) -> None:
        """It is the service from now on."""
        self._send(Word(yours=True))

    async def leave(self, state: State) -> None:
        """This process ends: hand over what it counted meanwhile."""
        self._send(Word(counted=gained(self._before, state)))
        with suppress(OSError):
            self._writer.close()
            await self._writer.wait_closed()

    def end(self) -> None:
        """There is no upgrade: end it. Its end of the line is open, so its number is still its own."""
        self._writer.close()
        if self.pid and not self._reader.at_eof():
            with suppress(OSError):
                os.kill(self.pid, signal.SIGKILL)

    def _send(self, word: Word) -> None:
        self._writer.write(json.encode(word) + b"\n")


def program() -> list[str]:
    """This program with its arguments, as it is on disk now."""
    return [sys.executable, *sys.orig_argv[1:]]


async def started(
    command: Sequence[str],
    named: Sequence[tuple[str, socket.socket]],
    lock: int | None,
    environment: Mapping[str, str],
) -> Successor:
    """Start the program with these sockets and the lock. Raises NotUpgraded."""
    ours, theirs = socket.socketpair()
    with theirs:
        pairs = [(name, each.fileno()) for name, each in named]
        pairs += [(CHANNEL, theirs.fileno()), *([(LOCK, lock)] if lock is not None else [])]
        passed = [number for _, number in pairs]
        names = ":".join(name for name, _ in pairs)
        given = {
            "fds": passed,
            "channel": theirs.fileno(),
            "environment": {**environment, "LISTEN_FDS": str(len(pairs)), "LISTEN_FDNAMES": names},
            "command": [*command],
        }
        launcher = [sys.executable, "-I", "-S", "-c", LAUNCHER, json.encode(given).decode()]
        try:
            await asyncio.to_thread(lambda: subprocess.run(launcher, pass_fds=passed, check=True))
        except BaseException as error:
            ours.close()
            if isinstance(error, OSError | subprocess.SubprocessError):
                raise NotUpgraded(f"the new program cannot be started: {error}") from None
            raise
    ours.setblocking(False)
    return Successor(*await asyncio.open_connection(sock=ours, limit=LONGEST))


def _first_process() -> str:
    """The name of process 1, where it can be read."""
    try:
        return Path("/proc/1/comm").read_text().strip()
    except OSError:
        return ""


async def upgraded(
    handing_over: HandingOver, control: tuple[socket.socket, str] | None, environment: Mapping[str, str]
) -> Successor:
    """Have the program that is on disk take over, until it serves. Raises NotUpgraded where it does not; nothing has
    changed then."""
    if os.getpid() == 1 or _first_process() in INITS:
        todo = "start a container of the new image beside it, then stop this one: what is in flight may finish"
        raise NotUpgraded(f"this container ends with this process: {todo}")
    successor: Successor | None = None
    try:
        await handing_over.lend()
        named = [*handing_over.sockets(), *([(CONTROL, control[0])] if control is not None else [])]
        successor = await started(program(), named, handing_over.pen.descriptor, environment)
        async with asyncio.timeout(READY_WITHIN):
            await successor.until_ready(handing_over, control[1] if control is not None else "")
    except BaseException as error:
        if successor is not None:
            successor.end()
        handing_over.take_back()
        if isinstance(error, TimeoutError):
            raise NotUpgraded(f"the new program did not serve within {READY_WITHIN:g} s, and was ended") from None
        raise
    return successor
