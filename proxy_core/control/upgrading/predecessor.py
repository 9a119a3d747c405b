"""The new process's side of an upgrade: ask the old one for what it knows, and say when it may let go.

Where the old one is silent or speaks another version, this one begins cold, and says so; where it ends after that, this
one serves. Only one that calls it off at once is obeyed. What this one cannot do it says to the old one, which then
serves on.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, MutableMapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec import DecodeError, json

from proxy_core.control.upgrading.handed_state import Inheritance, State, opened, restored
from proxy_core.control.upgrading.handing_over import HandingOver
from proxy_core.control.upgrading.listen_fds import given
from proxy_core.control.upgrading.successor import LONGEST, Word
from proxy_core.errors import Problem
from proxy_core.serve.listening_sockets import InheritedSockets

ANSWERS_WITHIN: Final = 20.0
"""Seconds after which an old process that says nothing is not waited for any more."""


class CalledOff(Exception):
    """The old process serves on, or has ended, before this one knew anything: it must not serve beside it."""


class Predecessor:
    """The process that this one takes over from, or none. ``kept`` is what an engine begins with, ``control`` the
    control socket with its place, ``cold`` why the old process's state is not taken."""

    def __init__(self, kept: Inheritance, control: tuple[socket.socket, Path] | None = None) -> None:
        self.kept = kept
        self.control = control
        self.cold: Problem | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    @property
    def is_there(self) -> bool:
        """Whether this process was started to take over from another one."""
        return self._writer is not None

    async def failed(self, problems: Sequence[Problem]) -> None:
        """This process cannot serve."""
        self._send(Word(failed="; ".join(map(str, problems))))
        if self._writer is not None:
            with suppress(OSError):
                self._writer.close()
                await self._writer.wait_closed()

    def begin(self, handing_over: HandingOver) -> list[str]:
        """This process serves. Goes on where the old one was, and tells it; returns the addresses of sockets that no
        listener has."""
        handing_over.begin(self.kept.state)
        rest = self.kept.sockets.close_rest()
        self._send(Word(ready=True))
        return rest

    async def follow(self, handing_over: HandingOver, ours: Callable[[], None]) -> None:
        """Call ``ours`` once the old process has let go, or has ended; then count what it counted until its end."""
        assert self._reader is not None
        told = False
        with suppress(OSError, ValueError, DecodeError):
            while line := await self._reader.readline():
                word = json.decode(line, type=Word)
                if word.yours:
                    told = True
                    ours()
                if word.counted is not None:
                    handing_over.add(word.counted)
        if not told:
            ours()
        if self._writer is not None:
            self._writer.close()

    async def ask(self, channel: socket.socket) -> tuple[State, str]:
        """What the old process knows, and where the control socket is. Raises CalledOff."""
        self._reader, self._writer = await asyncio.open_connection(sock=channel, limit=LONGEST)
        self._send(Word(asks=True))
        try:
            async with asyncio.timeout(ANSWERS_WITHIN):
                line = await self._reader.readline()
            if not line:
                self._writer.close()
                raise CalledOff("the process that started this one to take over has called it off")
            envelope, state, why = opened(line)
        except (OSError, ValueError) as error:
            envelope, state, why = None, None, str(error) or "the old process said nothing"
        if state is None:
            todo = "counters and the condition of members begin anew; requests are not concerned"
            self.cold = Problem(what=why, todo=todo, severity="warning")
        return state or State(), envelope.control if envelope is not None else ""

    def _send(self, word: Word) -> None:
        if self._writer is not None:
            self._writer.write(json.encode(word) + b"\n")


async def predecessor(environment: MutableMapping[str, str]) -> Predecessor:
    """What this process was started with: by another one that it takes over from, by a socket manager, or nothing.
    Raises CalledOff."""
    found = given(environment)
    if found.channel is None:
        control = (found.control, Path(found.control.getsockname())) if found.control is not None else None
        return Predecessor(Inheritance(sockets=InheritedSockets(found.sockets, held=True)), control)
    made = Predecessor(Inheritance())
    state, path = await made.ask(found.channel)
    registry, recorder = restored(state)
    made.kept = Inheritance(registry, recorder, InheritedSockets(found.sockets), found.lock, state)
    if found.control is not None and path:
        made.control = (found.control, Path(path))
    elif found.control is not None:
        found.control.close()
    return made
