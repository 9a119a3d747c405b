"""What a service manager is told, by the protocol of sd_notify(3): datagrams of NAME=VALUE lines to NOTIFY_SOCKET.

systemd starts what depends on us once we are READY, restarts us when the WATCHDOG is silent, and knows by MAINPID who
serves after an upgrade. Without such a manager nothing is sent. Nothing here raises, and no request waits for it: what
a manager has no room for is sent again, in its order. The signs of life come from the loop that serves, so a loop that
stands still has none. What the manager said is taken out of the environment, so that programs which are started do not
speak for us.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Final

from proxy_core.printable import printable

_SIGNS: Final = 3
"""Signs of life in the time after which the manager misses them."""
_AGAIN, _PATIENCE = 0.05, 5.0
"""Seconds after which a line is sent again that the manager had no room for, and how long that holds up an end."""


class ServiceManager:
    """Whoever started this process as a service. ``quiet`` until ``speak``, in a process that another one started."""

    def __init__(self, environment: MutableMapping[str, str], *, quiet: bool = False) -> None:
        self._address = environment.pop("NOTIFY_SOCKET", "")
        micros, pid = environment.pop("WATCHDOG_USEC", ""), environment.pop("WATCHDOG_PID", "")
        meant = self._address and micros.isdecimal() and pid in ("", str(os.getpid()))
        self._watchdog = int(micros) / 1e6 if meant else 0.0
        self._quiet = quiet
        self._status = ""
        self._waiting: list[bytes] = []
        self._living: asyncio.Task[None] | None = None

    def environment(self) -> dict[str, str]:
        """What a process that takes over is to find in its environment, but for the number of that process."""
        said = {"NOTIFY_SOCKET": self._address}
        if self._watchdog:
            said["WATCHDOG_USEC"] = str(round(self._watchdog * 1e6))
        return said if self._address else {}

    def ready(self) -> None:
        """Requests are served, from now on or again."""
        self._send("READY=1")

    def reloading(self) -> None:
        """The site file is read again; ``ready`` ends it."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """One line for people, told where it has changed and nothing else is left to tell."""
        if text != self._status and not self._waiting:
            self._status = text
            self._send(f"STATUS={printable(text)}")

    async def give_way(self, pid: int) -> None:
        """That process is the service from now on; this one says nothing more."""
        self._send(f"MAINPID={pid}")
        self._quiet = True
        await self.close()

    def speak(self) -> None:
        """This process is the service. Begins to give signs of life where the manager wants them."""
        self._quiet = False
        self.ready()
        if self._watchdog and self._living is None:
            self._living = asyncio.create_task(self._live())

    async def close(self) -> None:
        """Give no more signs of life, and return when all else was said, or after a while."""
        if self._living is not None:
            self._living.cancel()
            self._living = None
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                while self._waiting:  # noqa: ASYNC110 - hardly ever
                    await asyncio.sleep(_AGAIN)

    async def _live(self) -> None:
        while True:
            if not self._waiting:
                self._send("WATCHDOG=1")
            await asyncio.sleep(self._watchdog / _SIGNS)

    def _send(self, *lines: str) -> None:
        if self._quiet or self._address[:1] not in ("/", "@"):
            return
        self._waiting.append("\n".join(lines).encode())
        if len(self._waiting) == 1:
            self._flush()

    def _flush(self) -> None:
        """Send what waits; where the manager does not read just now, again in a moment."""
        address = f"\0{self._address[1:]}" if self._address[0] == "@" else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.setblocking(False)
            while self._waiting:
                try:
                    out.sendto(self._waiting[0], address)
                except BlockingIOError:
                    asyncio.get_running_loop().call_later(_AGAIN, self._flush)
                    return
                except OSError:  # nobody is there
                    pass
                del self._waiting[0]
