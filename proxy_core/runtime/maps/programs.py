"""Map programs: one child that is asked a line at a time, as httpd's ``prg:`` maps.

The protocol is that of ``lookup_map_program`` in mod_rewrite.c: the key and a newline go to the program, one line
comes back, NULL (in any case) is a miss and an empty line an empty value; a key that holds a newline is not sent and
misses. One question is out at a time. Two things that httpd leaves to the author of the program are done here. A
program that does not answer in time, dies, or floods is killed with all that it started; the question that is out
misses. The next question starts it again, after a pause that grows while it goes on failing. And what it writes without
having been asked is thrown away, so that one line too many cannot give every later request the answer of the one
before. It runs in the site's folder, in a session of its own.
"""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import signal
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import cast

from msgspec import Struct

from proxy_core.runtime.maps.source import WAIT, Known, MapTally, Source, words

LONGEST = 65_536
"""Bytes of an answer at most, and of what a program may write unasked."""
MOST_WAITING = 1_000
"""Questions that may wait for a program; one more is a miss at once."""
PAUSES = (0.0, 0.1, 0.5, 2.0, 10.0)
"""Seconds before a program is started again: after its first failure in a row, its second, …"""
QUIET = 0.05
"""Seconds without a byte after which a program that wrote unasked is taken to have come to an end with it."""
GRACE = 3.0
"""Seconds between SIGTERM and SIGKILL when a program is to end."""
LINES_A_SECOND = 20
"""Lines of a program's standard error that are passed on; what is above is dropped."""


class Failed(Exception):
    """The program did not answer; the message says why."""


class ProgramQuestion(Struct, eq=False):
    key: str
    timeout: float
    answer: asyncio.Future[str | None]
    asked: bool = False


