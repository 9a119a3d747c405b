"""What name servers say of clients: the name of an address, believed where it leads back to it, and the addresses of a
name.

Only conditions of access ask (``Require host``, ``Require forward-dns``), so a client waits for what is about itself,
never for longer than ``SECONDS``. The system resolves, in threads of its own: a name server that hangs must hold up
neither upstreams nor files. What was found is kept for a while, that there is nothing too. Who may not be told from an
answer that did not come is nobody: None says that nothing is known (``ap_get_useragent_host`` with REMOTE_DOUBLE_REV in
server/core.c, ``forward_dns_check_authorization`` in mod_authz_host.c).
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
"""How long an answer is waited for."""
KEPT_SECONDS: Final = 60.0
"""How long an answer is good."""
MOST_KEPT: Final = 4096
"""Answers that are kept."""
MOST_ASKED: Final = 64
"""Questions that are out at once; of the others nothing is known."""
_THREADS: Final = 4


class NameLookups:
    """Answers to one kind of question. ``look`` answers one and waits, in a thread; "" for nothing found. It raises
    OSError where nobody answers."""

    def __init__(self, look: Callable[[str], str]) -> None:
        self._look = look
        self._known: dict[str, tuple[float, str]] = {}
        self._asking: dict[str, asyncio.Future[str]] = {}
        self._threads: ThreadPoolExecutor | None = None

    def ask(self, asked: str) -> tuple[bool, str | None]:
        """(True, name) for what is known at once, (False, None) for what takes waiting."""
        since, found = self._known.get(asked, (0.0, ""))
        return (True, found) if asked in self._known and monotonic() - since < KEPT_SECONDS else (False, None)

    async def answer(self, asked: str) -> str | None:
        """What is found, "" for nothing; None where nobody says in time."""
        known, found = self.ask(asked)
        if known:
            return found
        asking = self._asking.get(asked)
        if asking is None:
            if len(self._asking) >= MOST_ASKED:
                return None
            if self._threads is None:
                self._threads = ThreadPoolExecutor(_THREADS, "name-lookups")
            asking = asyncio.get_running_loop().run_in_executor(self._threads, self._look, asked)
            self._asking[asked] = asking
            asking.add_done_callback(lambda done: self._found(asked, done))
        try:
            return await asyncio.wait_for(asyncio.shield(asking), SECONDS)
        except (TimeoutError, OSError):
            return None

    def _found(self, asked: str, done: asyncio.Future[str]) -> None:
        del self._asking[asked]
        if done.cancelled() or done.exception() is not None:
            return
        while len(self._known) >= MOST_KEPT:
            del self._known[next(iter(self._known))]
        self._known.pop(asked, None)
        self._known[asked] = monotonic(), done.result()

    def close(self) -> None:
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)


_NO_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}


def confirmed(client: str) -> str:
    """The name of an address in lower case, where one of that name's addresses is this one; else "". Raises OSError
    where a name server does not answer."""
    try:
        name = socket.getnameinfo((client, 0), socket.NI_NAMEREQD)[0].lower().rstrip(".")
    except socket.gaierror as error:
        return _nothing(error)
    return name if _plain(client) in addresses(name).split() else ""


def addresses(name: str) -> str:
    """The addresses of a name, with a blank between them; "" for none. Raises OSError where a name server does not
    answer."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        return _nothing(error)
    except UnicodeError:
        return ""
    return " ".join(dict.fromkeys(_plain(str(entry[4][0])) for entry in found))


def _nothing(error: socket.gaierror) -> str:
    if error.errno in _NO_NAME:
        return ""
    raise error


def _plain(address: str) -> str:
    """An address in its one spelling, an IPv4 address in IPv6 as what it is."""
    made = ip_address(address.partition("%")[0])
    return str((isinstance(made, IPv6Address) and made.ipv4_mapped) or made)
