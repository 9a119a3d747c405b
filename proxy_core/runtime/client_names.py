"""The names of clients: what the name servers call an address, believed where the name leads back to it.

Only conditions of access ask (``Require host``), so a client waits for its own name, never for longer than ``SECONDS``.
The system resolves, in threads of its own: a name server that hangs must hold up neither upstreams nor files. What was
found is kept for a while, that there is no name too. Who may not be told from an answer that did not come is nobody:
None says that nothing is known (``ap_get_useragent_host`` with REMOTE_DOUBLE_REV in server/core.c).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv6Address, ip_address
from time import monotonic
from typing import Final

SECONDS: Final = 2.0
"""How long a name is waited for."""
KEPT_SECONDS: Final = 60.0
"""How long an answer is good."""
MOST_KEPT: Final = 4096
"""Clients whose names are kept."""
MOST_ASKED: Final = 64
"""Clients whose names are asked for at once; of the others nothing is known."""
_THREADS: Final = 4


class ClientNames:
    """``look`` finds the name of an address and waits, in a thread; "" for none. It raises OSError where nobody
    answers."""

    def __init__(self, look: Callable[[str], str] | None = None) -> None:
        self._look = look or confirmed
        self._known: dict[str, tuple[float, str]] = {}
        self._asking: dict[str, asyncio.Future[str]] = {}
        self._threads: ThreadPoolExecutor | None = None

    def ask(self, client: str) -> tuple[bool, str | None]:
        """(True, name) for what is known at once, (False, None) for what takes waiting."""
        since, name = self._known.get(client, (0.0, ""))
        return (True, name) if client in self._known and monotonic() - since < KEPT_SECONDS else (False, None)

    async def answer(self, client: str) -> str | None:
        """The name of a client in lower case, "" for none; None where nobody says in time."""
        known, name = self.ask(client)
        if known:
            return name
        asking = self._asking.get(client)
        if asking is None:
            if len(self._asking) >= MOST_ASKED:
                return None
            if self._threads is None:
                self._threads = ThreadPoolExecutor(_THREADS, "client-names")
            asking = asyncio.get_running_loop().run_in_executor(self._threads, self._look, client)
            self._asking[client] = asking
            asking.add_done_callback(lambda done: self._found(client, done))
        try:
            return await asyncio.wait_for(asyncio.shield(asking), SECONDS)
        except (TimeoutError, OSError):
            return None

    def _found(self, client: str, asked: asyncio.Future[str]) -> None:
        del self._asking[client]
        if asked.cancelled() or asked.exception() is not None:
            return
        while len(self._known) >= MOST_KEPT:
            del self._known[next(iter(self._known))]
        self._known.pop(client, None)
        self._known[client] = monotonic(), asked.result()

    def close(self) -> None:
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)


_NO_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}


def confirmed(client: str) -> str:
    """The name of an address in lower case, where one of that name's addresses is this one; else "". Raises OSError
    where a name server does not answer."""
    try:
        name = socket.getnameinfo((client, 0), socket.NI_NAMEREQD)[0].lower().rstrip(".")
        found = {_plain(str(entry[4][0])) for entry in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)}
    except socket.gaierror as error:
        if error.errno in _NO_NAME:
            return ""
        raise
    except UnicodeError:
        return ""
    return name if _plain(client) in found else ""


def _plain(address: str) -> str:
    """An address in its one spelling, an IPv4 address in IPv6 as what it is."""
    made = ip_address(address.partition("%")[0])
    return str((isinstance(made, IPv6Address) and made.ipv4_mapped) or made)