class MapProgram(Source):
    """Raises nothing once it is open: what goes wrong is in the tally."""

    def __init__(self, command: tuple[str, ...], folder: Path, tally: MapTally, said: Callable[[str], None]) -> None:
        self.command = command
        self._folder = folder
        self._tally = tally
        self._said = said
        self._child: Child | None = None
        self._killed: list[Child] = []
        self._waiting: deque[ProgramQuestion] = deque()
        self._asking: asyncio.Task[None] | None = None
        self._failures = 0
        self._rests_until = 0.0
        self._closed = False

    async def open(self) -> None:
        self._child = await self._start()

    def ask(self, key: str) -> Known:
        return (True, None) if "\n" in key else WAIT

    async def answer(self, key: str, timeout: float) -> str | None:
        if self._closed or "\n" in key:
            return None
        if len(self._waiting) >= MOST_WAITING:
            self._failed(f"more than {MOST_WAITING} questions wait for it")
            return None
        question = ProgramQuestion(key, timeout, asyncio.get_running_loop().create_future())
        self._waiting.append(question)
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask())
        try:
            async with asyncio.timeout(timeout):
                return await question.answer
        except TimeoutError:
            if not question.asked:
                self._failed(f"its turn did not come within {timeout:g} s")
            return None

    async def _ask(self) -> None:
        """Put the questions that wait, one after the other; those whose asker has gone are left out."""
        try:
            while self._waiting:
                question = self._waiting.popleft()
                if question.answer.done():
                    continue
                question.asked = True
                answer: str | None = None
                try:
                    answer = await self._put(question)
                finally:
                    if not question.answer.done():
                        question.answer.set_result(answer)
        finally:
            self._asking = None

    async def _put(self, question: ProgramQuestion) -> str | None:
        try:
            child = await self._running()
            async with asyncio.timeout(question.timeout):
                line = await child.put(question.key.encode("latin-1"))
        except TimeoutError:
            why = f"it did not answer within {question.timeout:g} s and was killed"
        except (Failed, OSError) as failure:
            why = words(failure)
        else:
            self._failures, self._tally.fault = 0, ""
            return None if line.upper() == b"NULL" else line.decode("latin-1")
        self._drop()
        self._failed(why)
        return None

    async def _running(self) -> Child:
        """The child, started if need be. Raises Failed and OSError."""
        if self._child is not None and self._child.ended:
            self._drop()
        if self._child is None:
            if time.monotonic() < self._rests_until:
                raise Failed(self._tally.fault)
            self._child = await self._start()
        return self._child

    async def _start(self) -> Child:
        program = _path(self.command, self._folder)
        loop = asyncio.get_running_loop()
        _, child = await loop.subprocess_exec(
            lambda: Child(self._said, self._failed), program, *self.command[1:], cwd=self._folder,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip
        return child

    def _drop(self) -> None:
        """Let go of a child that is of no use any more; a pause begins unless one is on already."""
        if self._child is not None:
            self._child.kill(signal.SIGKILL)
            self._killed = [child for child in self._killed if not child.gone] + [self._child]
            self._child = None
        if time.monotonic() >= self._rests_until:
            self._rests_until = time.monotonic() + PAUSES[min(self._failures, len(PAUSES) - 1)]
            self._failures += 1

    def _failed(self, why: str) -> None:
        self._tally.failed(why, time.time())

    async def close(self) -> None:
        self._closed = True
        while self._waiting:
            question = self._waiting.popleft()
            if not question.answer.done():
                question.answer.set_result(None)
        if self._asking is not None:
            self._asking.cancel()
            with suppress(asyncio.CancelledError):
                await self._asking
        if self._child is not None:
            await self._child.end()
        for child in self._killed:
            await child.end()


def _path(command: tuple[str, ...], folder: Path) -> str:
    """What is started: what lies in the site's folder, as every file that a site names; a name that is not there is
    looked for in PATH."""
    beside = folder / command[0]
    return str(beside) if "/" in command[0] or beside.is_file() else command[0]


def startable(command: tuple[str, ...], folder: Path) -> None:
    """Raises OSError where the program of a command is not there, or may not be started."""
    path = _path(command, folder)
    if shutil.which(path) is None:
        code = errno.EACCES if os.path.exists(path) else errno.ENOENT
        raise OSError(code, os.strerror(code))


class Child(asyncio.SubprocessProtocol):
    """The running program. ``ended`` says in words that it is of no use any more, "" while it is."""

    def __init__(self, said: Callable[[str], None], failed: Callable[[str], None]) -> None:
        self.ended = ""
        self._said = said
        self._failed = failed
        self._process: asyncio.SubprocessTransport | None = None
        self._reply: asyncio.Future[bytes] | None = None
        self._line = bytearray()
        self._unasked = 0
        self._sat_out = 0
        self._stderr = bytearray()
        self._second = (0, 0)
        self._gone = asyncio.Event()

    @property
    def gone(self) -> bool:
        """Whether the system has said that it is no more."""
        return self._gone.is_set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._process = cast(asyncio.SubprocessTransport, transport)  # uvloop's is none by inheritance

    async def put(self, key: bytes) -> bytes:
        """Ask for ``key``; the line that comes back, without its newline. Raises Failed."""
        assert self._process is not None
        pipe = cast(asyncio.WriteTransport | None, self._process.get_pipe_transport(0))
        await self._quiet()
        if pipe is None or self.ended:
            raise Failed(self.ended or "it closed its standard input")
        self._line.clear()
        self._reply = asyncio.get_running_loop().create_future()
        try:
            pipe.write(key + b"\n")
            return await self._reply
        finally:
            self._reply = None

    async def _quiet(self) -> None:
        """Sit out what it writes unasked, or the next question would take it for its answer. A flood ends it."""
        while self._sat_out < self._unasked and not self.ended:
            self._sat_out = self._unasked
            await asyncio.sleep(QUIET)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == 2:
            self._told(data)
            return
        if self._reply is None or self._reply.done():
            self._wrote_unasked(len(data))
            return
        self._line += data
        line, newline, rest = bytes(self._line).partition(b"\n")
        if len(line) > LONGEST:
            self._reply.set_exception(Failed(f"it answered with more than {LONGEST} bytes and was killed"))
        elif newline:
            self._reply.set_result(line)
            if rest:
                self._wrote_unasked(len(rest))

    def _wrote_unasked(self, count: int) -> None:
        if not self._unasked:
            self._failed("it writes more than one line for a question, or without one; that is thrown away")
        self._unasked += count
        if self._unasked > LONGEST:
            self.kill(signal.SIGKILL)

    def _told(self, data: bytes) -> None:
        """Pass standard error on, whole lines, not more than people can read."""
        self._stderr += data
        *lines, rest = self._stderr.split(b"\n")
        self._stderr = bytearray(rest[:LONGEST])
        for line in lines:
            second, count = self._second
            now = int(time.monotonic())
            self._second = (now, count + 1 if now == second else 1)
            if self._second[1] <= LINES_A_SECOND and line.strip():
                self._said(line.decode(errors="replace"))

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        if fd != 2:
            self._over("it ended, or closed its standard output" if fd == 1 else "it closed its standard input")

    def process_exited(self) -> None:
        code = self._process.get_returncode() if self._process is not None else None
        self._over(f"it ended with status {code}" if code is None or code >= 0 else f"signal {-code} ended it")
        self.kill(signal.SIGKILL)  # what it has started and left
        self._gone.set()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._process is not None:
            self._process.close()  # or asyncio's complains of it when it is collected

    def _over(self, why: str) -> None:
        if self.ended:
            return
        self.ended = why
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(Failed(why))
        else:
            self._failed(why)

    def kill(self, number: signal.Signals) -> None:
        """Send a signal to the program and all that it has started; nothing is asked of it any more."""
        self.ended = self.ended or "it was killed"
        if self._process is not None:
            with suppress(OSError):
                os.killpg(self._process.get_pid(), number)

    async def end(self) -> None:
        """End it: SIGTERM, and SIGKILL if that does not do."""
        if not self.gone:
            self.kill(signal.SIGTERM)
        try:
            async with asyncio.timeout(GRACE):
                await self._gone.wait()
        except TimeoutError:
            self.kill(signal.SIGKILL)
            with suppress(TimeoutError):
                async with asyncio.timeout(GRACE):
                    await self._gone.wait()
        if self._process is not None:
            self._process.close()
